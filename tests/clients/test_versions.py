"""Versions with boto3 and `aws s3api`: what they write, delete, list and restore."""

import json
import uuid

import pytest
from conftest import client_environment, run
from expect import MIB, body_of, fails, multipart_etag, noise
from test_aws_cli import V1, V2


@pytest.fixture
def versioned(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def listed(s3, bucket, **parameters):
    """Every version and delete marker of all pages, as (key, version id, is a marker, is the latest)."""
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **parameters):
        for kind in ("Versions", "DeleteMarkers"):
            found += [(one["Key"], one["VersionId"], kind == "DeleteMarkers", one["IsLatest"]) for one in page.get(kind, [])]
    return found


def test_every_write_makes_a_version_that_can_be_read(s3, versioned):
    made = [s3.put_object(Bucket=versioned, Key="k", Body=noise(size))["VersionId"] for size in (0, 10, 100_000)]
    for version, size in zip(made, (0, 10, 100_000)):
        answer = s3.get_object(Bucket=versioned, Key="k", VersionId=version)
        assert body_of(answer) == noise(size) and answer["VersionId"] == version
        head = s3.head_object(Bucket=versioned, Key="k", VersionId=version)
        assert head["ContentLength"] == size and head["VersionId"] == version
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == made[2]
    assert [version for _, version, _, _ in listed(s3, versioned)] == made[::-1]
    assert s3.get_bucket_versioning(Bucket=versioned)["Status"] == "Enabled"
    attributes = s3.get_object_attributes(Bucket=versioned, Key="k", VersionId=made[1], ObjectAttributes=["ObjectSize"])
    assert attributes["ObjectSize"] == 10 and attributes["VersionId"] == made[1]


