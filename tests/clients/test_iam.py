"""`aws iam` and `aws sts` for every action, and boto3 for what is refused and for what the credentials are good for."""

import json
import re
import time
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from brim import Keys
from conftest import REGION, connect, run
from test_aws_cli import V1, V2, Aws

ACCOUNT = "000000000000"


def fresh(word):
    return f"{word}-{uuid.uuid4().hex[:10]}"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal, **more):
    return policy({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more})


READ = policy(allow("s3:GetObject", "arn:aws:s3:::bücket/*"))


class Cli(Aws):
    """`aws iam` and `aws sts` with the root key, or with the keys of a profile in the environment."""

    def iam(self, operation, *words):
        answer = self("iam", operation, *words)
        return json.loads(answer) if answer.strip() else {}

    def sts(self, operation, *words):
        return json.loads(self("sts", operation, *words))

    def fails(self, code, service, operation, *words):
        argv = [self.program, "--endpoint-url", self.server.endpoint, service, operation, *map(str, words)]
        error = run(argv, self.environment, status=(254, 255)).stderr.decode()
        assert f"({code})" in error, error
        return error


@pytest.fixture
def cli(server, tmp_path):
    return cli_of(V1, server, tmp_path)


def cli_of(program, server, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Cli(program, server, home)


@pytest.fixture
def iam(server):
    return client(server, "iam")


def client(server, service, keys=None, token=None):
    """A boto3 client with the root key or with others."""
    keys = keys or server.keys
    session = boto3.session.Session(keys.access_key, keys.secret_key, token, region_name=REGION)
    config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=server.endpoint, config=config)


def new_user(iam, document=None):
    """A user with a key, and with this inline policy."""
    name = fresh("user")
    iam.create_user(UserName=name)
    if document:
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, Keys(key["AccessKeyId"], key["SecretAccessKey"])


