"""Notification configurations: `aws s3api` and boto3 put and show them, and are refused as by S3."""

import json

import pytest
from conftest import new_bucket
from expect import fails
from test_aws_cli import aws, fresh  # noqa: F401

ACCOUNT = "000000000000"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:hooks"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:news"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:resize"
CREATED = ["s3:ObjectCreated:*"]


def keys(**values):
    return {"Key": {"FilterRules": [{"Name": name.capitalize(), "Value": value} for name, value in values.items()]}}


EVERYTHING = {
    "QueueConfigurations": [
        {"Id": "images", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:Put", "s3:ObjectCreated:Post"], "Filter": keys(prefix="images/", suffix=".jpg")},
        {"Id": "minio", "QueueArn": "arn:minio:sqs::hooks:webhook", "Events": ["s3:ObjectAcl:Put"]},
    ],
    "TopicConfigurations": [{"Id": "gone", "TopicArn": TOPIC, "Events": ["s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]}],
    "LambdaFunctionConfigurations": [{"Id": "tags", "LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectTagging:*"], "Filter": keys(suffix="ü&<")}],
    "EventBridgeConfiguration": {},
}


def put(s3, bucket, configuration, **more):
    return s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration, **more)


def shown(s3, bucket):
    answer = s3.get_bucket_notification_configuration(Bucket=bucket)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def queue(**more):
    return {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": CREATED, **more}]}


def test_a_new_bucket_tells_nobody(s3, bucket):
    assert shown(s3, bucket) == {}
    put(s3, bucket, {})
    assert shown(s3, bucket) == {}


def test_everything_of_a_configuration_comes_back_and_an_empty_one_removes_it(s3, bucket):
    put(s3, bucket, EVERYTHING, SkipDestinationValidation=True)
    assert shown(s3, bucket) == EVERYTHING
    put(s3, bucket, shown(s3, bucket), SkipDestinationValidation=True)
    assert shown(s3, bucket) == EVERYTHING
    put(s3, bucket, {})
    assert shown(s3, bucket) == {}


def test_aws_s3api_puts_and_shows_it(aws):  # noqa: F811
    bucket = fresh()
    aws.api("create-bucket", "--bucket", bucket)
    put = ("put-bucket-notification-configuration", "--bucket", bucket, "--notification-configuration")
    aws.refused("InvalidArgument", *put, json.dumps(EVERYTHING))
    if aws.newest:
        aws.api(*put, json.dumps(EVERYTHING), "--skip-destination-validation")
        assert aws.api("get-bucket-notification-configuration", "--bucket", bucket) == EVERYTHING
    aws.api(*put, "{}")
    assert aws.api("get-bucket-notification-configuration", "--bucket", bucket) == {}


def test_the_request_that_is_no_longer_used_is_the_same(s3, bucket):
    old = {"QueueConfiguration": {"Id": "old", "Queue": "arn:aws:sqs:us-east-1:000000000000:nobody", "Events": CREATED}}
    answer = fails("InvalidArgument", 400, s3.put_bucket_notification, Bucket=bucket, NotificationConfiguration=old)
    assert answer["Error"]["ArgumentValue1"] == "The destination queue does not exist"
    assert "QueueConfiguration" not in s3.get_bucket_notification(Bucket=bucket)


def test_rules_without_an_id_get_one(s3, bucket):
    put(s3, bucket, queue(), SkipDestinationValidation=True)
    (rule,) = shown(s3, bucket)["QueueConfigurations"]
    assert len(rule["Id"]) == 36


def test_names_of_filters_are_read_in_any_case(s3, bucket):
    rules = [{"Name": "suffix", "Value": ".txt"}, {"Name": "PREFIX", "Value": "notif-"}]
    put(s3, bucket, queue(Id="a", Filter={"Key": {"FilterRules": rules}}), SkipDestinationValidation=True)
    (rule,) = shown(s3, bucket)["QueueConfigurations"]
    assert rule["Filter"] == keys(prefix="notif-", suffix=".txt")


@pytest.mark.parametrize(
    ("configuration", "message", "details"),
    [
        ({"QueueConfigurations": [{"QueueArn": "invalid-queue", "Events": CREATED}]}, "The ARN could not be parsed", ("Queue", "invalid-queue")),
        ({"TopicConfigurations": [{"TopicArn": QUEUE, "Events": CREATED}]}, "The ARN could not be parsed", ("Topic", QUEUE)),
        (queue(Events=["s3:ObjectAccessed:*"]), "The event is not supported for notifications", ("Event", "s3:ObjectAccessed:*")),
        (queue(Filter=keys(infix="a")), "filter rule name must be either prefix or suffix", ("FilterRule.Name", "Infix")),
        (
            {"QueueConfigurations": [{"Id": "a", "QueueArn": QUEUE, "Events": CREATED}], "TopicConfigurations": [{"Id": "a", "TopicArn": TOPIC, "Events": ["s3:ObjectRemoved:*"]}]},
            "Same ID used for multiple configurations. IDs must be unique.",
            ("ID", "a"),
        ),
        (
            {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": CREATED}], "TopicConfigurations": [{"TopicArn": TOPIC, "Events": ["s3:ObjectCreated:Put"]}]},
            "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            ("Event", "s3:ObjectCreated:Put, s3:ObjectCreated:*"),
        ),
        (
            {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": CREATED, "Id": "a"}, {"QueueArn": QUEUE, "Events": CREATED, "Id": "b", "Filter": keys(prefix="a")}]},
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.",
            ("ID", "a, b"),
        ),
    ],
)
def test_what_s3_would_not_take_is_refused_in_its_words(s3, bucket, configuration, message, details):
    # Whatever is skipped, the document must be in order.
    answer = fails("InvalidArgument", 400, put, s3=s3, bucket=bucket, configuration=configuration, SkipDestinationValidation=True)
    error = answer["Error"]
    assert (error["Message"], error["ArgumentName"], error["ArgumentValue"]) == (message, *details)
    assert shown(s3, bucket) == {}


def test_destinations_that_are_not_there_are_listed(s3, bucket):
    nobody = {
        "QueueConfigurations": [{"QueueArn": QUEUE + "-nobody", "Events": CREATED}],
        "TopicConfigurations": [{"TopicArn": TOPIC + "-nobody", "Events": ["s3:ObjectRemoved:*"]}],
    }
    error = fails("InvalidArgument", 400, put, s3=s3, bucket=bucket, configuration=nobody)["Error"]
    assert error["Message"] == "Unable to validate the following destination configurations"
    assert (error["ArgumentName1"], error["ArgumentValue1"]) == (TOPIC + "-nobody", "The destination topic does not exist")
    assert (error["ArgumentName2"], error["ArgumentValue2"]) == (QUEUE + "-nobody", "The destination queue does not exist")


def test_destinations_of_others_and_elsewhere_are_refused_whatever_is_skipped(s3, bucket):
    foreign = queue(QueueArn="arn:aws:sqs:us-east-1:111122223333:hooks")
    error = fails("InvalidArgument", 400, put, s3=s3, bucket=bucket, configuration=foreign, SkipDestinationValidation=True)["Error"]
    assert error["ArgumentValue1"] == "The destination queue does not exist"
    elsewhere = queue(QueueArn=f"arn:aws:sqs:mars-north-1:{ACCOUNT}:hooks")
    error = fails("InvalidArgument", 400, put, s3=s3, bucket=bucket, configuration=elsewhere, SkipDestinationValidation=True)["Error"]
    assert error["Message"] == "The notification destination service region is not valid for the bucket location constraint"


def test_it_is_for_whom_policies_let(s3, bucket):
    fails("NoSuchBucket", 404, s3.get_bucket_notification_configuration, Bucket="nobody-made-this-bucket")
    fails("AccessDenied", 403, s3.get_bucket_notification_configuration, Bucket=bucket, ExpectedBucketOwner="111122223333")
    fails("AccessDenied", 403, put, s3=s3, bucket=bucket, configuration={}, ExpectedBucketOwner="111122223333")
    for action in ("s3:PutBucketNotification", "s3:GetBucketNotification"):
        denied = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{bucket}"}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
        if "Put" in action:
            fails("AccessDenied", 403, put, s3=s3, bucket=bucket, configuration={})
            assert shown(s3, bucket) == {}
        else:
            put(s3, bucket, {})
            fails("AccessDenied", 403, s3.get_bucket_notification_configuration, Bucket=bucket)


def test_a_new_bucket_of_the_same_name_tells_nobody(s3):
    bucket = new_bucket(s3)
    put(s3, bucket, EVERYTHING, SkipDestinationValidation=True)
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert shown(s3, bucket) == {}


def test_it_survives_a_crash(own_server):
    from conftest import connect

    server = own_server()
    s3 = connect(server)
    s3.create_bucket(Bucket="kept")
    put(s3, "kept", EVERYTHING, SkipDestinationValidation=True)
    server.kill()
    assert shown(connect(own_server()), "kept") == EVERYTHING
