"""`aws s3` and `aws s3api` of both generations: the newest v1 from PyPI and the distribution's v2."""

import json
import os
import shutil
import sys
import uuid
from pathlib import Path

import pytest
from conftest import client_environment, run, stored, tree
from expect import MIB, checksum, composite, md5, multipart_etag, noise

V1 = Path(sys.executable).parent / "aws"
V2 = Path("/usr/bin/aws")


class Aws:
    """The aws CLI against the server under test."""

    def __init__(self, program, server, home):
        self.program, self.server, self.home = program, server, home
        self.newest = program == V1
        self.environment = client_environment(server, home)
        Path(self.environment["AWS_CONFIG_FILE"]).write_text(
            "[default]\nregion = us-east-1\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n"
        )

    def __call__(self, *words, status=0, stdin=b"", cwd=None):
        words = ["--endpoint-url", self.server.endpoint, "--output", "json", *words]
        return run([self.program, *words], self.environment, status=status, stdin=stdin, cwd=cwd).stdout

    def s3(self, *words, **options):
        return self("s3", *words, **options).decode()

    def api(self, operation, *words, status=0):
        answer = self("s3api", operation, *words, status=status)
        return json.loads(answer) if answer.strip() else {}

    def refused(self, code, operation, *words):
        """Runs an operation that must fail with this S3 code (the CLI ends with 254; old ones with 255)."""
        done = run(
            [self.program, "--endpoint-url", self.server.endpoint, "s3api", operation, *map(str, words)], self.environment, status=(254, 255)
        )
        assert f"({code})" in done.stderr.decode(), done.stderr.decode()


