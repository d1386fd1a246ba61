"""Policies, lists and blocks through `aws s3api`, boto3 and a plain HTTP client."""

import json

import pytest
from conftest import connect, new_bucket
from expect import body_of, fails
from test_aws_cli import aws, fresh  # noqa: F401
from test_iam import ACCOUNT, allow, client, credentials_of, new_user, policy, trust
from test_iam import fresh as fresh_name

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": True}


@pytest.fixture
def iam(server):
    return client(server, "iam")


@pytest.fixture
def writers(s3):
    """A bucket in which lists count."""
    name = fresh()
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    return name


def public(bucket, action="s3:GetObject", principal="*", **more):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{bucket}/*", **more}


def principal_arn(kind, name):
    return {"AWS": f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"}


def test_policies_with_the_cli(aws):  # noqa: F811
    bucket = fresh()
    aws.api("create-bucket", "--bucket", bucket)
    aws.refused("NoSuchBucketPolicy", "get-bucket-policy", "--bucket", bucket)
    aws.refused("NoSuchBucketPolicy", "get-bucket-policy-status", "--bucket", bucket)
    document = policy(public(bucket, Sid="Everyone reads"))
    aws.api("put-bucket-policy", "--bucket", bucket, "--policy", document)
    assert aws.api("get-bucket-policy", "--bucket", bucket) == {"Policy": document}
    assert aws.api("get-bucket-policy-status", "--bucket", bucket) == {"PolicyStatus": {"IsPublic": True}}
    inside = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    aws.api("put-bucket-policy", "--bucket", bucket, "--policy", policy(public(bucket, Condition=inside)))
    assert aws.api("get-bucket-policy-status", "--bucket", bucket) == {"PolicyStatus": {"IsPublic": False}}
    aws.refused("MalformedPolicy", "put-bucket-policy", "--bucket", bucket, "--policy", "{")
    aws.api("delete-bucket-policy", "--bucket", bucket)
    aws.refused("NoSuchBucketPolicy", "get-bucket-policy", "--bucket", bucket)


def test_lists_with_the_cli(aws):  # noqa: F811
    bucket = fresh()
    aws.api("create-bucket", "--bucket", bucket, "--object-ownership", "BucketOwnerPreferred")
    aws.api("put-object", "--bucket", bucket, "--key", "key")
    me = aws.api("list-buckets")["Owner"]["ID"]
    full = {"Grantee": {"Type": "CanonicalUser", "ID": me}, "Permission": "FULL_CONTROL"}
    read = {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ"}
    for noun, target in [("bucket", ["--bucket", bucket]), ("object", ["--bucket", bucket, "--key", "key"])]:

        def shown():
            grants = aws.api(f"get-{noun}-acl", *target)["Grants"]  # noqa: B023
            for grant in grants:
                grant["Grantee"].pop("DisplayName", None)
            return grants

        assert shown() == [full]
        aws.api(f"put-{noun}-acl", *target, "--acl", "public-read")
        assert shown() == [full, read]
        aws.api(f"put-{noun}-acl", *target, "--grant-full-control", f"id={me}", "--grant-read-acp", f'uri="{ALL_USERS}"')
        assert shown() == [full, {**read, "Permission": "READ_ACP"}]
        document = {"Owner": {"ID": me}, "Grants": [read]}
        aws.api(f"put-{noun}-acl", *target, "--access-control-policy", json.dumps(document))
        assert shown() == [read]
        unknown = ["--grant-read", "emailAddress=nobody@example.com"]
        aws.refused("UnresolvableGrantByEmailAddress", f"put-{noun}-acl", *target, *unknown)
        aws.refused("InvalidArgument", f"put-{noun}-acl", *target, "--grant-read", f"id={'0' * 64}")
        assert shown() == [read]


def test_public_access_blocks_and_ownership_with_the_cli(aws):  # noqa: F811
    bucket = fresh()
    aws.api("create-bucket", "--bucket", bucket)
    target = ["--bucket", bucket]
    aws.refused("NoSuchPublicAccessBlockConfiguration", "get-public-access-block", *target)
    aws.api("put-public-access-block", *target, "--public-access-block-configuration", json.dumps(BLOCK))
    assert aws.api("get-public-access-block", *target) == {"PublicAccessBlockConfiguration": BLOCK}
    aws.api("delete-public-access-block", *target)
    aws.refused("NoSuchPublicAccessBlockConfiguration", "get-public-access-block", *target)

    def controls(word):
        return {"OwnershipControls": {"Rules": [{"ObjectOwnership": word}]}}

    assert aws.api("get-bucket-ownership-controls", *target) == controls("BucketOwnerEnforced")
    aws.refused("AccessControlListNotSupported", "put-bucket-acl", *target, "--acl", "public-read")
    wanted = ["--ownership-controls", json.dumps(controls("ObjectWriter")["OwnershipControls"])]
    aws.api("put-bucket-ownership-controls", *target, *wanted)
    assert aws.api("get-bucket-ownership-controls", *target) == controls("ObjectWriter")
    aws.api("put-bucket-acl", *target, "--acl", "public-read")
    back = ["--ownership-controls", json.dumps(controls("BucketOwnerEnforced")["OwnershipControls"])]
    aws.refused("InvalidBucketAclWithObjectOwnership", "put-bucket-ownership-controls", *target, *back)
    aws.api("delete-bucket-ownership-controls", *target)
    aws.refused("OwnershipControlsNotFoundError", "get-bucket-ownership-controls", *target)


def test_grants_with_boto3(s3, writers):
    me = s3.list_buckets()["Owner"]["ID"]
    s3.put_object(Bucket=writers, Key="key", Body=b"x", GrantFullControl=f"id={me}", GrantRead=f'uri="{ALL_USERS}"')
    acl = s3.get_object_acl(Bucket=writers, Key="key")
    assert acl["Owner"]["ID"] == me
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL", "READ"]
    assert acl["Grants"][1]["Grantee"] == {"Type": "Group", "URI": ALL_USERS}
    s3.copy_object(Bucket=writers, Key="copy", CopySource=f"{writers}/key", ACL="authenticated-read")
    assert len(s3.get_object_acl(Bucket=writers, Key="copy")["Grants"]) == 2
    upload = s3.create_multipart_upload(Bucket=writers, Key="parts", ACL="public-read")["UploadId"]
    part = s3.upload_part(Bucket=writers, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=writers, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert s3.get_object_acl(Bucket=writers, Key="parts")["Grants"][1]["Grantee"]["URI"] == ALL_USERS
    # What is put in its place has a list of its own.
    s3.put_object(Bucket=writers, Key="parts", Body=b"y")
    assert len(s3.get_object_acl(Bucket=writers, Key="parts")["Grants"]) == 1
    fails("InvalidRequest", 400, s3.put_object_acl, Bucket=writers, Key="key", ACL="private", GrantRead=f"id={me}")


def test_a_public_bucket_is_open_to_a_plain_client(s3, server, bucket, requests_session):
    s3.put_object(Bucket=bucket, Key="a key", Body=b"for everyone", ContentType="text/plain")
    address = f"{server.endpoint}/{bucket}/a%20key"
    assert requests_session.get(address).status_code == 403
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(public(bucket)))
    answer = requests_session.get(address)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"for everyone", "text/plain")
    assert requests_session.head(address).status_code == 200
    assert requests_session.get(f"{server.endpoint}/{bucket}/none").status_code == 403, "who may not list is told nothing"
    for method, path in [("GET", bucket), ("PUT", f"{bucket}/a%20key"), ("DELETE", f"{bucket}/a%20key")]:
        assert requests_session.request(method, f"{server.endpoint}/{path}").status_code == 403, method
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=BLOCK)
    assert requests_session.get(address).status_code == 403
    s3.delete_public_access_block(Bucket=bucket)
    assert requests_session.get(address).status_code == 200
    s3.delete_bucket_policy(Bucket=bucket)
    assert requests_session.get(address).status_code == 403


def test_a_public_list_is_open_to_a_plain_client(s3, server, writers, requests_session):
    s3.put_object(Bucket=writers, Key="open", Body=b"x", ACL="public-read")
    s3.put_object(Bucket=writers, Key="closed", Body=b"x")
    assert requests_session.get(f"{server.endpoint}/{writers}/open").status_code == 200
    assert requests_session.get(f"{server.endpoint}/{writers}/closed").status_code == 403
    assert requests_session.get(f"{server.endpoint}/{writers}").status_code == 403
    s3.put_bucket_acl(Bucket=writers, ACL="public-read")
    assert requests_session.get(f"{server.endpoint}/{writers}").text.count("<Key>") == 2


@pytest.mark.parametrize("kind", ["user", "role"])
def test_principals_of_a_policy_must_exist(s3, iam, bucket, kind):
    name = fresh_name(kind)

    def put():
        return s3.put_bucket_policy(Bucket=bucket, Policy=policy(public(bucket, principal=principal_arn(kind, name))))

    message = fails("MalformedPolicy", 400, put)["Error"]["Message"]
    assert message.startswith("Invalid principal in policy") and f":{kind}/{name}" in message
    if kind == "user":
        iam.create_user(UserName=name)
    else:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(ACCOUNT))
    put()
    (iam.delete_user(UserName=name) if kind == "user" else iam.delete_role(RoleName=name))
    fails("MalformedPolicy", 400, put)
    unknown = policy(public(bucket, principal={"AWS": "999999999999"}))
    fails("MalformedPolicy", 400, s3.put_bucket_policy, Bucket=bucket, Policy=unknown)


def test_a_user_has_what_his_policies_and_the_buckets_give_him(s3, iam, server, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    name, keys = new_user(iam, policy(allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")))
    user = connect(server, keys=keys)
    assert [entry["Key"] for entry in user.list_objects_v2(Bucket=bucket)["Contents"]] == ["key"]
    error = fails("AccessDenied", 403, user.get_object, Bucket=bucket, Key="key")["Error"]["Message"]
    assert f"arn:aws:iam::{ACCOUNT}:user/{name}" in error and "s3:GetObject" in error
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(public(bucket, principal=principal_arn("user", name))))
    assert body_of(user.get_object(Bucket=bucket, Key="key")) == b"x"
    fails("AccessDenied", 403, user.put_object, Bucket=bucket, Key="key", Body=b"y")
    deny = {**public(bucket, principal=principal_arn("user", name)), "Effect": "Deny"}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(deny))
    fails("AccessDenied", 403, user.get_object, Bucket=bucket, Key="key")


def test_a_session_of_a_role_has_what_a_bucket_gives_the_role(s3, iam, server, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    name, keys = new_user(iam, policy(allow("sts:AssumeRole")))
    role = iam.create_role(RoleName=fresh_name("role"), AssumeRolePolicyDocument=trust(ACCOUNT))["Role"]
    sts = client(server, "sts", keys)
    session_keys, token = credentials_of(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="work"))
    session = client(server, "s3", session_keys, token)
    fails("AccessDenied", 403, session.get_object, Bucket=bucket, Key="key")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(public(bucket, principal={"AWS": role["Arn"]})))
    assert body_of(session.get_object(Bucket=bucket, Key="key")) == b"x"
    fails("AccessDenied", 403, connect(server, keys=keys).get_object, Bucket=bucket, Key="key")
    other = new_bucket(s3)
    fails("AccessDenied", 403, session.list_objects_v2, Bucket=other)
