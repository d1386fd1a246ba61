// lib-storage's Upload: a stream cut into parts that are sent side by side.
import { Readable } from "node:stream";
import { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

const client = new S3Client({
  endpoint: process.env.ENDPOINT, region: "us-east-1", forcePathStyle: true,
  credentials: { accessKeyId: process.env.ACCESS_KEY, secretAccessKey: process.env.SECRET_KEY },
});
const body = Buffer.alloc(12 * 1024 * 1024 + 5);
for (let i = 0; i < body.length; i++) body[i] = (i % 251) * 31 % 251;
const upload = new Upload({
  client, partSize: 5 * 1024 * 1024, queueSize: 4,
  params: { Bucket: process.env.BUCKET, Key: "upload", Body: Readable.from([body], { objectMode: false }) },
});
await upload.done();
