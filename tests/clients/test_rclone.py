import pytest
from conftest import client_environment, run, stored, tree
from expect import MIB, noise


@pytest.fixture
def rclone(server, tmp_path):
    environment = client_environment(
        server, tmp_path,
        RCLONE_CONFIG="/dev/null", RCLONE_CONFIG_BRIM_TYPE="s3", RCLONE_CONFIG_BRIM_PROVIDER="Other", RCLONE_CONFIG_BRIM_ENDPOINT=server.endpoint,
        RCLONE_CONFIG_BRIM_ACCESS_KEY_ID=server.keys.access_key, RCLONE_CONFIG_BRIM_SECRET_ACCESS_KEY=server.keys.secret_key,
        RCLONE_CONFIG_BRIM_REGION="us-east-1", RCLONE_RETRIES="1", RCLONE_LOW_LEVEL_RETRIES="1",
        RCLONE_S3_UPLOAD_CUTOFF="5M", RCLONE_S3_CHUNK_SIZE="5M",
        # The SDK inside cannot put this into rclone's own transport; rclone trusts SSL_CERT_FILE.
        AWS_CA_BUNDLE="",
    )
    return lambda *words, **options: run(["rclone", *words], environment, **options).stdout.decode()


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "source"
    for name, size in {"a.txt": 100, "sub/deep/ü é+%2F": 5000, "empty": 0, "two  spaces": 7, "large": 12 * MIB + 1}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(size, name))
    return root


def test_copy_check_and_back(rclone, s3, bucket, source, tmp_path):
    rclone("copy", source, f"brim:{bucket}/tree")
    expected = tree(source)
    assert stored(s3, bucket) == {f"tree/{name}": body for name, body in expected.items()}
    rclone("check", source, f"brim:{bucket}/tree")
    rclone("check", "--download", source, f"brim:{bucket}/tree")
    rclone("copy", f"brim:{bucket}/tree", tmp_path / "back")
    assert tree(tmp_path / "back") == expected
    original = (source / "a.txt").stat().st_mtime
    assert abs((tmp_path / "back" / "a.txt").stat().st_mtime - original) < 0.001, "x-amz-meta-mtime must come back as sent"


def test_sync_removes_what_is_gone(rclone, s3, bucket, source):
    rclone("sync", source, f"brim:{bucket}")
    (source / "a.txt").unlink()
    (source / "empty").write_bytes(b"no longer")
    rclone("sync", source, f"brim:{bucket}")
    assert stored(s3, bucket) == tree(source)
    (source / "large").write_bytes(b"differs")
    rclone("check", source, f"brim:{bucket}", status=1)


def test_ls_lsd_move_and_purge(rclone, s3, bucket, source):
    rclone("copy", source, f"brim:{bucket}")
    listed = rclone("ls", f"brim:{bucket}")
    assert "100 a.txt" in listed and "sub/deep/ü é+%2F" in listed
    assert "sub" in rclone("lsd", f"brim:{bucket}")
    rclone("moveto", f"brim:{bucket}/a.txt", f"brim:{bucket}/moved.txt")
    objects = stored(s3, bucket)
    assert objects["moved.txt"] == noise(100, "a.txt") and "a.txt" not in objects
    rclone("purge", f"brim:{bucket}")
    assert bucket not in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]


def test_mkdir_and_streaming_upload(rclone, s3, bucket):
    data = noise(6 * MIB)
    rclone("rcat", f"brim:{bucket}/streamed", stdin=data)
    assert stored(s3, bucket) == {"streamed": data}
    rclone("mkdir", f"brim:{bucket}-two")
    s3.head_bucket(Bucket=f"{bucket}-two")