def credentials_of(answer):
    given = answer["Credentials"]
    return Keys(given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"]


def refused(call, **parameters):
    """The code of the error that a call must fail with."""
    with pytest.raises(ClientError) as failed:
        call(**parameters)
    return failed.value.response["Error"]["Code"]


def test_the_second_generation_of_the_cli(server, tmp_path):
    cli, name = cli_of(V2, server, tmp_path), fresh("user")
    assert cli.sts("get-caller-identity")["Account"] == ACCOUNT
    cli.iam("create-user", "--user-name", name)
    cli.iam("put-user-policy", "--user-name", name, "--policy-name", "read", "--policy-document", READ)
    shown = cli.iam("get-user-policy", "--user-name", name, "--policy-name", "read")
    assert shown["PolicyDocument"] == json.loads(READ)
    cli.fails("DeleteConflict", "iam", "delete-user", "--user-name", name)


def test_users_are_made_shown_listed_and_deleted(cli, iam):
    name = fresh("user")
    made = cli.iam("create-user", "--user-name", name, "--path", "/team/blue/")["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/blue/{name}" and made["Path"] == "/team/blue/"
    assert re.fullmatch("AIDA[A-Z0-9]{17}", made["UserId"])
    assert cli.iam("get-user", "--user-name", name)["User"] == made
    assert made in cli.iam("list-users", "--path-prefix", "/team/")["Users"]
    assert iam.list_users(PathPrefix="/other/")["Users"] == []
    assert cli.iam("get-user")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    message = cli.fails("EntityAlreadyExists", "iam", "create-user", "--user-name", name)
    assert f"User with name {name} already exists." in message
    cli.iam("delete-user", "--user-name", name)
    assert refused(iam.get_user, UserName=name) == refused(iam.delete_user, UserName=name) == "NoSuchEntity"


def test_access_keys_are_shown_once_disabled_and_deleted(cli, iam, server):
    name = fresh("user")
    cli.iam("create-user", "--user-name", name)
    made = cli.iam("create-access-key", "--user-name", name)["AccessKey"]
    keys = Keys(made.pop("AccessKeyId"), made.pop("SecretAccessKey"))
    assert made["UserName"] == name and made["Status"] == "Active"
    listed = cli.iam("list-access-keys", "--user-name", name)["AccessKeyMetadata"]
    assert [(key["AccessKeyId"], key["Status"]) for key in listed] == [(keys.access_key, "Active")]
    assert "SecretAccessKey" not in listed[0]
    used = cli.iam("get-access-key-last-used", "--access-key-id", keys.access_key)
    assert used["UserName"] == name and used["AccessKeyLastUsed"]["ServiceName"] == "N/A"

    caller = client(server, "sts", keys)
    assert caller.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    key = ["--user-name", name, "--access-key-id", keys.access_key]
    cli.iam("update-access-key", *key, "--status", "Inactive")
    assert refused(caller.get_caller_identity) == "InvalidClientTokenId"
    assert refused(client(server, "s3", keys).list_buckets) == "InvalidAccessKeyId"
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    iam.update_access_key(UserName=name, AccessKeyId=keys.access_key, Status="Active")
    assert caller.get_caller_identity()["Account"] == ACCOUNT

    second = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    assert refused(iam.create_access_key, UserName=name) == "LimitExceeded"
    assert refused(iam.delete_user, UserName=name) == "DeleteConflict"
    iam.delete_access_key(UserName=name, AccessKeyId=second)
    cli.iam("delete-access-key", *key)
    assert refused(caller.get_caller_identity) == "InvalidClientTokenId"
    assert refused(iam.delete_access_key, UserName=name, AccessKeyId=keys.access_key) == "NoSuchEntity"
    iam.delete_user(UserName=name)


def test_the_key_of_another_user_is_as_if_it_were_not_there(iam):
    (one, keys), (other, _) = new_user(iam), new_user(iam)
    for call, more in [(iam.update_access_key, {"Status": "Inactive"}), (iam.delete_access_key, {})]:
        for whose in [{"UserName": other}, {}]:
            assert refused(call, **whose, AccessKeyId=keys.access_key, **more) == "NoSuchEntity"
    assert [key["Status"] for key in iam.list_access_keys(UserName=one)["AccessKeyMetadata"]] == ["Active"]


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_inline_policies(cli, iam, kind):
    name = create(iam, kind)
    whose, policies = [f"--{kind}-name", name], Family(iam, kind, name)
    cli.iam(f"put-{kind}-policy", *whose, "--policy-name", "read", "--policy-document", READ)
    shown = cli.iam(f"get-{kind}-policy", *whose, "--policy-name", "read")
    assert shown["PolicyDocument"] == json.loads(READ) and shown["PolicyName"] == "read"
    assert shown[f"{kind.title()}Name"] == name
    policies("put", "policy", PolicyName="also", PolicyDocument=policy(allow("s3:*")))
    assert cli.iam(f"list-{kind}-policies", *whose)["PolicyNames"] == ["also", "read"]
    for wrong in ["{", "{}", policy(allow("s3:*", Principal="*")), policy({"Effect": "Maybe", "Action": "*", "Resource": "*"})]:
        code = policies.refused("put", "policy", PolicyName="wrong", PolicyDocument=wrong)
        assert code == "MalformedPolicyDocument", wrong
    assert policies.refused("delete") == "DeleteConflict"
    cli.iam(f"delete-{kind}-policy", *whose, "--policy-name", "also")
    assert policies.refused("get", "policy", PolicyName="also") == "NoSuchEntity"
    assert policies.refused("delete", "policy", PolicyName="also") == "NoSuchEntity"
    policies("delete", "policy", PolicyName="read")
    cli.iam(f"delete-{kind}", *whose)
    assert policies.refused("put", "policy", PolicyName="read", PolicyDocument=READ) == "NoSuchEntity"


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_managed_policies_are_attached_and_detached(cli, iam, kind):
    name, managed = create(iam, kind), fresh("policy")
    whose, policies = [f"--{kind}-name", name], Family(iam, kind, name)
    made = iam.create_policy(PolicyName=managed, Path="/of/s3/", PolicyDocument=READ)["Policy"]
    arn = made["Arn"]
    attached = f"list_attached_{kind}_policies"
    cli.iam(f"attach-{kind}-policy", *whose, "--policy-arn", arn)
    policies("attach", "policy", PolicyArn=arn)
    shown = cli.iam(attached.replace("_", "-"), *whose)["AttachedPolicies"]
    assert shown == [{"PolicyName": managed, "PolicyArn": arn}]
    elsewhere = getattr(iam, attached)(**policies.name, PathPrefix="/other/")
    assert elsewhere["AttachedPolicies"] == []
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    assert policies.refused("delete") == "DeleteConflict"
    cli.iam(f"detach-{kind}-policy", *whose, "--policy-arn", arn)
    assert policies.refused("detach", "policy", PolicyArn=arn) == "NoSuchEntity"
    iam.delete_policy(PolicyArn=arn)
    assert policies.refused("attach", "policy", PolicyArn=arn) == "NoSuchEntity"
    policies("delete")


class Family:
    """The actions of boto3 on one user, group or role: `family("put", "policy", ...)` is `put_user_policy(...)`."""

    def __init__(self, iam, kind, name):
        self.iam, self.kind, self.name = iam, kind, {f"{kind.title()}Name": name}

    def method(self, verb, *what):
        return getattr(self.iam, "_".join([verb, self.kind, *what]))

    def __call__(self, verb, *what, **parameters):
        return self.method(verb, *what)(**self.name, **parameters)

    def refused(self, verb, *what, **parameters):
        return refused(self.method(verb, *what), **self.name, **parameters)


def create(iam, kind):
    name = fresh(kind)
    more = {"AssumeRolePolicyDocument": trust(f"arn:aws:iam::{ACCOUNT}:root")} if kind == "role" else {}
    Family(iam, kind, name)("create", **more)
    return name


def test_managed_policies_and_their_versions(cli, iam):
    name = fresh("policy")
    words = ["--policy-name", name, "--description", "reads", "--policy-document", READ]
    made = cli.iam("create-policy", *words)["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/{name}" and re.fullmatch("ANPA[A-Z0-9]{17}", made["PolicyId"])
    assert made["AttachmentCount"] == 0 and made["DefaultVersionId"] == "v1"
    assert refused(iam.create_policy, PolicyName=name, PolicyDocument=READ) == "EntityAlreadyExists"
    assert cli.iam("get-policy", "--policy-arn", arn)["Policy"]["Description"] == "reads"
    assert arn in [one["Arn"] for one in cli.iam("list-policies", "--scope", "Local")["Policies"]]
    for others in [{"Scope": "AWS"}, {"OnlyAttached": True}, {"PolicyUsageFilter": "PermissionsBoundary"}]:
        assert arn not in [one["Arn"] for one in iam.list_policies(**others)["Policies"]]
    shown = cli.iam("get-policy-version", "--policy-arn", arn, "--version-id", "v1")["PolicyVersion"]
    assert shown["Document"] == json.loads(READ) and shown["IsDefaultVersion"]

    wider = policy(allow("s3:*"))
    second = cli.iam("create-policy-version", "--policy-arn", arn, "--policy-document", wider, "--set-as-default")
    assert second["PolicyVersion"]["VersionId"] == "v2" and second["PolicyVersion"]["IsDefaultVersion"]
    versions = cli.iam("list-policy-versions", "--policy-arn", arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in versions] == [("v2", True), ("v1", False)]
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2") == "DeleteConflict"
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    cli.iam("set-default-policy-version", "--policy-arn", arn, "--version-id", "v1")
    cli.iam("delete-policy-version", "--policy-arn", arn, "--version-id", "v2")
    assert refused(iam.get_policy_version, PolicyArn=arn, VersionId="v2") == "NoSuchEntity"
    cli.iam("delete-policy", "--policy-arn", arn)
    for gone in [arn, f"arn:aws:iam::999999999999:policy/{name}"]:
        assert refused(iam.get_policy, PolicyArn=gone) == "NoSuchEntity"


def test_groups_and_their_users(cli, iam):
    group, user = fresh("group"), fresh("user")
    made = cli.iam("create-group", "--group-name", group, "--path", "/team/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/team/{group}" and made["GroupId"].startswith("AGPA")
    iam.create_user(UserName=user)
    both = ["--group-name", group, "--user-name", user]
    cli.iam("add-user-to-group", *both)
    shown = cli.iam("get-group", "--group-name", group)
    assert shown["Group"] == made and [one["UserName"] for one in shown["Users"]] == [user]
    assert cli.iam("list-groups-for-user", "--user-name", user)["Groups"] == [made]
    assert made in cli.iam("list-groups", "--path-prefix", "/team/")["Groups"]
    assert refused(iam.delete_group, GroupName=group) == refused(iam.delete_user, UserName=user) == "DeleteConflict"
    cli.iam("remove-user-from-group", *both)
    assert iam.list_groups_for_user(UserName=user)["Groups"] == []
    iam.delete_group(GroupName=group)
    assert refused(iam.add_user_to_group, GroupName=group, UserName=user) == "NoSuchEntity"
    assert refused(iam.list_groups_for_user, UserName=fresh("nobody")) == "NoSuchEntity"
    iam.delete_user(UserName=user)


def test_roles(cli, iam):
    name = fresh("role")
    document = trust(f"arn:aws:iam::{ACCOUNT}:root")
    words = ["--role-name", name, "--path", "/ops/", "--description", "nightly", "--max-session-duration", "7200"]
    made = cli.iam("create-role", *words, "--assume-role-policy-document", document)["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ops/{name}" and made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"] == json.loads(document)
    shown = cli.iam("get-role", "--role-name", name)["Role"]
    assert shown["Description"] == "nightly" and shown["MaxSessionDuration"] == 7200
    assert name in [one["RoleName"] for one in cli.iam("list-roles", "--path-prefix", "/ops/")["Roles"]]
    other = trust("*", Condition={"StringEquals": {"sts:ExternalId": "x1"}})
    cli.iam("update-assume-role-policy", "--role-name", name, "--policy-document", other)
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(other)
    assert refused(iam.update_assume_role_policy, RoleName=name, PolicyDocument=READ) == "MalformedPolicyDocument"
    assert cli.iam("list-instance-profiles-for-role", "--role-name", name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)
    assert refused(iam.get_role, RoleName=name) == "NoSuchEntity"


def test_lists_come_in_pages(iam):
    prefix = f"/{fresh('pages')}/"
    names = sorted(fresh("user") for _ in range(5))
    for name in names:
        iam.create_user(UserName=name, Path=prefix)
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=prefix, PaginationConfig={"PageSize": 2}))
    assert [user["UserName"] for page in pages for user in page["Users"]] == names and len(pages) > 1
    assert pages[0]["IsTruncated"] and not pages[-1]["IsTruncated"]
    for name in names:
        iam.delete_user(UserName=name)


def test_there_are_no_account_aliases(cli):
    assert cli.iam("list-account-aliases")["AccountAliases"] == []


def test_the_caller_identity(cli, server, iam):
    assert cli.sts("get-caller-identity") == {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}
    denied = policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
    name, keys = new_user(iam, denied)
    assert client(server, "sts", keys).get_caller_identity()["UserId"].startswith("AIDA")


def test_what_is_not_done_is_refused(cli, iam):
    name = fresh("user")
    cli.fails("NotImplemented", "iam", "create-user", "--user-name", name, "--tags", "Key=a,Value=b")
    assert refused(iam.create_instance_profile, InstanceProfileName=name) == "InvalidAction"
    assert refused(iam.get_user, UserName=name) == "NoSuchEntity"


def test_users_may_do_what_their_policies_say(iam, server):
    name, keys = new_user(iam)
    own = client(server, "iam", keys)
    with pytest.raises(ClientError) as failed:
        own.create_user(UserName="eve")
    error = failed.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    words = f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: iam:CreateUser on resource: "
    why = "because no identity-based policy allows the iam:CreateUser action"
    assert error["Message"] == f"{words}arn:aws:iam::{ACCOUNT}:user/eve {why}"
    assert refused(own.get_user) == "AccessDenied"
    assert refused(own.get_user, UserName="nobody-at-all") == "AccessDenied", "who may not ask does not learn"

    self_service = allow(["iam:GetUser", "iam:*AccessKey*"], f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=policy(self_service))
    assert own.get_user()["User"]["UserName"] == name
    assert [key["AccessKeyId"] for key in own.list_access_keys()["AccessKeyMetadata"]] == [keys.access_key]
    second = own.create_access_key()["AccessKey"]
    own.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    own.delete_access_key(AccessKeyId=second["AccessKeyId"])
    other, _ = new_user(iam)
    assert refused(own.create_access_key, UserName=other) == "AccessDenied"
    assert refused(own.list_users) == "AccessDenied"


def test_a_group_gives_and_takes_permissions_at_once(iam, server):
    name, keys = new_user(iam)
    group, own = fresh("group"), client(server, "iam", keys)
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="list", PolicyDocument=policy(allow("iam:ListUsers")))
    assert refused(own.list_users) == "AccessDenied"
    iam.add_user_to_group(GroupName=group, UserName=name)
    assert own.list_users()["Users"]
    iam.remove_user_from_group(GroupName=group, UserName=name)
    assert refused(own.list_users) == "AccessDenied"


def test_only_the_policies_that_a_condition_names_may_be_attached(iam, server):
    allowed, other = (
        iam.create_policy(PolicyName=fresh("policy"), PolicyDocument=policy(allow("iam:ListUsers")))["Policy"]["Arn"] for _ in range(2)
    )
    condition = {"ArnEquals": {"iam:PolicyARN": allowed}}
    name, keys = new_user(iam, policy(allow("iam:AttachUserPolicy", Condition=condition)))
    own = client(server, "iam", keys)
    assert refused(own.attach_user_policy, UserName=name, PolicyArn=other) == "AccessDenied"
    own.attach_user_policy(UserName=name, PolicyArn=allowed)
    assert own.list_users()["Users"]

    deny = {"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"ArnEquals": {"iam:PolicyARN": other}}}
    iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=policy(allow("iam:*"), deny))
    shouted = other.replace(":policy/policy-", ":policy/POLICY-")
    for spelling in [other, shouted]:
        assert refused(own.attach_user_policy, UserName=name, PolicyArn=spelling) == "AccessDenied"
    deny = {"Effect": "Deny", "Action": "*", "Resource": other}
    iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=policy(allow("iam:*"), deny))
    for spelling in [other, shouted]:
        assert refused(own.delete_policy, PolicyArn=spelling) == "AccessDenied"


def new_role(iam, trusted, document, **more):
    name = fresh("role")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(trusted, **more))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document)
    return name, role["Arn"]


