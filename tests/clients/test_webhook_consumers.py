"""Webhooks as receivers' libraries see them: Standard Webhooks, AWS's data classes for Lambda functions, CloudEvents."""

import json
import time

import pytest
from aws_lambda_powertools.utilities.data_classes import S3Event, S3EventBridgeNotificationEvent
from brim import wait_until
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from conftest import new_bucket
from receiver import Receiver
from standardwebhooks import Webhook, WebhookVerificationError
from test_webhooks import as_json, notify, webhook

SECONDS = 60
KEY = "red flower+é/#1.jpg"
ENCODED = "red+flower%2B%C3%A9/%231.jpg"


@pytest.fixture
def receiver():
    there = Receiver()
    yield there
    there.close()


@pytest.fixture
def told(server, s3, receiver):
    """Has a new bucket tell the receiver in a format; gives the bucket and the secret."""
    names = []

    def tell(output="s3"):
        names.append(f"consumer-{output}")
        made = as_json(server, "add", names[-1], "--url", receiver.url, "--format", output)
        bucket = new_bucket(s3)
        notify(s3, bucket, names[-1], "s3:ObjectCreated:*", "s3:ObjectRemoved:*")
        wait_until(lambda: receiver.received, SECONDS, "the test event")
        receiver.received.clear()
        return bucket, made["secret"]

    yield tell
    for name in names:
        webhook(server, "remove", name)


def put_and_delete(s3, bucket, receiver):
    """Two changes; gives the messages about them."""
    tag = s3.put_object(Bucket=bucket, Key=KEY, Body=b"12345")["ETag"].strip('"')
    wait_until(lambda: len(receiver.received) == 1, SECONDS, "the creation")
    s3.delete_object(Bucket=bucket, Key=KEY)
    wait_until(lambda: len(receiver.received) == 2, SECONDS, "the removal")
    return tag, *receiver.received


def refuses(secret, message, **headers):
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(message.body, {**message.headers, **headers})
    return True


def test_standard_webhooks_believes_what_is_genuine_and_nothing_else(server, s3, receiver, told):
    bucket, secret = told()
    _, created, removed = put_and_delete(s3, bucket, receiver)
    for message in (created, removed):
        assert Webhook(secret).verify(message.body, message.headers) == json.loads(message.body)
    assert created.headers["webhook-id"] != removed.headers["webhook-id"]
    assert refuses("whsec_" + "A" * 32, created)
    assert refuses(secret, removed, **{"webhook-signature": created.headers["webhook-signature"]})
    assert refuses(secret, created, **{"webhook-id": removed.headers["webhook-id"]})
    assert refuses(secret, created, **{"webhook-timestamp": str(int(time.time()) - 301)})

    rotated = as_json(server, "rotate-secret", "consumer-s3")["secret"]
    s3.put_object(Bucket=bucket, Key="during", Body=b"x")
    wait_until(lambda: len(receiver.received) == 3, SECONDS, "what both secrets sign")
    for one in (secret, rotated):
        Webhook(one).verify(receiver.received[2].body, receiver.received[2].headers)
    as_json(server, "rotate-secret", "consumer-s3", "--keep", "0")
    s3.put_object(Bucket=bucket, Key="behind", Body=b"x")
    wait_until(lambda: len(receiver.received) == 4, SECONDS, "what neither signs any more")
    assert refuses(secret, receiver.received[3]) and refuses(rotated, receiver.received[3])


def test_a_lambda_function_reads_its_event(s3, receiver, told):
    bucket, _ = told()
    tag, created, removed = put_and_delete(s3, bucket, receiver)
    event = S3Event(json.loads(created.body))
    assert (event.bucket_name, event.object_key) == (bucket, KEY)
    record = next(event.records)
    assert (record.event_source, record.event_name, record.aws_region) == ("aws:s3", "ObjectCreated:Put", "us-east-1")
    assert (record.event_version, record.s3.s3_schema_version, record.s3.configuration_id) == ("2.1", "1.0", "rule")
    assert (record.s3.get_object.key, record.s3.get_object.size, record.s3.get_object.etag) == (ENCODED, 5, tag)
    assert record.request_parameters["sourceIPAddress"] == "127.0.0.1"
    assert record.response_elements["x-amz-request-id"] and record.user_identity.principal_id
    assert record.s3.bucket.arn == f"arn:aws:s3:::{bucket}" and record.glacier_event_data is None

    behind = next(S3Event(json.loads(removed.body)).records)
    assert (behind.event_name, behind.s3.get_object.key) == ("ObjectRemoved:Delete", ENCODED)
    assert record.s3.get_object.sequencer < behind.s3.get_object.sequencer


def test_a_rule_of_event_bridge_reads_its_event(s3, receiver, told):
    """Where keys are as they are; the library's `key` decodes them all the same, so that it is not asked."""
    bucket, _ = told("eventbridge")
    tag, created, removed = put_and_delete(s3, bucket, receiver)
    event = S3EventBridgeNotificationEvent(json.loads(created.body))
    assert (event.source, event.detail_type, event.region, event.resources) == (
        "aws.s3", "Object Created", "us-east-1", [f"arn:aws:s3:::{bucket}"],
    )
    assert (event.detail.bucket.name, event.detail.object["key"], event.detail.reason) == (bucket, KEY, "PutObject")
    assert (event.detail.object.size, event.detail.object.etag, event.detail.source_ip_address) == (5, tag, "127.0.0.1")
    behind = S3EventBridgeNotificationEvent(json.loads(removed.body))
    assert (behind.detail_type, behind.detail.deletion_type) == ("Object Deleted", "Permanently Deleted")
    assert event.detail.object.sequencer < behind.detail.object.sequencer


@pytest.mark.parametrize("output", ["cloudevents-structured", "cloudevents-binary"])
def test_a_library_of_cloudevents_reads_both_modes(s3, receiver, told, output):
    bucket, secret = told(output)
    _, created, removed = put_and_delete(s3, bucket, receiver)
    events = [from_http_event(HTTPMessage(message.headers, message.body)) for message in (created, removed)]
    for event, message in zip(events, (created, removed)):
        assert event.get_specversion() == "1.0" and event.get_source().endswith(bucket)
        assert event.get_subject() == ENCODED
        assert event.get_data()["s3"]["object"]["key"] == ENCODED
        Webhook(secret).verify(message.body, message.headers)
    assert events[0].get_id() != events[1].get_id() and events[0].get_time() <= events[1].get_time()
    assert [event.get_type().rpartition("s3.")[2] for event in events] == [
        "ObjectCreated:Put", "ObjectRemoved:Delete",
    ]