def test_a_deleted_object_comes_back_with_its_marker_gone(s3, versioned):
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"kept")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"] and marker["VersionId"] != version
    hidden = fails("NoSuchKey", 404, s3.get_object, Bucket=versioned, Key="k")
    assert hidden["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    fails("MethodNotAllowed", 405, s3.get_object, Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    fails("405", 405, s3.head_object, Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    removed = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert removed["DeleteMarker"] and removed["VersionId"] == marker["VersionId"]
    assert body_of(s3.get_object(Bucket=versioned, Key="k")) == b"kept"


def test_an_older_version_is_restored_by_copying_it(s3, versioned):
    old = s3.put_object(Bucket=versioned, Key="k", Body=b"old", Metadata={"a": "b"})["VersionId"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"new")
    copied = s3.copy_object(Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": old})
    assert copied["CopySourceVersionId"] == old and copied["VersionId"] != old
    restored = s3.get_object(Bucket=versioned, Key="k")
    assert body_of(restored) == b"old" and restored["Metadata"] == {"a": "b"}
    assert len(listed(s3, versioned)) == 3


def test_what_was_there_before_is_the_null_version(s3, bucket):
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"]
    assert body_of(s3.get_object(Bucket=bucket, Key="k", VersionId="null")) == b"before"
    assert listed(s3, bucket) == [("k", new, False, True), ("k", "null", False, False)]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=new)
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"before"


def test_a_multipart_upload_becomes_one_version(s3, versioned):
    s3.put_object(Bucket=versioned, Key="k", Body=b"before")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    parts = [noise(5 * MIB, 1), noise(10, 2)]
    etags = [
        {"PartNumber": n, "ETag": s3.upload_part(Bucket=versioned, Key="k", UploadId=upload, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(parts, 1)
    ]
    done = s3.complete_multipart_upload(Bucket=versioned, Key="k", UploadId=upload, MultipartUpload={"Parts": etags})
    answer = s3.get_object(Bucket=versioned, Key="k", VersionId=done["VersionId"])
    assert answer["ETag"] == multipart_etag(parts) and body_of(answer) == b"".join(parts)
    assert len(listed(s3, versioned)) == 2


def test_a_bucket_is_emptied_page_by_page(s3, versioned):
    for key in ("a", "b", "b", "c/1", "c/2", "a"):
        s3.put_object(Bucket=versioned, Key=key, Body=b"")
    s3.delete_object(Bucket=versioned, Key="a")
    everything = listed(s3, versioned)
    assert sorted(everything) == sorted(listed(s3, versioned, PaginationConfig={"PageSize": 2}))
    assert len(everything) == 7 and sum(latest for *_, latest in everything) == 4
    folded = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [one["Prefix"] for one in folded["CommonPrefixes"]] == ["c/"] and len(folded["Versions"]) == 4
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket=versioned)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": 2}):
        names = [{"Key": one["Key"], "VersionId": one["VersionId"]} for kind in ("Versions", "DeleteMarkers") for one in page.get(kind, [])]
        gone = s3.delete_objects(Bucket=versioned, Delete={"Objects": names})
        assert "Errors" not in gone and len(gone["Deleted"]) == len(names)
    assert listed(s3, versioned) == []
    s3.delete_bucket(Bucket=versioned)


def test_deleting_many_says_what_became_of_each(s3, versioned):
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"")["VersionId"]
    (marked,) = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k"}]})["Deleted"]
    assert marked["DeleteMarker"] and "VersionId" not in marked
    both = [{"Key": "k", "VersionId": marked["DeleteMarkerVersionId"]}, {"Key": "k", "VersionId": version}]
    first, second = s3.delete_objects(Bucket=versioned, Delete={"Objects": both})["Deleted"]
    assert first["DeleteMarker"] and first["VersionId"] == first["DeleteMarkerVersionId"] == both[0]["VersionId"]
    assert second["VersionId"] == version and "DeleteMarker" not in second
    (refused,) = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k", "VersionId": "x"}]})["Errors"]
    assert refused["Code"] == "InvalidArgument"
    assert listed(s3, versioned) == []


def test_suspended_versioning_keeps_one_null_version(s3, versioned):
    kept = s3.put_object(Bucket=versioned, Key="k", Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    for body in (b"one", b"two"):
        assert s3.put_object(Bucket=versioned, Key="k", Body=body)["VersionId"] == "null"
    assert listed(s3, versioned) == [("k", "null", False, True), ("k", kept, False, False)]
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert deleted["DeleteMarker"] and deleted["VersionId"] == "null"
    s3.delete_object(Bucket=versioned, Key="k", VersionId="null")
    assert body_of(s3.get_object(Bucket=versioned, Key="k")) == b"kept"
    fails("NotImplemented", 501, s3.put_bucket_versioning, Bucket=versioned, MFA="x 1", VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"})


@pytest.mark.parametrize("program", [V1, V2], ids=["v1", "v2"])
def test_the_cli_versions_an_object_and_restores_it(program, server, tmp_path):
    def api(operation, *words, status=0):
        words = [program, "--endpoint-url", server.endpoint, "--output", "json", "s3api", operation, *map(str, words)]
        done = run(words, environment, status=status)
        return json.loads(done.stdout) if status == 0 and done.stdout.strip() else done.stderr.decode()

    environment, bucket = client_environment(server, tmp_path), f"cli-{uuid.uuid4().hex[:12]}"
    at = ("--bucket", bucket, "--key", "k")
    api("create-bucket", "--bucket", bucket)
    api("put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")
    assert api("get-bucket-versioning", "--bucket", bucket)["Status"] == "Enabled"
    made = []
    for body in ("one", "two"):
        (tmp_path / body).write_text(body)
        made.append(api("put-object", *at, "--body", tmp_path / body)["VersionId"])
    marker = api("delete-object", *at)
    assert marker["DeleteMarker"] is True
    versions = api("list-object-versions", "--bucket", bucket)
    assert [one["VersionId"] for one in versions["Versions"]] == made[::-1]
    assert [one["VersionId"] for one in versions["DeleteMarkers"]] == [marker["VersionId"]]
    assert api("list-object-versions", "--bucket", bucket, "--max-items", "1")["NextToken"]
    assert "NoSuchKey" in api("get-object", *at, tmp_path / "out", status=(254, 255))
    api("get-object", *at, "--version-id", made[0], tmp_path / "out")
    assert (tmp_path / "out").read_text() == "one"
    api("delete-object", *at, "--version-id", marker["VersionId"])
    api("get-object", *at, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "two"
    for version in made:
        api("delete-object", *at, "--version-id", version)
    api("delete-bucket", "--bucket", bucket)
