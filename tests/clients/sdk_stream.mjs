// PutObject with a stream: chunked over plain http, with a checksum trailer and without a Content-Length on the wire.
import { Readable } from "node:stream";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const client = new S3Client({
  endpoint: process.env.ENDPOINT, region: "us-east-1", forcePathStyle: true,
  credentials: { accessKeyId: process.env.ACCESS_KEY, secretAccessKey: process.env.SECRET_KEY },
});
client.middlewareStack.add((next) => async (request) => {
  const headers = request.request.headers;
  console.log("content-sha256:", headers["x-amz-content-sha256"]);
  console.log("content-length:", headers["content-length"] ?? "none");
  return next(request);
}, { step: "finalizeRequest", priority: "low", name: "show" });

const total = 3 * 1024 * 1024 + 11;
async function* pieces() {
  for (let start = 0; start < total; ) {
    const piece = Buffer.alloc(Math.min(10_007, total - start));
    for (let i = 0; i < piece.length; i++) piece[i] = ((start + i) % 251) * 31 % 251;
    start += piece.length;
    yield piece;
  }
}
// The SDK makes `x-amz-decoded-content-length` of this length, and demands it.
const Body = Readable.from(pieces(), { objectMode: false });
await client.send(new PutObjectCommand({ Bucket: process.env.BUCKET, Key: "stream/a b+%2F", Body, ContentLength: total }));
