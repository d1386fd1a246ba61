import uuid

import pytest
from conftest import client_environment, run, stored, tree
from expect import MIB, md5, noise


@pytest.fixture
def s3cmd(server, tmp_path):
    secure = server.endpoint.startswith("https://")
    (tmp_path / "s3cfg").write_text(
        f"[default]\naccess_key = {server.keys.access_key}\nsecret_key = {server.keys.secret_key}\n"
        f"host_base = {server.host}:{server.port}\nhost_bucket = {server.host}:{server.port}\nuse_https = {secure}\n"
        "multipart_chunk_size_mb = 5\nmax_retries = 1\n"
    )
    environment = client_environment(server, tmp_path)
    return lambda *words, **options: run(["s3cmd", "--config", tmp_path / "s3cfg", "--no-progress", *words], environment, **options).stdout.decode()


def test_a_bucket_from_making_to_removing(s3cmd, tmp_path):
    url = f"s3://s3cmd-{uuid.uuid4().hex[:12]}"
    s3cmd("mb", url)
    assert url in s3cmd("ls")
    (tmp_path / "f").write_bytes(b"v")
    s3cmd("put", tmp_path / "f", f"{url}/f")
    s3cmd("del", f"{url}/f")
    s3cmd("rb", url)
    assert url not in s3cmd("ls")


@pytest.mark.parametrize("size", [0, 1000, 11 * MIB], ids=["empty", "small", "multipart"])
def test_put_info_get_and_del(s3cmd, s3, bucket, tmp_path, size):
    data = noise(size)
    (tmp_path / "up").write_bytes(data)
    s3cmd("put", tmp_path / "up", f"s3://{bucket}/dir/ü +")
    assert stored(s3, bucket) == {"dir/ü +": data}
    info = s3cmd("info", f"s3://{bucket}/dir/ü +")
    assert f"File size: {size}" in info and md5(data) in info
    s3cmd("get", f"s3://{bucket}/dir/ü +", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data
    s3cmd("cp", f"s3://{bucket}/dir/ü +", f"s3://{bucket}/copy")
    assert stored(s3, bucket, "copy") == {"copy": data}
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}")
    assert stored(s3, bucket) == {}


def test_sync_both_ways(s3cmd, s3, bucket, tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_bytes(noise(100))
    (source / "sub" / "b c").write_bytes(noise(70_000))
    s3cmd("sync", f"{source}/", f"s3://{bucket}/")
    assert stored(s3, bucket) == tree(source)
    assert "upload:" not in s3cmd("sync", f"{source}/", f"s3://{bucket}/")
    (tmp_path / "target").mkdir()
    s3cmd("sync", f"s3://{bucket}/", f"{tmp_path}/target/")
    assert tree(tmp_path / "target") == tree(source)
    (source / "a.txt").unlink()
    s3cmd("sync", "--delete-removed", f"{source}/", f"s3://{bucket}/")
    assert stored(s3, bucket) == tree(source)
