// The everyday calls of the JS SDK, and a presigned PUT and GET through fetch.
import assert from "node:assert/strict";
import {
  CopyObjectCommand, DeleteObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command,
  paginateListObjectsV2, PutObjectCommand, S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const Bucket = process.env.BUCKET;
const client = new S3Client({
  endpoint: process.env.ENDPOINT, region: "us-east-1", forcePathStyle: true, maxAttempts: 1,
  credentials: { accessKeyId: process.env.ACCESS_KEY, secretAccessKey: process.env.SECRET_KEY },
});
const send = (Command, parameters) => client.send(new Command({ Bucket, ...parameters }));
const text = async (answer) => answer.Body.transformToString();

const keys = ["a//b", "a/../c", "d e+f", "g%2Fh", "ü/日本", "plain"];
for (const Key of keys) {
  await send(PutObjectCommand, { Key, Body: `body of ${Key}`, Metadata: { kind: "test" }, ContentType: "text/x-js" });
}
for (const Key of keys) {
  const got = await send(GetObjectCommand, { Key });
  assert.equal(await text(got), `body of ${Key}`);
  assert.equal(got.ContentType, "text/x-js");
  assert.deepEqual(got.Metadata, { kind: "test" });
}
const listed = [];
for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket })) {
  listed.push(...page.Contents.map((entry) => entry.Key));
}
assert.deepEqual(listed, [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))));
const grouped = await send(ListObjectsV2Command, { Delimiter: "/" });
assert.deepEqual(grouped.CommonPrefixes.map((entry) => entry.Prefix), ["a/", "ü/"]);

await send(CopyObjectCommand, { Key: "copy", CopySource: `${Bucket}/${encodeURIComponent("d e+f")}` });
assert.equal(await text(await send(GetObjectCommand, { Key: "copy" })), "body of d e+f");
await assert.rejects(send(PutObjectCommand, { Key: "copy", Body: "x", IfNoneMatch: "*" }), { name: "PreconditionFailed" });
await assert.rejects(send(GetObjectCommand, { Key: "absent" }), { name: "NoSuchKey" });
await assert.rejects(send(HeadObjectCommand, { Key: "absent" }), { name: "NotFound" });

const signed = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "signed" }), { expiresIn: 60 });
assert.equal((await fetch(signed, { method: "PUT", body: "by fetch" })).status, 200);
const read = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "signed" }), { expiresIn: 60 });
assert.equal(await (await fetch(read)).text(), "by fetch");
assert.equal((await fetch(read.replace("/signed?", "/copy?"))).status, 403);

await send(DeleteObjectCommand, { Key: "signed" });
const deleted = await send(DeleteObjectsCommand, { Delete: { Objects: [...keys, "copy"].map((Key) => ({ Key })) } });
assert.equal(deleted.Deleted.length, keys.length + 1);
assert.equal((await send(ListObjectsV2Command, {})).KeyCount, 0);
console.log("ok");
