"""The public suite of HTTP caching, https://cache-tests.fyi, through an edge whose origin is not configured any further."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from edge import Edge

HERE = Path(__file__).parent
PACKAGES = Path(os.environ.get("CACHE", Path.home() / ".cache" / "brim")) / "node" / "node_modules"
SUITE_SECONDS = 300

# Tests that say what a cache must do, or had best do, and that the edge does not, each with the reason.
DIFFERENT: dict[str, str] = {}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    assert (PACKAGES / "http-cache-tests").is_dir(), "run `make prepare-tests`"
    directory, port = tmp_path_factory.mktemp("suite"), free_port()
    (directory / "node_modules").symlink_to(PACKAGES)
    shutil.copy(HERE / "cache_suite.mjs", directory)
    edge = Edge(directory, f'[[site]]\nhosts = ["*"]\norigin = "http://127.0.0.1:{port}"\n')
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "ORIGIN_PORT": str(port), "EDGE": edge.url}
    try:
        ran = subprocess.run(
            ["node", "cache_suite.mjs"], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=SUITE_SECONDS, check=False,
        )
    finally:
        edge.stop()
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    return json.loads(ran.stdout)


def faults(results, kind):
    return {row["id"]: row["fault"] for row in results if row["kind"] == kind and row["fault"]}


def test_everything_was_asked(results):
    assert len(results) > 300
    for kind in ("required", "optimal", "check"):
        rows = [row for row in results if row["kind"] == kind]
        print(f"{kind}: {sum(not row['fault'] for row in rows)} of {len(rows)}")


@pytest.mark.parametrize("kind", ["required", "optimal"])
def test_the_edge_does_what_a_cache_must_and_had_best_do(results, kind):
    unexpected = {name: fault for name, fault in faults(results, kind).items() if name not in DIFFERENT}
    assert not unexpected, json.dumps(unexpected, indent=2)


def test_the_list_of_differences_is_not_longer_than_it_has_to_be(results):
    found = {**faults(results, "required"), **faults(results, "optimal")}
    assert set(DIFFERENT) <= set(found), sorted(set(DIFFERENT) - set(found))
