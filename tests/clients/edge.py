"""An edge under test: starts the real binary with a configuration and stops it by its pid."""

import os
import re
import select
import subprocess
from pathlib import Path

READY = re.compile(r"\bhttp=(?P<http>\S+)(?: https=(?P<https>\S+))?")
START_SECONDS = 30
STOP_SECONDS = 30


class Edge:
    """One running edge. `url` is where it serves, `secure_url` where it does over TLS."""

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
        self.url, self.secure_url = found["http"], found["https"]

    def stop(self):
        """Stops gracefully; gives the exit status."""
        self.process.terminate()
        status = self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        self.log.close()
        return status
