import email.header
import json

import pytest
from conftest import client_environment, run
from expect import MIB, body_of, fails, noise


@pytest.fixture
def curl(server, tmp_path):
    """curl with its own SigV4 signer; the keys go through a file, as they should."""
    (tmp_path / "user").write_text(f'user = "{server.keys.access_key}:{server.keys.secret_key}"\n')
    base = ["curl", "--silent", "--show-error", "--max-time", "60", "--config", tmp_path / "user", "--aws-sigv4", "aws:amz:us-east-1:s3"]
    environment = client_environment(server, tmp_path)
    return lambda path, *words, **options: run([*base, *words, f"{server.endpoint}{path}"], environment, **options).stdout


UNSIGNED = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")


def test_curl_signs_puts_gets_lists_and_deletes(curl, s3, bucket, tmp_path):
    data = noise(MIB)
    (tmp_path / "data").write_bytes(data)
    assert curl(f"/{bucket}/dir/key", "--fail", *UNSIGNED, "--upload-file", tmp_path / "data") == b""
    assert body_of(s3.get_object(Bucket=bucket, Key="dir/key")) == data
    assert curl(f"/{bucket}/dir/key", "--fail", *UNSIGNED) == data
    assert b"<Key>dir/key</Key>" in curl(f"/{bucket}", "--fail", *UNSIGNED)
    curl(f"/{bucket}/dir/key", "--fail", *UNSIGNED, "--request", "DELETE")
    fails("404", 404, s3.head_object, Bucket=bucket, Key="dir/key")


def test_a_chunked_upload_of_unknown_length(curl, s3, bucket):
    """Plain `Transfer-Encoding: chunked` without any length: S3 wants x-amz-decoded-content-length or Content-Length."""
    answer = curl(f"/{bucket}/k", *UNSIGNED, "--upload-file", "-", "--write-out", "%{http_code}", stdin=noise(100_000))
    assert answer.endswith(b"411") and b"<Code>MissingContentLength</Code>" in answer
    fails("404", 404, s3.head_object, Bucket=bucket, Key="k")


def test_metadata_beyond_ascii_comes_back_in_rfc_2047(curl, s3, bucket):
    curl(f"/{bucket}/k", "--fail", *UNSIGNED, "--request", "PUT", "--header", "Content-Length: 0", "--header", "x-amz-meta-name: café 日本")
    back = s3.head_object(Bucket=bucket, Key="k")["Metadata"]["name"]
    assert back.isascii() and back.startswith("=?")
    # S3 takes the bytes of a header for Latin-1; its user guide shows the very result ("Working with object metadata").
    meant = str(email.header.make_header(email.header.decode_header(back)))
    assert meant.encode("latin-1").decode() == "café 日本"


def test_the_admin_port_answers_health_readiness_and_metrics(server, s3, bucket, tmp_path):
    s3.list_objects_v2(Bucket=bucket)
    plain = ["curl", "--silent", "--show-error", "--fail", "--max-time", "10"]
    environment = client_environment(server, tmp_path)
    for path in ("/health/live", "/health/ready"):
        run([*plain, f"{server.admin}{path}"], environment)
    metrics = run([*plain, f"{server.admin}/metrics"], environment).stdout.decode()
    samples = [line for line in metrics.splitlines() if line and not line.startswith("#")]
    assert len(samples) > 5 and any("brim" in line for line in samples)
    run([*plain, f"{server.admin}/{bucket}"], environment, status=22)
    assert server.keys.secret_key not in metrics and json.dumps(metrics)