def test_a_role_is_assumed_and_its_session_uses_s3(cli, iam, server, bucket):
    name, keys = new_user(iam)
    user_arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    role, arn = new_role(iam, user_arn, policy(allow("s3:*")))
    as_user = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    cli.environment.update(as_user)
    assert cli.sts("assume-role", "--role-arn", arn, "--role-session-name", "cli")["Credentials"]["SessionToken"]
    assumed = client(server, "sts", keys).assume_role(RoleArn=arn, RoleSessionName="nightly")
    assert assumed["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/nightly"
    assert assumed["AssumedRoleUser"]["AssumedRoleId"].endswith(":nightly")
    assert 3590 < assumed["Credentials"]["Expiration"].timestamp() - time.time() < 3610
    session, token = credentials_of(assumed)
    identity = client(server, "sts", session, token).get_caller_identity()
    assert identity["Arn"] == assumed["AssumedRoleUser"]["Arn"]

    own = client(server, "s3", session, token)
    own.put_object(Bucket=bucket, Key="k", Body=b"by a session")
    assert own.get_object(Bucket=bucket, Key="k")["Body"].read() == b"by a session"
    tampered = token[:-8] + ("AAAAAAAA" if not token.endswith("AAAAAAAA") else "BBBBBBBB")
    assert refused(client(server, "s3", session, tampered).list_buckets) == "InvalidToken"
    assert refused(client(server, "sts", session, tampered).get_caller_identity) == "InvalidClientTokenId"
    assert refused(client(server, "s3", session).list_buckets) == "InvalidAccessKeyId"
    assert refused(client(server, "sts", session).get_caller_identity) == "InvalidClientTokenId"

    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=policy(allow("s3:ListAllMyBuckets")))
    assert refused(own.get_object, Bucket=bucket, Key="k") == "AccessDenied"
    iam.delete_role_policy(RoleName=role, PolicyName="inline")
    iam.delete_role(RoleName=role)
    assert refused(client(server, "sts", session, token).get_caller_identity) == "InvalidClientTokenId"


