import uuid

import pytest
from conftest import connect, new_bucket
from expect import body_of, fails


def test_a_bucket_is_created_found_listed_and_deleted(s3):
    name = new_bucket(s3)
    head = s3.head_bucket(Bucket=name)
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    listed = s3.list_buckets()
    assert name in [entry["Name"] for entry in listed["Buckets"]]
    assert listed["Owner"]["ID"]
    s3.delete_bucket(Bucket=name)
    fails("404", 404, s3.head_bucket, Bucket=name)
    fails("NoSuchBucket", 404, s3.delete_bucket, Bucket=name)
    fails("NoSuchBucket", 404, s3.get_bucket_location, Bucket=name)


def test_creating_ones_own_bucket_again_leaves_it_as_it_is(s3, bucket):
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    try:
        s3.create_bucket(Bucket=bucket)  # 200 in us-east-1 on AWS
    except s3.exceptions.BucketAlreadyOwnedByYou as refused:
        assert refused.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert body_of(s3.get_object(Bucket=bucket, Key="kept")) == b"kept"


@pytest.mark.parametrize("name", ["ab", "Upper-case", "under_score", "a" * 64, "192.168.5.4", "two..dots", "-dash", "dash-", "xn--name"])
def test_a_bad_bucket_name_is_refused(s3, name):
    fails("InvalidBucketName", 400, s3.create_bucket, Bucket=name)


def test_a_bucket_with_objects_or_uploads_is_handled_as_s3_does(s3, bucket):
    s3.put_object(Bucket=bucket, Key="one", Body=b"")
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="one")
    s3.delete_bucket(Bucket=bucket)
    fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket=bucket)


def test_a_bucket_made_again_under_the_same_name_is_empty(s3, bucket):
    s3.put_object(Bucket=bucket, Key="old", Body=b"old")
    s3.delete_object(Bucket=bucket, Key="old")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    fails("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="old")


def test_buckets_are_listed_by_pages_and_by_prefix(s3):
    stem = f"paged-{uuid.uuid4().hex[:8]}-"
    names = [f"{stem}{number:02}" for number in range(7)]
    for name in names:
        s3.create_bucket(Bucket=name)
    seen, token, pages = [], {}, 0
    while True:
        page = s3.list_buckets(Prefix=stem, MaxBuckets=3, **token)
        assert len(page["Buckets"]) <= 3
        assert page["Prefix"] == stem
        seen += [entry["Name"] for entry in page["Buckets"]]
        pages += 1
        if "ContinuationToken" not in page:
            break
        token = {"ContinuationToken": page["ContinuationToken"]}
    assert (seen, pages) == (names, 3)


def test_a_location_constraint_of_another_region_is_refused(s3):
    name = f"test-{uuid.uuid4().hex[:16]}"
    fails(
        ("IllegalLocationConstraintException", "InvalidLocationConstraint"), 400,
        s3.create_bucket, Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"},
    )
    fails("404", 404, s3.head_bucket, Bucket=name)


NOT_CONFIGURED = {
    "get_bucket_policy": "NoSuchBucketPolicy",
    "get_bucket_cors": "NoSuchCORSConfiguration",
    "get_bucket_lifecycle_configuration": "NoSuchLifecycleConfiguration",
    "get_bucket_tagging": "NoSuchTagSet",
    "get_bucket_encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
    "get_public_access_block": "NoSuchPublicAccessBlockConfiguration",
    "get_bucket_replication": "ReplicationConfigurationNotFoundError",
    "get_bucket_website": "NoSuchWebsiteConfiguration",
}


@pytest.mark.parametrize("operation", NOT_CONFIGURED)
def test_what_terraform_reads_after_creating_a_bucket_has_s3s_own_code(s3, bucket, operation):
    fails(NOT_CONFIGURED[operation], 404, getattr(s3, operation), Bucket=bucket)
    fails("NoSuchBucket", 404, getattr(s3, operation), Bucket=f"absent-{uuid.uuid4().hex}")


@pytest.mark.parametrize(
    "operation, parameters",
    [
        ("put_bucket_encryption", {"ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}}),
        ("put_bucket_lifecycle_configuration", {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}}),
        ("put_object_lock_configuration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
        ("put_bucket_replication", {"ReplicationConfiguration": {"Role": "r", "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::x"}}]}}),
        ("restore_object", {"Key": "kept", "RestoreRequest": {"Days": 1}}),
        ("put_object_retention", {"Key": "kept", "Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": "2030-01-01"}}),
        ("put_object_legal_hold", {"Key": "kept", "LegalHold": {"Status": "ON"}}),
        ("get_object_torrent", {"Key": "kept"}),
        ("select_object_content", {"Key": "kept", "Expression": "select 1", "ExpressionType": "SQL", "InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}}}),
    ],
)
def test_an_operation_we_do_not_have_says_so_and_changes_nothing(s3, bucket, operation, parameters):
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    fails("NotImplemented", 501, getattr(s3, operation), Bucket=bucket, **parameters)
    assert body_of(s3.get_object(Bucket=bucket, Key="kept")) == b"kept"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_virtual_hosted_and_path_style_reach_the_same_bucket(server, s3, bucket):
    hosted = connect(server, style="virtual", endpoint=f"http://s3.localhost:{server.port}")
    hosted.put_object(Bucket=bucket, Key="a//b/../c", Body=b"hosted")
    assert body_of(s3.get_object(Bucket=bucket, Key="a//b/../c")) == b"hosted"
    assert [entry["Key"] for entry in hosted.list_objects_v2(Bucket=bucket)["Contents"]] == ["a//b/../c"]
    hosted.delete_object(Bucket=bucket, Key="a//b/../c")
    hosted.delete_bucket(Bucket=bucket)
    fails("404", 404, s3.head_bucket, Bucket=bucket)


def test_any_region_in_the_credential_scope_is_accepted(server, bucket):
    other = connect(server, region="eu-central-1")
    other.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert body_of(other.get_object(Bucket=bucket, Key="k")) == b"v"
