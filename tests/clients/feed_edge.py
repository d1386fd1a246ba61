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
        return {**document, "sites": self.sites, **more}

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