def test_who_may_assume_a_role(iam, server):
    (trusted, keys), (_, other) = new_user(iam), new_user(iam)
    arn = f"arn:aws:iam::{ACCOUNT}:user/{trusted}"
    _, role = new_role(iam, arn, policy(allow("s3:*")), Condition={"StringEquals": {"sts:ExternalId": "x-1"}})
    sts, parameters = client(server, "sts", keys), {"RoleArn": role, "RoleSessionName": "me"}
    assert refused(sts.assume_role, **parameters) == "AccessDenied"
    assert refused(sts.assume_role, **parameters, ExternalId="x-2") == "AccessDenied"
    sts.assume_role(**parameters, ExternalId="x-1")
    assert refused(client(server, "sts", other).assume_role, **parameters, ExternalId="x-1") == "AccessDenied"
    assert refused(client(server, "sts").assume_role, **parameters) == "AccessDenied", "not the root"
    nowhere = f"arn:aws:iam::{ACCOUNT}:role/{fresh('nowhere')}"
    assert refused(sts.assume_role, RoleArn=nowhere, RoleSessionName="me") == "AccessDenied"
    for wrong, code in [
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"DurationSeconds": 60 * 60 * 2}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"SerialNumber": "arn:aws:iam::000000000000:mfa/x", "TokenCode": "123456"}, "NotImplemented"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "NotImplemented"),
    ]:
        assert refused(sts.assume_role, **{**parameters, "ExternalId": "x-1", **wrong}) == code, wrong

    _, by_account = new_role(iam, f"arn:aws:iam::{ACCOUNT}:root", policy(allow("s3:*")))
    parameters = {"RoleArn": by_account, "RoleSessionName": "me"}
    assert refused(sts.assume_role, **parameters) == "AccessDenied", "the account leaves it to its users' policies"
    iam.put_user_policy(UserName=trusted, PolicyName="assume", PolicyDocument=policy(allow("sts:AssumeRole", by_account)))
    sts.assume_role(**parameters)


