// A receiver of notifications: verifies each message, passes over what came twice, and prints what happened.
//
//     node receiver.mjs orders.secret [127.0.0.1:8070]
//
// Needs nothing but Node.js 18. The secret file holds what `brim webhook add` printed: whsec_ and base64; while a secret is
// rotated, the new one and the old one, a line each.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

// How far the time of a message may be from ours, in seconds: older ones may be replayed by somebody who overheard them.
const TOLERANCE = 5 * 60;
// Larger than any message of Brim.
const MAX_BODY = 1 << 20;
// How many ids of messages are remembered.
const MAX_SEEN = 10_000;

/** Tells why a message is not Brim's, or null if it is. https://www.standardwebhooks.com */
export function verify(secrets, headers, body, now = Date.now() / 1000) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(timestamp)) return "no webhook-timestamp";
  if (Math.abs(now - Number(timestamp)) > TOLERANCE) return "too old, or from the future";
  const given = (headers["webhook-signature"] ?? "").split(" ");
  for (const secret of secrets) {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const hmac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
    const expected = Buffer.from(`v1,${hmac.digest("base64")}`);
    for (const signature of given.map((text) => Buffer.from(text))) {
      // In constant time: otherwise a signature could be guessed byte by byte.
      if (signature.length === expected.length && timingSafeEqual(signature, expected)) return null;
    }
  }
  return "no signature is right";
}

/** What happened, a line each. */
function* describe(message) {
  if (message.Event === "s3:TestEvent") yield `s3:TestEvent s3://${message.Bucket}`;
  for (const { eventName, s3 } of message.Records ?? []) {
    // Keys are encoded as forms are.
    const key = decodeURIComponent(s3.object.key.replaceAll("+", " "));
    yield `${eventName} s3://${s3.bucket.name}/${key}`;
  }
}

async function bodyOf(request) {
  const pieces = [];
  let bytes = 0;
  for await (const piece of request) {
    bytes += piece.length;
    if (bytes > MAX_BODY) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function main(secretFile, listen = "127.0.0.1:8070") {
  const secrets = readFileSync(secretFile, "utf8").split(/\s+/).filter(Boolean);
  const seen = new Set();
  const receive = async (request, response) => {
    const body = await bodyOf(request);
    if (body === null) return response.writeHead(413, { connection: "close" }).end();
    const problem = verify(secrets, request.headers, body);
    if (problem) {
      console.log(`refused: ${problem}`);
      return response.writeHead(401).end();
    }
    const id = request.headers["webhook-id"];
    if (!seen.has(id)) {
      // A receiver with more to do puts it in a queue of its own here, and answers at once.
      for (const line of describe(JSON.parse(body))) console.log(`verified: ${line} (${id})`);
      // Noted last: what could not be handled is sent again.
      seen.add(id);
      if (seen.size > MAX_SEEN) seen.delete(seen.values().next().value);
    }
    response.writeHead(204).end();
  };
  const server = createServer((request, response) => {
    // Whoever breaks off in the middle ends this request, and nothing else.
    receive(request, response).catch((error) => {
      console.log(`failed: ${error.message}`);
      response.destroy();
    });
  });
  const at = listen.lastIndexOf(":");
  server.listen(Number(listen.slice(at + 1)), listen.slice(0, at), () => {
    console.log(`receiver: ready on http://${listen.slice(0, at)}:${server.address().port}/`);
  });
}

if (process.argv.length < 3) {
  console.error("usage: node receiver.mjs SECRET_FILE [ADDRESS]");
  process.exit(2);
}
main(process.argv[2], process.argv[3]);
