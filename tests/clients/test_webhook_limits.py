"""What clients and operators see of webhooks that cannot be delivered to: full backlogs, and receivers that have had enough."""

import json

import pytest
from botocore.exceptions import ClientError
from brim import wait_until
from conftest import new_bucket
from receiver import Receiver
from test_webhooks import as_json, notify, webhook

SECONDS = 60
NOWHERE = "http://127.0.0.1:9/"
MOST = 5


@pytest.fixture
def receiver():
    there = Receiver()
    yield there
    there.close()


@pytest.fixture
def told(server, s3):
    """Has a new bucket tell a new webhook; gives the bucket."""
    names = []

    def tell(name, url, *options):
        names.append(name)
        # Nobody listens yet, where nobody is to: the rule is put while somebody does.
        there = Receiver()
        as_json(server, "add", name, "--url", there.url, *options)
        bucket = new_bucket(s3)
        notify(s3, bucket, name)
        there.close()
        as_json(server, "add", name, "--url", url, "--replace", *options)
        return bucket

    yield tell
    for name in names:
        webhook(server, "remove", name)


def shown(server, name):
    return as_json(server, "show", name)["webhook"]


def keys(receiver):
    """The keys that were told of, without the test of the rule."""
    documents = [json.loads(message.body) for message in list(receiver.received)]
    return {record["s3"]["object"]["key"] for document in documents for record in document.get("Records", [])}


def put_until_refused(s3, bucket):
    """Puts objects until the server takes no more; gives the keys that it took, and the refusal."""
    for number in range(10_000):
        try:
            s3.put_object(Bucket=bucket, Key=f"key-{number}", Body=b"x")
        except ClientError as refused:
            return {f"key-{each}" for each in range(number)}, refused.response
    raise AssertionError("nothing was refused")


def test_who_must_lose_nothing_has_writes_refused_until_they_can_be_told(server, s3, receiver, told):
    options = ("--on-full", "reject-writes", "--backlog-entries", MOST, "--retry", "1s")
    bucket, other = told("strict", NOWHERE, *options), new_bucket(s3)
    taken, refusal = put_until_refused(s3, bucket)
    assert (refusal["ResponseMetadata"]["HTTPStatusCode"], refusal["Error"]["Code"]) == (503, "SlowDown")
    assert "strict" in refusal["Error"]["Message"], refusal["Error"]
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="key-0", Body=b"again")
    assert s3.get_object(Bucket=bucket, Key="key-0")["Body"].read() == b"x"
    s3.put_object(Bucket=other, Key="key", Body=b"what it does not hear of")

    as_json(server, "add", "strict", "--url", receiver.url, "--replace", *options)

    def is_taken():
        try:
            return s3.put_object(Bucket=bucket, Key="late", Body=b"x")
        except ClientError:
            return None

    wait_until(is_taken, SECONDS, "room")
    wait_until(lambda: taken | {"late"} <= keys(receiver), SECONDS, "everything that was taken")
    assert shown(server, "strict")["status"]["gap"] == 0


def test_what_is_left_out_of_a_full_backlog_is_counted(server, s3, receiver, told, requests_session):
    bucket = told("forgetful", receiver.url, "--backlog-entries", MOST)
    webhook(server, "pause", "forgetful")
    for number in range(10 * MOST):
        s3.put_object(Bucket=bucket, Key=f"key-{number:02}", Body=b"x")
    wait_until(lambda: shown(server, "forgetful")["status"]["gap"] > 0, SECONDS, "the gap")
    series = 'brim_webhook_left_out_total{webhook="000000000000/forgetful"} '

    def is_counted():
        lines = requests_session.get(server.admin + "/metrics", timeout=10).text.splitlines()
        return any(line.startswith(series) and float(line.removeprefix(series)) > 0 for line in lines)

    wait_until(is_counted, SECONDS, "the metric")
    webhook(server, "resume", "forgetful")
    wait_until(lambda: f"key-{10 * MOST - 1}" in keys(receiver), SECONDS, "the newest")
    assert "key-00" not in keys(receiver)


def test_a_receiver_that_has_had_enough_is_left_alone_until_it_is_resumed(server, s3, receiver, told):
    bucket = told("gone", receiver.url)
    receiver.status = 410
    s3.put_object(Bucket=bucket, Key="first", Body=b"x")
    wait_until(lambda: "410" in str(shown(server, "gone")["state"]), SECONDS, "the end")
    sent = len(receiver.received)
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"key-{number}", Body=b"x")
    assert webhook(server, "list").count("disabled") == 1
    receiver.status = 204
    assert len(receiver.received) == sent, "it was asked again"
    webhook(server, "resume", "gone")
    wait_until(lambda: {"first", "key-0", "key-1", "key-2"} <= keys(receiver), SECONDS, "what it missed")
