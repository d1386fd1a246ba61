import json
import uuid

from conftest import client_environment, run, tree
from expect import MIB, noise


def test_backup_check_restore_forget_and_prune(server, s3, tmp_path):
    bucket = f"restic-{uuid.uuid4().hex[:12]}"
    environment = client_environment(
        server, tmp_path, RESTIC_REPOSITORY=f"s3:{server.endpoint}/{bucket}/repository", RESTIC_PASSWORD="test",
        AWS_ACCESS_KEY_ID=server.keys.access_key, AWS_SECRET_ACCESS_KEY=server.keys.secret_key, RESTIC_CACHE_DIR=str(tmp_path / "cache"),
    )

    def restic(*words):
        return run(["restic", *words], environment, cwd=tmp_path).stdout

    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "large").write_bytes(noise(9 * MIB))
    (source / "sub" / "small").write_bytes(b"small")
    restic("init")
    restic("backup", "source")
    first = tree(source)
    (source / "large").write_bytes(noise(7 * MIB, 2))
    restic("backup", "source")
    assert len(json.loads(restic("snapshots", "--json"))) == 2
    restic("check", "--read-data")
    oldest = json.loads(restic("snapshots", "--json"))[0]["short_id"]
    restic("restore", oldest, "--target", "restored")
    assert tree(tmp_path / "restored" / "source") == first
    restic("forget", "--keep-last", "1", "--prune")
    restic("check", "--read-data")
    restic("restore", "latest", "--target", "again")
    assert tree(tmp_path / "again" / "source") == tree(source)
    assert s3.list_objects_v2(Bucket=bucket, Prefix="repository/")["KeyCount"] > 4
