"""Fixtures: one server for the whole run, a fresh bucket for each test, clients that know the server's keys."""

import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).parent))
from brim import Brim, Elsewhere  # noqa: E402

REGION = "us-east-1"
COMMAND_SECONDS = 90

_resolve = socket.getaddrinfo


def _resolve_localhost(host, *rest, **options):
    # Names below .localhost are the loopback by RFC 6761 section 6.3, but not every resolver knows that.
    if isinstance(host, str) and host.endswith(".localhost"):
        host = "127.0.0.1"
    return _resolve(host, *rest, **options)


socket.getaddrinfo = _resolve_localhost


def pytest_configure():
    # The user's own profiles and proxies must not leak into the tests.
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    endpoint = os.environ.get("TEST_ENDPOINT")
    if endpoint:
        running = Elsewhere(endpoint, os.environ["TEST_CREDENTIALS"])
    else:
        running = Brim(tmp_path_factory.mktemp("server") / "data")
    yield running
    assert running.stop() == 0, "the server must end its graceful stop with status 0"


@pytest.fixture
def own_server(tmp_path):
    """Starts servers that the test may kill: `own_server(environment)`, again and again on the same data."""
    started = []

    def start(environment=None):
        started.append(Brim(tmp_path / "own-data", environment))
        return started[-1]

    if os.environ.get("TEST_ENDPOINT"):
        pytest.skip("needs the binary")
    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


def connect(server, style="path", keys=None, region=REGION, endpoint=None, **config):
    """A boto3 client with today's defaults, apart from what the test names."""
    keys = keys or server.keys
    options = {"retries": {"max_attempts": 0}, "s3": {"addressing_style": style}, **config}
    session = boto3.session.Session(keys.access_key, keys.secret_key, region_name=region)
    return session.client("s3", endpoint_url=endpoint or server.endpoint, config=Config(**options), verify=getattr(server, "authority", None))


@pytest.fixture(scope="session")
def s3(server):
    return connect(server, max_pool_connections=80)


@pytest.fixture(scope="session")
def requests_session():
    import requests

    with requests.Session() as session:
        session.trust_env = False
        yield session


def new_bucket(s3):
    name = f"test-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


def client_environment(server, home, **more):
    """What a command-line client sees: this server's keys and nothing of the user's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_SHARED_CREDENTIALS_FILE": str(server.credentials_file),
        "AWS_CONFIG_FILE": str(Path(home) / "aws-config"),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        **(trusting(server.authority) if hasattr(server, "authority") else {}),
        **more,
    }


def trusting(authority):
    """What has clients trust the authority of a test: the variables of the AWS SDKs, of Go and curl, of Python and of Node."""
    names = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return {name: str(authority) for name in names}


def run(argv, env, status=0, stdin=b"", cwd=None, timeout=COMMAND_SECONDS):
    """Runs a client to its end within a time limit and expects its exit status; gives what it printed."""
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, env=env, input=stdin, capture_output=True, cwd=cwd, timeout=timeout)
    allowed = status if isinstance(status, tuple) else (status,)
    printed = "\n".join(text[-2000:].decode(errors="backslashreplace") for text in (done.stdout, done.stderr))
    assert done.returncode in allowed, f"{' '.join(argv)}\n-> {done.returncode}\n{printed}"
    return done


def tree(directory):
    """Every file below the directory with its contents."""
    root = Path(directory)
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def stored(s3, bucket, prefix=""):
    """Every object below the prefix with its contents, read by boto3."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
