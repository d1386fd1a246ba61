"""The server under test: starts the real binary with a fresh data directory and stops it by its pid."""

import configparser
import os
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

READY = re.compile(r"^brim: ready .*\bs3=(?P<s3>\S+) admin=(?P<admin>\S+) website=(?P<website>\S+)")
START_SECONDS = 30
STOP_SECONDS = 30


@dataclass(frozen=True)
class Keys:
    access_key: str
    secret_key: str

    @classmethod
    def read(cls, path):
        parser = configparser.RawConfigParser()
        assert parser.read(path), f"{path} is missing"
        profile = parser["default"]
        return cls(profile["aws_access_key_id"], profile["aws_secret_access_key"])


class Brim:
    """One running server. `endpoint`, `website`, `admin`, `host`, `port` and `keys` are what clients need."""

    def __init__(self, data: Path, environment=None):
        self.data = data
        self.log = open(f"{data}.log", "ab")
        argv = [os.environ["SERVER_BINARY"], "server", "--data", str(data)]
        argv += ["--listen", "127.0.0.1:0", "--website-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        # The user's own BRIM_... options must not reach the server under test.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BRIM_")}
        # Temporary directories are on tmpfs or an overlay on many machines.
        clean["BRIM_STORE_ALLOW_EPHEMERAL"] = "true"
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, env={**clean, **(environment or {})}
        )
        self.ready = self._first_line()
        ready = READY.match(self.ready)
        assert ready, f"no ready line; see {self.log.name}:\n{Path(self.log.name).read_text()[-2000:]}"
        self.endpoint, self.admin, self.website = ready["s3"], ready["admin"], ready["website"]
        self.secure_endpoint, self.secure_website = self._named("s3_tls"), self._named("website_tls")
        self.credentials_file = data / "credentials"
        self.keys = Keys.read(self.credentials_file) if self.credentials_file.exists() else None
        self.host, self.port = urlsplit(self.endpoint).hostname, urlsplit(self.endpoint).port

    def _named(self, name):
        """What the ready line says of `name`; None where it says nothing."""
        found = re.search(rf"\b{name}=(\S+)", self.ready)
        return found and found[1]

    def _first_line(self):
        readable, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        return self.process.stdout.readline().decode().rstrip("\n") if readable else ""

    def terminate(self):
        """Asks for a graceful stop without waiting for it."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """Ends the process as a power cut would end it, seen from inside."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self._close()

    def stop(self):
        """Stops gracefully; gives the exit status."""
        if self.process.poll() is None:
            self.terminate()
        return self.wait()

    def wait(self):
        """Waits for the end of a stop that was asked for: a second signal would cut it short."""
        status = self.process.wait(STOP_SECONDS)
        self._close()
        return status

    def _close(self):
        self.process.stdout.close()
        self.log.close()


class Elsewhere:
    """A server that somebody else runs, named by TEST_ENDPOINT: for comparing the tests with another store."""

    def __init__(self, endpoint, credentials_file):
        self.endpoint = self.admin = endpoint
        self.credentials_file = credentials_file
        self.keys = Keys.read(credentials_file)
        self.host, self.port = urlsplit(endpoint).hostname, urlsplit(endpoint).port

    def stop(self):
        return 0


def wait_until(condition, seconds, what):
    """Polls until `condition()` holds; what it waits for happens in another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what} after {seconds} s"
        time.sleep(0.02)
