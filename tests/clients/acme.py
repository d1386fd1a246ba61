"""Pebble, the test authority of ACME, with a DNS of its own in which every name is 127.0.0.1."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import threading

from brim import wait_until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Relay:
    """Listens where the authority asks, and passes on to a port that is known only later."""

    def __init__(self):
        self.target = None
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        """One request, one answer: authorities ask no more of a connection."""
        with client:
            client.settimeout(20)
            request = b""
            while b"\r\n\r\n" not in request:
                piece = client.recv(65536)
                if not piece:
                    return
                request += piece
            self.requests.append(request.split(b"\r\n")[0].decode())
            wait_until(lambda: self.target, 20, "the website listener")
            with socket.create_connection(("127.0.0.1", self.target), 20) as upstream:
                upstream.sendall(request)
                while piece := upstream.recv(65536):
                    client.sendall(piece)

    def close(self):
        self.socket.close()


class Pebble:
    """A running authority. Certificates are good for `seconds`."""

    def __init__(self, authority, relay, seconds):
        self.authority = authority
        chain, key = authority.issue("pebble", "DNS:localhost", "IP:127.0.0.1")
        self.port, self.management, self.dns_port, self.dns_management = (free_port() for _ in range(4))
        self.directory = f"https://127.0.0.1:{self.port}/dir"
        config = authority.directory / "pebble.json"
        config.write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(chain), "privateKey": str(key), "httpPort": relay.port, "tlsPort": free_port(),
            "certificateValidityPeriod": seconds,
        }}))
        self.config = config
        self.log = open(authority.directory / "pebble.log", "ab")
        self.processes = []
        self.run()

    def run(self):
        """Starts it, with no memory of what was before."""
        dns = f"127.0.0.1:{self.dns_port}"
        self._start(
            "pebble-challtestsrv", "-dns01", dns, "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "",
            "-management", f"127.0.0.1:{self.dns_management}",
        )
        # One in twenty nonces is refused, as a client must expect of an authority.
        self._start("pebble", "-config", self.config, "-dnsserver", dns, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="5")
        wait_until(self._answers, 30, "pebble")

    def _start(self, *argv, **environment):
        self.processes.append(subprocess.Popen(
            [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"PATH": os.environ["PATH"], **environment},
        ))

    def _answers(self):
        try:
            return self._ask(self.port, "/dir").startswith(b"{")
        except OSError:
            return False

    def _ask(self, port, path):
        trust = ssl.create_default_context(cafile=self.authority.path)
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trust)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def root(self):
        """Writes the certificate that trusts what this authority issues, and gives its path."""
        path = self.authority.directory / "root.pem"
        path.write_bytes(self._ask(self.management, "/roots/0"))
        return path

    def forget_name(self, host, forgotten=True):
        """Has the DNS fail for a host, or not fail any more."""
        connection = http.client.HTTPConnection("127.0.0.1", self.dns_management, timeout=10)
        path = "/set-servfail" if forgotten else "/clear-servfail"
        connection.request("POST", path, json.dumps({"host": host}))
        assert connection.getresponse().status == 200
        connection.close()

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait(10)
        self.processes.clear()
