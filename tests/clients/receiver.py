"""A receiver of webhooks that keeps what it is sent, as it came."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    headers: dict  # by lower-case name
    body: bytes


class Receiver:
    """Answers with `status`, over TLS where it is given a context. `received` is in the order of arrival."""

    def __init__(self, tls=None):
        receiver, self.received, self.status = self, [], 204

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            # The handshake is made by the thread that reads: nobody else waits for it.
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        # Who breaks off, or is turned away by the handshake, is nothing to talk about.
        self.server.handle_error = lambda *_: None
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
