"""The everyday work of every client once more, over HTTPS, with a private authority."""

import urllib.parse

import pytest
from authority import Authority
from brim import Brim
from conftest import client_environment, connect, run
from expect import MIB, body_of, checksum, noise
from test_aws_cli import aws  # noqa: F401
from test_aws_cli import test_cp_up_and_down as test_aws_cp  # noqa: F401
from test_aws_cli import test_s3api_checksums as test_aws_checksums  # noqa: F401
from test_aws_cli import test_sync_both_ways_with_delete as test_aws_sync  # noqa: F401
from test_curl import curl  # noqa: F401
from test_curl import test_curl_signs_puts_gets_lists_and_deletes as test_curl  # noqa: F401
from test_javascript import node  # noqa: F401
from test_javascript import test_lib_storage_uploads_a_stream_by_parts as test_js_parts  # noqa: F401
from test_javascript import test_minio_js_puts_gets_stats_lists_copies_and_removes as test_minio_js  # noqa: F401
from test_javascript import test_the_sdk_gets_lists_copies_deletes_and_presigns as test_js_objects  # noqa: F401
from test_javascript import test_the_sdk_puts_a_stream_without_a_length as test_js_stream  # noqa: F401
from test_rclone import rclone, source  # noqa: F401
from test_rclone import test_copy_check_and_back as test_rclone_copy  # noqa: F401
from test_rclone import test_mkdir_and_streaming_upload as test_rclone_stream  # noqa: F401
from test_restic import test_backup_check_restore_forget_and_prune as test_restic  # noqa: F401
from test_s3cmd import s3cmd  # noqa: F401
from test_s3cmd import test_put_info_get_and_del as test_s3cmd  # noqa: F401


class Secure:
    """A server as clients see it that know only its HTTPS address and its authority."""

    def __init__(self, server, authority):
        address = urllib.parse.urlsplit(server.secure_endpoint)
        self.host, self.port = "localhost", address.port
        self.endpoint = f"https://{self.host}:{self.port}"
        self.authority = authority.path
        self.keys, self.credentials_file = server.keys, server.credentials_file


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("secure")
    authority = Authority(directory)
    authority.issue("localhost", "DNS:localhost", "IP:127.0.0.1")
    authority.issue("buckets", "DNS:*.s3.localhost")
    (directory / "brim.toml").write_text(
        "[[certificate]]\ncert = 'localhost.pem'\nkey = 'localhost.key'\ndefault = true\n"
        "[[certificate]]\ncert = 'buckets.pem'\nkey = 'buckets.key'\n"
    )
    environment = {"BRIM_CONFIG": str(directory / "brim.toml"), "BRIM_S3_TLS_LISTEN": "127.0.0.1:0"}
    running = Brim(directory / "data", environment)
    yield Secure(running, authority)
    assert running.stop() == 0


@pytest.fixture(scope="module")
def s3(server):
    return connect(server)


def test_trailing_checksums_of_unsigned_chunks(s3, bucket, tmp_path):
    sent = {}
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.update(request.headers))
    data = noise(3 * MIB)
    (tmp_path / "file").write_bytes(data)
    with open(tmp_path / "file", "rb") as body:
        answer = s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm="SHA256")
    assert sent["X-Amz-Content-SHA256"].decode() == "STREAMING-UNSIGNED-PAYLOAD-TRAILER", sent
    assert answer["ChecksumSHA256"] == checksum("SHA256", data)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert body_of(got) == data and got["ChecksumSHA256"] == checksum("SHA256", data)


def test_buckets_in_the_host_are_found_by_a_wildcard(server, bucket):
    virtual = connect(server, style="virtual", endpoint=f"https://s3.localhost:{server.port}")
    virtual.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert body_of(virtual.get_object(Bucket=bucket, Key="k")) == b"v"


def test_presigned_urls_are_https(server, s3, bucket, tmp_path):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert url.startswith(server.endpoint)
    environment = client_environment(server, tmp_path)
    assert run(["curl", "--silent", "--show-error", "--fail", url], environment).stdout == b"v"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_both_versions_of_tls(server, tmp_path, version):
    words = ["curl", "--silent", "--verbose", f"--tlsv{version}", "--tls-max", version, f"{server.endpoint}/"]
    done = run(words, client_environment(server, tmp_path))
    assert f"TLSv{version}" in done.stderr.decode() and b"AccessDenied" in done.stdout
    assert "ALPN: server accepted http/1.1" in done.stderr.decode()


def test_older_versions_and_other_authorities_are_refused(server, tmp_path):
    environment = client_environment(server, tmp_path)
    run(["curl", "--silent", "--tls-max", "1.1", f"{server.endpoint}/"], environment, status=35)
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        environment.pop(name)
    run(["curl", "--silent", f"{server.endpoint}/"], environment, status=60)
