#!/usr/bin/env python3
"""A receiver of notifications: verifies each message, passes over what came twice, and prints what happened.

    python3 receiver.py --secret-file orders.secret [--listen 127.0.0.1:8070]

Needs nothing but Python 3.8. The secret file holds what `brim webhook add` printed: whsec_ and base64; while a secret is
rotated, the new one and the old one, a line each.
"""

import argparse
import base64
import hashlib
import hmac
import json
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import unquote_plus

# How far the time of a message may be from ours, in seconds: older ones may be replayed by somebody who overheard them.
TOLERANCE = 5 * 60
# Larger than any message of Brim.
MAX_BODY = 1 << 20
# How many ids of messages are remembered.
MAX_SEEN = 10_000


def verify(secrets, headers, body, now=None):
    """Tells why a message is not Brim's, or None if it is. https://www.standardwebhooks.com"""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    try:
        age = (time.time() if now is None else now) - int(timestamp)
    except ValueError:
        return "no webhook-timestamp"
    if abs(age) > TOLERANCE:
        return "too old, or from the future"
    signed = f"{message_id}.{timestamp}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret[len("whsec_") :])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for signature in headers.get("webhook-signature", "").split():
            # In constant time: otherwise a signature could be guessed byte by byte.
            if hmac.compare_digest(signature.encode(), f"v1,{expected}".encode()):
                return None
    return "no signature is right"


def describe(message):
    """What happened, a line each."""
    if message.get("Event") == "s3:TestEvent":
        yield f"s3:TestEvent s3://{message['Bucket']}"
    for record in message.get("Records", []):
        s3 = record["s3"]
        # Keys are encoded as forms are.
        yield f"{record['eventName']} s3://{s3['bucket']['name']}/{unquote_plus(s3['object']['key'])}"


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    secrets = []
    seen = OrderedDict()
    lock = Lock()

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(int(length))
        problem = verify(self.secrets, self.headers, body)
        if problem:
            with self.lock:
                print(f"refused: {problem}", flush=True)
            return self.answer(401)
        message_id = self.headers["webhook-id"]
        with self.lock:
            if message_id not in self.seen:
                # A receiver with more to do puts it in a queue of its own here, and answers at once.
                for line in describe(json.loads(body)):
                    print(f"verified: {line} ({message_id})", flush=True)
                # Noted last: what could not be handled is sent again.
                self.seen[message_id] = True
                if len(self.seen) > MAX_SEEN:
                    self.seen.popitem(last=False)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description="A receiver of Brim's notifications")
    parser.add_argument("--listen", default="127.0.0.1:8070", metavar="ADDRESS")
    parser.add_argument("--secret-file", required=True, type=Path, metavar="FILE")
    arguments = parser.parse_args()
    Receiver.secrets = arguments.secret_file.read_text().split()
    host, _, port = arguments.listen.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Receiver)
    print(f"receiver: ready on http://{host}:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
