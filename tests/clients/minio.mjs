// minio-js: signed chunks, its own multipart, its own listing.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import * as minio from "minio";

const bucket = process.env.BUCKET;
const client = new minio.Client({
  endPoint: process.env.HOST, port: Number(process.env.PORT), useSSL: process.env.ENDPOINT.startsWith("https:"), partSize: 5 * 1024 * 1024,
  accessKey: process.env.ACCESS_KEY, secretKey: process.env.SECRET_KEY,
});
async function collect(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
const bytes = async (key) => Buffer.concat(await collect(await client.getObject(bucket, key)));
const list = async (prefix) => collect(client.listObjectsV2(bucket, prefix, true));

assert.equal(await client.bucketExists(bucket), true);
const small = Buffer.from("small body");
await client.putObject(bucket, "dir/small +", small, small.length, { "Content-Type": "text/x-minio", "X-Amz-Meta-Kind": "test" });
const stat = await client.statObject(bucket, "dir/small +");
assert.equal(stat.size, small.length);
assert.equal(stat.metaData["content-type"], "text/x-minio");
assert.equal(stat.metaData.kind, "test");
assert.deepEqual(await bytes("dir/small +"), small);

const large = Buffer.alloc(11 * 1024 * 1024 + 3, "minio-js ");
await client.putObject(bucket, "large", Readable.from([large], { objectMode: false }));
assert.deepEqual(await bytes("large"), large);
const partial = await client.getPartialObject(bucket, "large", 1000, 50);
assert.deepEqual(Buffer.concat(await collect(partial)), large.subarray(1000, 1050));

await writeFile("up", large);
await client.fPutObject(bucket, "file", "up", {});
await client.fGetObject(bucket, "file", "down");
assert.deepEqual(await readFile("down"), large);

await client.copyObject(bucket, "copy", `/${bucket}/dir/small +`);
assert.deepEqual(await bytes("copy"), small);
assert.deepEqual((await list("")).map((entry) => entry.name), ["copy", "dir/small +", "file", "large"]);
assert.deepEqual((await list("dir/")).map((entry) => entry.name), ["dir/small +"]);
await assert.rejects(client.statObject(bucket, "absent"), { code: "NotFound" });
await assert.rejects(client.getObject(bucket, "absent"), { code: "NoSuchKey" });

const url = await client.presignedGetObject(bucket, "copy", 60);
assert.equal(await (await fetch(url)).text(), "small body");
await client.removeObject(bucket, "copy");
await client.removeObjects(bucket, ["dir/small +", "file", "large"]);
assert.deepEqual(await list(""), []);
console.log("ok");
