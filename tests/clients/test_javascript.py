"""The JS SDK v3 and minio-js: each `.mjs` beside this file is one scenario that ends with status 0 when all held."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import client_environment, run
from expect import MIB, body_of, checksum, md5, multipart_etag, noise

HERE = Path(__file__).parent
PACKAGES = Path(os.environ.get("CACHE", Path.home() / ".cache" / "brim")) / "node" / "node_modules"


@pytest.fixture
def node(server, bucket, tmp_path):
    """Runs a scenario in a directory where it finds the npm packages."""
    assert PACKAGES.is_dir(), "run `make prepare-tests`"
    (tmp_path / "node_modules").symlink_to(PACKAGES)

    def run_scenario(name, *words):
        shutil.copy(HERE / name, tmp_path / name)
        environment = client_environment(
            server, tmp_path, ENDPOINT=server.endpoint, BUCKET=bucket, HOST=server.host, PORT=str(server.port),
            ACCESS_KEY=server.keys.access_key, SECRET_KEY=server.keys.secret_key,
        )
        return run(["node", name, *words], environment, cwd=tmp_path).stdout.decode()

    return run_scenario


def test_the_sdk_puts_a_stream_without_a_length(node, s3, bucket):
    data = noise(3 * MIB + 11)
    sent = node("sdk_stream.mjs")
    assert "STREAMING-UNSIGNED-PAYLOAD-TRAILER" in sent and "content-length: none" in sent, sent
    written = body_of(s3.get_object(Bucket=bucket, Key="stream/a b+%2F"))
    assert written == node_pattern(len(data))
    head = s3.head_object(Bucket=bucket, Key="stream/a b+%2F", ChecksumMode="ENABLED")
    assert head["ETag"] == f'"{md5(written)}"'
    assert head["ChecksumCRC32"] == checksum("CRC32", written)
    assert "ContentEncoding" not in head


def node_pattern(size):
    """The bytes that the scenarios generate: each is its offset times 31, modulo 251."""
    period = bytes(offset * 31 % 251 for offset in range(251))
    return (period * (size // 251 + 1))[:size]


def test_lib_storage_uploads_a_stream_by_parts(node, s3, bucket):
    node("sdk_upload.mjs")
    size = 12 * MIB + 5
    got = s3.get_object(Bucket=bucket, Key="upload")
    data = node_pattern(size)
    assert body_of(got) == data
    assert got["ETag"] == multipart_etag([data[start : start + 5 * MIB] for start in range(0, size, 5 * MIB)])


def test_the_sdk_gets_lists_copies_deletes_and_presigns(node):
    assert node("sdk_objects.mjs").strip().endswith("ok")


def test_minio_js_puts_gets_stats_lists_copies_and_removes(node, s3, bucket):
    assert node("minio.mjs").strip().endswith("ok")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
