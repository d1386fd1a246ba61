"""boto3's `s3control`: the public access block of an account."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import REGION, connect, new_bucket

ACCOUNT = "000000000000"
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


def control(server):
    # It puts the account before the host, which an address would not bear.
    session = boto3.session.Session(server.keys.access_key, server.keys.secret_key, region_name=REGION)
    endpoint = f"http://localhost:{server.port}"
    return session.client("s3control", endpoint_url=endpoint, config=Config(retries={"max_attempts": 0}))


def code(refused):
    return refused.value.response["Error"]["Code"]


@pytest.mark.parametrize("domains", ["", "localhost"], ids=["path-style", "account-below-a-domain-of-buckets"])
def test_an_account_has_a_public_access_block(own_server, domains):
    server = own_server({"BRIM_S3_DOMAINS": domains} if domains else None)
    client, s3 = control(server), connect(server)
    with pytest.raises(client.exceptions.NoSuchPublicAccessBlockConfiguration):
        client.get_public_access_block(AccountId=ACCOUNT)
    client.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=BLOCK)
    assert client.get_public_access_block(AccountId=ACCOUNT)["PublicAccessBlockConfiguration"] == BLOCK

    bucket = new_bucket(s3)
    policy = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
        f'"Resource":"arn:aws:s3:::{bucket}/*"}}}}'
    )
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert code(refused) == "AccessDenied"

    client.delete_public_access_block(AccountId=ACCOUNT)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    with pytest.raises(ClientError) as refused:
        client.put_public_access_block(AccountId="111111111111", PublicAccessBlockConfiguration=BLOCK)
    assert code(refused) == "AccessDenied"