@pytest.fixture(params=[V1, V2], ids=["v1", "v2"])
def aws(request, server, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Aws(request.param, server, home)


def fresh():
    return f"cli-{uuid.uuid4().hex[:12]}"


def test_the_two_programs_are_two_generations(aws):
    version = run([aws.program, "--version"], aws.environment).stdout.decode()
    assert version.startswith("aws-cli/1." if aws.newest else "aws-cli/2.")


def test_buckets_are_made_listed_and_removed(aws):
    name = fresh()
    assert f"make_bucket: {name}" in aws.s3("mb", f"s3://{name}")
    assert name in aws.s3("ls")
    aws.s3("rb", f"s3://{name}")
    assert name not in aws.s3("ls")


@pytest.mark.parametrize("size", [0, 11, 20 * MIB], ids=["empty", "small", "multipart"])
def test_cp_up_and_down(aws, s3, bucket, tmp_path, size):
    data = noise(size)
    (tmp_path / "up").write_bytes(data)
    aws.s3("cp", tmp_path / "up", f"s3://{bucket}/dir/a key+", "--no-progress")
    head = s3.head_object(Bucket=bucket, Key="dir/a key+")
    pieces = [data[start : start + 5 * MIB] for start in range(0, size, 5 * MIB)]
    assert head["ETag"] == (multipart_etag(pieces) if size > MIB else f'"{md5(data)}"')
    aws.s3("cp", f"s3://{bucket}/dir/a key+", tmp_path / "down", "--no-progress")
    assert (tmp_path / "down").read_bytes() == data
    aws.s3("cp", f"s3://{bucket}/dir/a key+", f"s3://{bucket}/copy", "--no-progress")
    assert aws("s3", "cp", f"s3://{bucket}/copy", "-") == data


def test_cp_reads_a_pipe(aws, s3, bucket):
    data = noise(6 * MIB)
    aws.s3("cp", "-", f"s3://{bucket}/piped", stdin=data)
    assert stored(s3, bucket) == {"piped": data}


def files(root):
    """A small tree with names that are easy to get wrong."""
    for name in ("a.txt", "sub/b.bin", "sub/deep/ü é+%2F.txt", "with space", "empty"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else noise(5000, name))
    return tree(root)


def test_sync_both_ways_with_delete(aws, s3, bucket, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    expected = files(source)
    aws.s3("sync", source, f"s3://{bucket}/tree", "--no-progress")
    assert stored(s3, bucket) == {f"tree/{name}": body for name, body in expected.items()}
    assert aws.s3("sync", source, f"s3://{bucket}/tree", "--no-progress") == "", "a second sync has nothing to do"
    aws.s3("sync", f"s3://{bucket}/tree", target, "--no-progress")
    assert tree(target) == expected
    (source / "a.txt").unlink()
    (source / "new").write_bytes(b"new")
    aws.s3("sync", source, f"s3://{bucket}/tree", "--delete", "--no-progress")
    expected = tree(source)
    assert stored(s3, bucket) == {f"tree/{name}": body for name, body in expected.items()}
    aws.s3("sync", f"s3://{bucket}/tree", target, "--delete", "--no-progress")
    assert tree(target) == expected


def test_mv_ls_and_rm_recursive(aws, s3, bucket, tmp_path):
    source = tmp_path / "source"
    expected = files(source)
    aws.s3("mv", source, f"s3://{bucket}/in", "--recursive", "--no-progress")
    assert tree(source) == {}
    aws.s3("mv", f"s3://{bucket}/in/a.txt", f"s3://{bucket}/moved", "--no-progress")
    listed = aws.s3("ls", f"s3://{bucket}/")
    assert "PRE in/" in listed and "5000 moved" in listed
    recursive = aws.s3("ls", f"s3://{bucket}", "--recursive", "--summarize")
    assert "Total Objects: 5" in recursive and "in/sub/deep/ü é+%2F.txt" in recursive
    aws.s3("mv", f"s3://{bucket}/moved", tmp_path / "back", "--no-progress")
    assert (tmp_path / "back").read_bytes() == expected["a.txt"]
    aws.s3("rm", f"s3://{bucket}/in/empty")
    aws.s3("rm", f"s3://{bucket}/in", "--recursive")
    assert stored(s3, bucket) == {}


def test_rb_force_empties_the_bucket(aws, tmp_path):
    name = fresh()
    aws.s3("mb", f"s3://{name}")
    files(tmp_path / "source")
    aws.s3("cp", tmp_path / "source", f"s3://{name}", "--recursive", "--no-progress")
    aws.s3("rb", f"s3://{name}", status=1)
    aws.s3("rb", f"s3://{name}", "--force")
    assert name not in aws.s3("ls")


def test_presigned_urls_are_good_for_curl(aws, s3, bucket, tmp_path):
    data = noise(70_000)
    s3.put_object(Bucket=bucket, Key="a b+", Body=data)
    url = aws.s3("presign", f"s3://{bucket}/a b+", "--expires-in", "60").strip()
    curl = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30"]
    assert run([*curl, url], aws.environment).stdout == data
    run([*curl, url.replace("Expires=", "Expires=1")], aws.environment, status=22)


def test_s3api_buckets(aws):
    name = fresh()
    created = aws.api("create-bucket", "--bucket", name, "--create-bucket-configuration", "LocationConstraint=us-east-1")
    assert created["Location"] == f"/{name}"
    aws.api("head-bucket", "--bucket", name)
    assert aws.api("get-bucket-location", "--bucket", name) == {"LocationConstraint": None}
    assert name in [entry["Name"] for entry in aws.api("list-buckets")["Buckets"]]
    if aws.newest:
        paged = aws.api("list-buckets", "--prefix", name[:-1], "--page-size", "1", "--max-items", "5")
        assert [entry["Name"] for entry in paged["Buckets"]] == [name]
    aws.api("delete-bucket", "--bucket", name)
    aws.refused("404", "head-bucket", "--bucket", name)
    aws.refused("NoSuchBucket", "delete-bucket", "--bucket", name)


def test_s3api_objects(aws, bucket, tmp_path):
    here = ["--bucket", bucket, "--key"]
    data = noise(1000)
    (tmp_path / "body").write_bytes(data)
    put = aws.api("put-object", *here, "k", "--body", tmp_path / "body", "--content-type", "text/x-cli", "--metadata", "a=1,b=2", "--cache-control", "no-store")
    assert put["ETag"] == f'"{md5(data)}"'
    head = aws.api("head-object", *here, "k")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"], head["CacheControl"]) == (1000, "text/x-cli", {"a": "1", "b": "2"}, "no-store")
    ranged = aws.api("get-object", *here, "k", "--range", "bytes=10-19", tmp_path / "part")
    assert (ranged["ContentRange"], (tmp_path / "part").read_bytes()) == ("bytes 10-19/1000", data[10:20])
    aws.api("get-object", *here, "k", "--part-number", "1", "--if-match", put["ETag"], tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == data
    aws.refused("PreconditionFailed", "get-object", *here, "k", "--if-match", '"00"', tmp_path / "none")
    aws.refused("304", "get-object", *here, "k", "--if-none-match", put["ETag"], tmp_path / "none")
    aws.refused("InvalidRange", "get-object", *here, "k", "--range", "bytes=1000-", tmp_path / "none")
    aws.refused("NoSuchKey", "get-object", *here, "absent", tmp_path / "none")
    attributes = aws.api("get-object-attributes", *here, "k", "--object-attributes", "ETag", "ObjectSize", "StorageClass")
    assert (attributes["ETag"], attributes["ObjectSize"], attributes["StorageClass"]) == (md5(data), 1000, "STANDARD")
    aws.api("put-object", *here, "dir/")
    aws.api("delete-object", *here, "dir/")
    quiet = aws.api("delete-objects", "--bucket", bucket, "--delete", json.dumps({"Objects": [{"Key": "k"}, {"Key": "absent"}], "Quiet": True}))
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert aws.api("list-objects-v2", "--bucket", bucket).get("Contents") is None


def test_s3api_copies(aws, bucket, tmp_path):
    here = ["--bucket", bucket, "--key"]
    (tmp_path / "body").write_bytes(b"copied")
    etag = aws.api("put-object", *here, "k", "--body", tmp_path / "body", "--metadata", "a=1")["ETag"]
    copy = ["copy-object", *here, "to", "--copy-source", f"{bucket}/k"]
    conditions = [
        "--copy-source-if-match", etag, "--copy-source-if-none-match", '"00"',
        "--copy-source-if-modified-since", "2020-01-01T00:00:00Z", "--copy-source-if-unmodified-since", "2090-01-01T00:00:00Z",
    ]
    kept = aws.api(*copy, *conditions, "--metadata-directive", "COPY", "--tagging-directive", "COPY")
    assert kept["CopyObjectResult"]["ETag"] == etag
    aws.api(*copy, "--metadata-directive", "REPLACE", "--metadata", "b=2", "--content-type", "text/x-b")
    head = aws.api("head-object", *here, "to")
    assert (head["Metadata"], head["ContentType"]) == ({"b": "2"}, "text/x-b")
    aws.refused("PreconditionFailed", *copy, "--copy-source-if-match", '"00"')
    aws.refused("PreconditionFailed", *copy, "--copy-source-if-none-match", etag)
    aws.refused("PreconditionFailed", *copy, "--copy-source-if-unmodified-since", "2020-01-01T00:00:00Z")
    if aws.newest:
        aws.refused("PreconditionFailed", *copy, "--if-none-match", "*")
        aws.api("rename-object", *here, "renamed", "--rename-source", "to")
        aws.refused("404", "head-object", *here, "to")
        assert aws.api("head-object", *here, "renamed")["ETag"] == etag


def test_s3api_listings(aws, s3, bucket):
    for key in ("a/1", "a/2", "b", "c d", "e"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    v1 = aws.api("list-objects", "--bucket", bucket, "--delimiter", "/", "--no-paginate", "--max-keys", "2", "--marker", "a/2")
    assert [entry["Key"] for entry in v1["Contents"]] == ["b", "c d"]
    v2 = aws.api(
        "list-objects-v2", "--bucket", bucket, "--delimiter", "/", "--prefix", "", "--fetch-owner", "--encoding-type", "url",
        "--start-after", "b", "--no-paginate", "--max-keys", "1",
    )
    assert len(v2["Contents"]) == 1 and v2["Contents"][0]["Owner"]["ID"]
    assert v2["Contents"][0]["Key"] in ("c+d", "c%20d"), "the CLI leaves an encoding that it was told to ask for"
    assert v2["IsTruncated"] and v2["KeyCount"] == 1
    following = aws.api("list-objects-v2", "--bucket", bucket, "--continuation-token", v2["NextContinuationToken"], "--no-paginate")
    assert [entry["Key"] for entry in following["Contents"]] == ["e"]
    paged = aws.api("list-objects-v2", "--bucket", bucket, "--page-size", "2")
    assert [entry["Key"] for entry in paged["Contents"]] == ["a/1", "a/2", "b", "c d", "e"]
    aws.refused("NoSuchBucket", "list-objects-v2", "--bucket", fresh())


def test_s3api_multipart(aws, s3, bucket, tmp_path):
    here = ["--bucket", bucket, "--key", "k"]
    pieces = [noise(5 * MIB, 1), noise(100, 2)]
    for number, data in enumerate(pieces):
        (tmp_path / f"part{number}").write_bytes(data)
    s3.put_object(Bucket=bucket, Key="source", Body=pieces[0] + b"tail")
    upload = aws.api("create-multipart-upload", *here, "--content-type", "text/x-parts")["UploadId"]
    this = [*here, "--upload-id", upload]
    first = aws.api("upload-part-copy", *this, "--part-number", "1", "--copy-source", f"{bucket}/source", "--copy-source-range", f"bytes=0-{5 * MIB - 1}")
    second = aws.api("upload-part", *this, "--part-number", "2", "--body", tmp_path / "part1")
    assert (first["CopyPartResult"]["ETag"], second["ETag"]) == tuple(f'"{md5(data)}"' for data in pieces)
    listed = aws.api("list-parts", *this)
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [(1, 5 * MIB), (2, 100)]
    uploads = aws.api("list-multipart-uploads", "--bucket", bucket)["Uploads"]
    assert [(entry["Key"], entry["UploadId"]) for entry in uploads] == [("k", upload)]
    one, two = ({"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in listed["Parts"])
    aws.refused("InvalidPartOrder", "complete-multipart-upload", *this, "--multipart-upload", json.dumps({"Parts": [two, one]}))
    aws.refused("InvalidPart", "complete-multipart-upload", *this, "--multipart-upload", json.dumps({"Parts": [{**one, "PartNumber": 3}]}))
    done = aws.api("complete-multipart-upload", *this, "--multipart-upload", json.dumps({"Parts": [one, two]}))
    assert done["ETag"] == multipart_etag(pieces)
    assert stored(s3, bucket, "k") == {"k": pieces[0] + pieces[1]}
    aws.api("get-object", *here, "--part-number", "2", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == pieces[1]
    aborted = aws.api("create-multipart-upload", *here)["UploadId"]
    aws.api("abort-multipart-upload", *here, "--upload-id", aborted)
    aws.refused("NoSuchUpload", "list-parts", *here, "--upload-id", aborted)


OPTIONS = {"CRC32": "crc32", "CRC32C": "crc32-c", "CRC64NVME": "crc64-nvme", "SHA1": "sha1", "SHA256": "sha256"}


@pytest.mark.parametrize("algorithm", OPTIONS)
def test_s3api_checksums(aws, bucket, tmp_path, algorithm):
    if algorithm == "CRC64NVME" and not aws.newest:
        # CRC64NVME is younger than the distribution's v2, which must still read such an object.
        run([V1, "--endpoint-url", aws.server.endpoint, "s3api", "put-object", "--bucket", bucket, "--key", "k", "--checksum-crc64-nvme", checksum(algorithm, b"x"), "--body", body(tmp_path, b"x")], aws.environment)
        assert aws("s3", "cp", f"s3://{bucket}/k", "-") == b"x"
        return
    data = noise(12_345)
    field, option = f"Checksum{algorithm}", f"--checksum-{OPTIONS[algorithm]}"
    here = ["--bucket", bucket, "--key", "k"]
    put = aws.api("put-object", *here, "--body", body(tmp_path, data), option, checksum(algorithm, data))
    assert put[field] == checksum(algorithm, data)
    assert aws.api("head-object", *here, "--checksum-mode", "ENABLED")[field] == checksum(algorithm, data)
    got = aws.api("get-object", *here, "--checksum-mode", "ENABLED", tmp_path / "back")
    assert (got[field], (tmp_path / "back").read_bytes()) == (checksum(algorithm, data), data)
    aws.refused("BadDigest", "put-object", *here, "--body", body(tmp_path, data), option, checksum(algorithm, b"other"))


def body(directory, data):
    path = Path(directory) / "body"
    path.write_bytes(data)
    return path


def test_s3api_full_object_and_composite_multipart_checksums(aws, bucket, tmp_path):
    data = noise(300)
    here = ["--bucket", bucket, "--key", "k"]
    plans = [(["--checksum-algorithm", "SHA256"], "SHA256", composite("SHA256", [data]))]
    if aws.newest:
        plans.append((["--checksum-algorithm", "CRC32", "--checksum-type", "FULL_OBJECT"], "CRC32", checksum("CRC32", data)))
    for options, algorithm, expected in plans:
        this = [*here, "--upload-id", aws.api("create-multipart-upload", *here, *options)["UploadId"]]
        part = aws.api("upload-part", *this, "--part-number", "1", "--body", body(tmp_path, data), "--checksum-algorithm", algorithm)
        assert part[f"Checksum{algorithm}"] == checksum(algorithm, data)
        entry = {"PartNumber": 1, "ETag": part["ETag"], f"Checksum{algorithm}": checksum(algorithm, data)}
        done = aws.api("complete-multipart-upload", *this, "--multipart-upload", json.dumps({"Parts": [entry]}))
        assert done[f"Checksum{algorithm}"] == expected


def test_s3api_conditional_writes(aws, bucket, tmp_path):
    if not aws.newest:
        pytest.skip("conditional writes are younger than the distribution's v2")
    here = ["--bucket", bucket, "--key", "k", "--body", body(tmp_path, b"v")]
    etag = aws.api("put-object", *here, "--if-none-match", "*")["ETag"]
    aws.refused("PreconditionFailed", "put-object", *here, "--if-none-match", "*")
    aws.refused("PreconditionFailed", "put-object", *here, "--if-match", '"00"')
    aws.api("put-object", *here, "--if-match", etag)
    aws.refused("PreconditionFailed", "delete-object", "--bucket", bucket, "--key", "k", "--if-match", '"00"')
    aws.api("delete-object", "--bucket", bucket, "--key", "k", "--if-match", etag)


def test_the_commands_of_the_demo_work_as_printed(aws, s3, bucket, tmp_path):
    """`make demo` prints these forms: credentials by environment, no configuration file at all."""
    environment = {name: aws.environment[name] for name in ("PATH", "HOME", "LANG", "AWS_SHARED_CREDENTIALS_FILE")}
    expected = files(tmp_path / "dir")
    command = [aws.program, "--endpoint-url", aws.server.endpoint, "s3"]
    run([*command, "sync", "./dir", f"s3://{bucket}"], environment, cwd=tmp_path)
    assert stored(s3, bucket) == expected
    shutil.rmtree(tmp_path / "dir")
    assert b"a.txt" in run([*command, "ls", f"s3://{bucket}"], environment).stdout
    assert run([*command, "presign", f"s3://{bucket}/a.txt"], environment).stdout.startswith(os.fsencode(aws.server.endpoint))
