"""TLS at the edge: a certificate from an authority, HTTP/2, and connections that are for another host."""

import os
import socket
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from acme import Pebble, Relay
from authority import Authority
from brim import wait_until
from conftest import run
from edge import Edge

DAYS = 30
ISSUE_SECONDS = 60


class Origin(BaseHTTPRequestHandler):
    """Answers every request with the host and the protocol that it was told of."""

    def do_GET(self):
        host = self.headers["Host"].partition(":")[0]
        body = f"{host} {self.headers['X-Forwarded-Proto']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def origin():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def authority(tmp_path):
    directory = tmp_path / "authority"
    directory.mkdir()
    return Authority(directory)


@pytest.fixture
def edge(tmp_path):
    """Starts edges, again and again in the same directory."""
    started = []

    def start(config):
        started.append(Edge(tmp_path, config))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            assert one.stop() == 0


def curl(edge, root, host, *words, connect=None):
    """Asks for `host` over HTTPS, on a connection that was made for `connect`; gives status, protocol and body."""
    port = urllib.parse.urlsplit(edge.secure_url).port
    name = connect or host
    argv = [
        "curl", "--silent", "--show-error", "--cacert", root, "--resolve", f"{name}:{port}:127.0.0.1",
        "--write-out", "\n%{http_code} %{http_version}", *words, f"https://{name}:{port}/",
    ]
    if connect:
        argv += ["--header", f"Host: {host}"]
    body, _, facts = run(argv, {"PATH": os.environ["PATH"]}).stdout.decode().rpartition("\n")
    status, version = facts.split()
    return int(status), version, body


def site(*hosts, origin):
    return f'[[site]]\nhosts = {list(hosts)}\norigin = {{ url = "{origin}", host = "viewer" }}\n'


def is_trusted(edge, root, host):
    """Whether the certificate that `host` shows is trusted by `root`."""
    address = urllib.parse.urlsplit(edge.secure_url)
    trust = ssl.create_default_context(cafile=root)
    try:
        with socket.create_connection((address.hostname, address.port), 10) as plain:
            with trust.wrap_socket(plain, server_hostname=host):
                return True
    except ssl.SSLError:
        return False


def test_an_authority_issues_the_certificate_of_an_edge_and_a_restart_needs_none(edge, origin, authority):
    relay = Relay()
    pebble = Pebble(authority, relay, DAYS * 24 * 3600)
    config = (
        f'tls_listen = ["127.0.0.1:0"]\n[acme]\ndomains = ["shop.test"]\nagree_terms = true\ndirectory = "{pebble.directory}"\n'
        f'ca_bundle = "{authority.path}"\npath = "{authority.directory}/acme"\n' + site("shop.test", origin=origin)
    )
    try:
        root = pebble.root()
        first = edge(config)
        relay.target = urllib.parse.urlsplit(first.url).port
        wait_until(lambda: is_trusted(first, root, "shop.test"), ISSUE_SECONDS, f"a certificate; see {first.log.name}")
        assert curl(first, root, "shop.test") == (200, "2", "shop.test https")
        assert any(line.startswith("GET /.well-known/acme-challenge/") for line in relay.requests)
        stranger = requests.get(f"{first.url}/.well-known/acme-challenge/x", headers={"Host": "nobody.test"}, timeout=10)
        assert stranger.status_code == 404
        assert first.stop() == 0
    finally:
        pebble.stop()
        relay.close()
    again = edge(config)
    assert curl(again, root, "shop.test") == (200, "2", "shop.test https")


def test_both_protocols_are_spoken_and_a_connection_for_another_host_is_sent_away(edge, origin, authority):
    first, second = authority.issue("first", "DNS:a.test", "DNS:b.test"), authority.issue("second", "DNS:c.test")
    pairs = "".join(f'[[certificate]]\ncert = "{chain}"\nkey = "{key}"\n' for chain, key in (first, second))
    config = 'tls_listen = ["127.0.0.1:0"]\n' + pairs + site("a.test", "b.test", "c.test", origin=origin)
    running = edge(config)
    root = authority.path
    assert curl(running, root, "a.test", "--http2") == (200, "2", "a.test https")
    assert curl(running, root, "c.test", "--http1.1") == (200, "1.1", "c.test https")
    # One certificate is for both: browsers send both over one connection (RFC 9113 section 9.1.1).
    assert curl(running, root, "b.test", connect="a.test")[0] == 200
    status, _, body = curl(running, root, "c.test", connect="a.test")
    assert (status, body) == (421, "This connection is for another host. Please make a new one.\n")
    with socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(running.secure_url).port), 10) as plain:
        plain.settimeout(30)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert not plain.recv(65536).startswith(b"HTTP/1.1 200")
