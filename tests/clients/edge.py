<<<<<<< HEAD
"""An edge under test: starts the real binary with a configuration and stops it by its pid."""

import os
import re
import select
import subprocess
from pathlib import Path

READY = re.compile(r"\bhttp=(?P<http>\S+)")
START_SECONDS = 30
STOP_SECONDS = 30


class Edge:
    """One running edge. `url` is where it serves."""

    def __init__(self, directory: Path, config: str):
        file = directory / "edge.toml"
        file.write_text(f'listen = ["127.0.0.1:0"]\nadmin_listen = "127.0.0.1:0"\n{config}')
        binary = os.environ.get("EDGE_BINARY") or Path(os.environ["SERVER_BINARY"]).with_name("brim-edge")
        # The user's own BRIM_... options must not reach the edge under test.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BRIM_")}
        self.log = open(directory / "edge.log", "ab")
        argv = [str(binary), "--config", str(file)]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, env=clean)
        readable, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        self.ready = self.process.stdout.readline().decode().rstrip("\n") if readable else ""
        found = READY.search(self.ready)
        assert found, f"no ready line; see {self.log.name}:\n{Path(self.log.name).read_text()[-2000:]}"
        self.url = found["http"]

    def stop(self):
        """Stops gracefully; gives the exit status."""
        self.process.terminate()
        status = self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        self.log.close()
        return status
=======
"""An edge of the tests' own: polls the feed with requests that botocore signs, and acknowledges when it is told to."""

import http.client
import json
import secrets
import threading
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FEED = "/_brim/feed"


def site(site_id, hosts, bucket="pail"):
    behaviour = {"path": "*", "min_ttl": 0, "default_ttl": 0, "max_ttl": 31536000, "compress": True}
    origins = [{"name": bucket, "kind": "bucket"}]
    return {"id": site_id, "hosts": hosts, "origins": origins, "behaviours": [behaviour]}


class Edge:
    """One run of an edge. `poll` is one exchange; `follow` polls from a thread until `stop`."""

    def __init__(self, server, keys, name="fake", sites=()):
        self.server, self.keys, self.sites = server, keys, list(sites)
        self.id = {"name": name, "run": secrets.randbelow(2**63)}
        self.position = None
        self.entries = []
        self._stopping = threading.Event()
        self._thread = None

    def post(self, path, document, service="brim"):
        """The status and the document of the answer."""
        body = json.dumps(document).encode()
        request = AWSRequest("POST", self.server.endpoint + path, data=body)
        SigV4Auth(Credentials(self.keys.access_key, self.keys.secret_key), service, "us-east-1").add_auth(request)
        split = urlsplit(self.server.endpoint)
        connection = http.client.HTTPConnection(split.hostname, split.port, timeout=30)
        try:
            connection.request("POST", path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
            try:
                return answer.status, json.loads(content)
            except ValueError:
                return answer.status, content
        finally:
            connection.close()

    def document(self, wait=0, **more):
        document = {"version": 1, "edge": self.id, "from": self.position, "applied": self.position, "wait": wait}
        return {**document, "sites": self.sites, "signers": [self.keys.access_key], **more}

    def poll(self, wait=0, apply=True, **more):
        """One exchange that must succeed. With `apply`, what it says counts as applied from the next poll on."""
        status, page = self.post(FEED, self.document(wait, **more))
        assert status == 200, (status, page)
        if apply:
            self.entries += page["entries"]
            log = bytes(page["log"]).hex()
            self.position = f"{log}:{page['next']}"
        return page

    def follow(self):
        def run():
            while not self._stopping.is_set():
                self.poll(wait=2000)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        """Stops following, and says so."""
        self._stopping.set()
        if self._thread:
            self._thread.join(10)
        self.poll(leaving=True, apply=False)
>>>>>>> b1eb19b96c935c27468e9f1f7e50e716ca6aa67f