def test_session_policies_narrow_a_session(iam, server, bucket):
    name, keys = new_user(iam)
    _, arn = new_role(iam, f"arn:aws:iam::{ACCOUNT}:user/{name}", policy(allow("s3:*")))
    narrow = policy(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/in/*"))
    sts = client(server, "sts", keys)
    assumed = sts.assume_role(RoleArn=arn, RoleSessionName="narrow", Policy=narrow)
    assert 0 < assumed["PackedPolicySize"] <= 100
    own = client(server, "s3", *credentials_of(assumed))
    own.put_object(Bucket=bucket, Key="in/k", Body=b"x")
    assert refused(own.put_object, Bucket=bucket, Key="out/k", Body=b"x") == "AccessDenied"
    assert refused(own.get_object, Bucket=bucket, Key="in/k") == "AccessDenied"
    managed = iam.create_policy(PolicyName=fresh("policy"), PolicyDocument=policy(allow("s3:ListAllMyBuckets")))
    assumed = sts.assume_role(RoleArn=arn, RoleSessionName="narrow", PolicyArns=[{"arn": managed["Policy"]["Arn"]}])
    own = client(server, "s3", *credentials_of(assumed))
    own.list_buckets()
    assert refused(own.put_object, Bucket=bucket, Key="in/k", Body=b"x") == "AccessDenied"


def test_session_tokens_of_users(cli, iam, server, bucket):
    name, keys = new_user(iam, policy(allow("*")))
    answer = client(server, "sts", keys).get_session_token(DurationSeconds=900)
    session, token = credentials_of(answer)
    assert 890 < answer["Credentials"]["Expiration"].timestamp() - time.time() < 910
    assert client(server, "sts", session, token).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    client(server, "s3", session, token).put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(client(server, "sts", session, token).get_session_token) == "AccessDenied"
    assert refused(client(server, "iam", session, token).list_users) == "InvalidClientTokenId"
    given = cli.sts("get-session-token")["Credentials"]
    root, token = Keys(given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"]
    assert client(server, "sts", root, token).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    client(server, "s3", root, token).list_buckets()


def test_a_deleted_users_session_ends_with_him(iam, server):
    name, keys = new_user(iam)
    session, token = credentials_of(client(server, "sts", keys).get_session_token())
    own = client(server, "sts", session, token)
    own.get_caller_identity()
    iam.delete_access_key(UserName=name, AccessKeyId=keys.access_key)
    iam.delete_user(UserName=name)
    assert refused(own.get_caller_identity) == "InvalidClientTokenId"
    iam.create_user(UserName=name)
    assert refused(own.get_caller_identity) == "InvalidClientTokenId", "another user of that name is another user"


def test_a_user_who_may_only_upload(iam, server, bucket, s3):
    name, keys = new_user(iam, policy(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/drop/*")))
    own = connect(server, keys=keys)
    own.put_object(Bucket=bucket, Key="drop/a", Body=b"in")
    for call, parameters in [
        (own.put_object, {"Key": "elsewhere", "Body": b"x"}),
        (own.get_object, {"Key": "drop/a"}),
        (own.delete_object, {"Key": "drop/a"}),
        (own.list_objects_v2, {}),
    ]:
        assert refused(call, Bucket=bucket, **parameters) == "AccessDenied", parameters
    assert s3.get_object(Bucket=bucket, Key="drop/a")["Body"].read() == b"in"


def test_identities_survive_a_restart(own_server):
    first = own_server()
    name, keys = new_user(client(first, "iam"), policy(allow("iam:GetUser")))
    session = client(first, "sts", keys).get_session_token()["Credentials"]
    assert first.stop() == 0
    second = own_server()
    assert client(second, "iam", keys).get_user()["User"]["UserName"] == name
    again = Keys(session["AccessKeyId"], session["SecretAccessKey"])
    assert client(second, "sts", again, session["SessionToken"]).get_caller_identity()["Arn"].endswith(f":user/{name}")


DECLARED = f"""
[[account]]
id = "{ACCOUNT}"
display_name = "Main"

[[account.user]]
name = "declared"
keys = [{{ access_key_id = "DECLAREDEXAMPLEKEY", secret_access_key = "a-secret-of-the-test" }}]

[[account]]
id = "222222222222"
display_name = "Second"
key = [{{ access_key_id = "SECONDEXAMPLEKEY", secret_access_key = "another-secret-of-the-test" }}]
"""


@pytest.fixture
def two_accounts(own_server, tmp_path):
    """A server with another account, and the key of that account's root."""
    configuration = tmp_path / "brim.toml"
    configuration.write_text(DECLARED)
    configuration.chmod(0o600)
    return own_server({"BRIM_CONFIG": str(configuration)}), Keys("SECONDEXAMPLEKEY", "another-secret-of-the-test")


def test_accounts_see_nothing_of_each_other(two_accounts):
    server, second = two_accounts
    iam, other = client(server, "iam"), client(server, "iam", second)
    name, keys = new_user(iam, policy(allow("*")))
    arn = iam.create_policy(PolicyName="mine", PolicyDocument=READ)["Policy"]["Arn"]
    assert other.list_users()["Users"] == other.list_policies(Scope="Local")["Policies"] == []
    assert refused(other.get_user, UserName=name) == "NoSuchEntity"
    assert refused(other.delete_policy, PolicyArn=arn) == refused(other.get_policy, PolicyArn=arn) == "NoSuchEntity"
    for key in [keys.access_key, server.keys.access_key, "DECLAREDEXAMPLEKEY"]:
        assert refused(other.delete_access_key, AccessKeyId=key) == "NoSuchEntity"
        assert refused(other.update_access_key, AccessKeyId=key, Status="Inactive") == "NoSuchEntity"
        assert refused(other.get_access_key_last_used, AccessKeyId=key) == "NoSuchEntity"
    other.create_user(UserName=name)
    assert other.get_user(UserName=name)["User"]["Arn"] == f"arn:aws:iam::222222222222:user/{name}"
    assert refused(other.attach_user_policy, UserName=name, PolicyArn=arn) == "NoSuchEntity"
    key = other.create_access_key()["AccessKey"]["AccessKeyId"]
    assert [one["AccessKeyId"] for one in other.list_access_keys()["AccessKeyMetadata"]] == [key]
    assert iam.list_access_keys()["AccessKeyMetadata"] == []


def test_what_the_configuration_declares_is_shown_and_stays(two_accounts):
    server, _ = two_accounts
    iam = client(server, "iam")
    assert iam.get_user(UserName="declared")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/declared"
    assert [key["AccessKeyId"] for key in iam.list_access_keys(UserName="declared")["AccessKeyMetadata"]] == ["DECLAREDEXAMPLEKEY"]
    assert iam.get_access_key_last_used(AccessKeyId="DECLAREDEXAMPLEKEY")["UserName"] == "declared"
    for call, parameters in [
        (iam.delete_user, {}),
        (iam.create_access_key, {}),
        (iam.delete_access_key, {"AccessKeyId": "DECLAREDEXAMPLEKEY"}),
        (iam.put_user_policy, {"PolicyName": "p", "PolicyDocument": READ}),
    ]:
        assert refused(call, UserName="declared", **parameters) == "UnmodifiableEntity", call
    assert refused(iam.delete_access_key, AccessKeyId=server.keys.access_key) == "UnmodifiableEntity"


def test_a_role_is_assumed_from_another_account(two_accounts):
    server, second = two_accounts
    iam, other = client(server, "iam"), client(server, "iam", second)
    _, arn = new_role(iam, "arn:aws:iam::222222222222:root", policy(allow("s3:ListAllMyBuckets")))
    name, keys = new_user(other)
    sts, parameters = client(server, "sts", keys), {"RoleArn": arn, "RoleSessionName": "visitor"}
    assert refused(sts.assume_role, **parameters) == "AccessDenied", "his own account has not sent him"
    other.put_user_policy(UserName=name, PolicyName="go", PolicyDocument=policy(allow("sts:AssumeRole", arn)))
    session = credentials_of(sts.assume_role(**parameters))
    assert client(server, "sts", *session).get_caller_identity()["Account"] == ACCOUNT
    client(server, "s3", *session).list_buckets()
