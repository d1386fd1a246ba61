"""The part of SNS that notifications need, with boto3 and `aws sns`."""

import base64
import hmac
import http.server
import json
import threading
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from brim import Keys, wait_until
from conftest import REGION, connect, new_bucket
from test_aws_cli import V1, V2, Aws


def client(server, keys=None, service="sns"):
    keys = keys or server.keys
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=Config(retries={"max_attempts": 1}),
    )


@pytest.fixture
def sns(server):
    return client(server)


@pytest.fixture
def topic(sns):
    arn = sns.create_topic(Name=fresh("topic"))["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


def fresh(word):
    return f"{word}-{uuid.uuid4().hex[:8]}"


def user(server, *statements):
    """The keys of a new user with these statements."""
    iam, name = client(server, service="iam"), fresh("user")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(key["AccessKeyId"], key["SecretAccessKey"])


def refused(code, status, message, call, **arguments):
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    response = failure.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), response
    assert message in response["Error"]["Message"], response


def test_a_topic_is_made_once_listed_and_deleted_with_its_subscriptions(sns):
    name = fresh("topic")
    arn = sns.create_topic(Name=name)["TopicArn"]
    assert arn.startswith(f"arn:aws:sns:{REGION}:") and arn.endswith(f":{name}")
    assert sns.create_topic(Name=name, Attributes={"FifoTopic": "false"})["TopicArn"] == arn
    topics = [topic["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for topic in page["Topics"]]
    assert topics.count(arn) == 1
    subscription = sns.subscribe(TopicArn=arn, Protocol="https", Endpoint="https://hook.example/x")["SubscriptionArn"]
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsConfirmed"] == "1"
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    refused("NotFound", 404, "Topic does not exist", sns.get_topic_attributes, TopicArn=arn)
    refused("NotFound", 404, "Subscription does not exist", sns.get_subscription_attributes, SubscriptionArn=subscription)


def test_a_subscription_is_there_at_once_and_its_secret_is_its_owner_s(server, sns, topic):
    hook = f"https://hook.example/{uuid.uuid4().hex}?a=b"
    arn = sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=hook)["SubscriptionArn"]
    assert arn.startswith(f"{topic}:")
    again = sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=hook, Attributes={"RawMessageDelivery": "true"})
    assert again["SubscriptionArn"] == arn
    owner = topic.split(":")[4]
    expected = {"SubscriptionArn": arn, "Owner": owner, "Protocol": "https", "Endpoint": hook, "TopicArn": topic}
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [expected]
    assert expected in sns.list_subscriptions()["Subscriptions"]

    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert attributes["BrimSigningSecret"].startswith("whsec_")
    assert attributes["PendingConfirmation"] == "false" and attributes["BrimState"] == "active"
    assert attributes.items() >= expected.items()
    anyone = client(server, user(server, {"Action": "sns:*", "Resource": "*"}))
    assert "BrimSigningSecret" not in anyone.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    trusted = client(server, user(server, {"Action": ["sns:*", "brim:ReadSigningSecret"], "Resource": f"{topic}*"}))
    secret = trusted.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["BrimSigningSecret"]
    assert secret == attributes["BrimSigningSecret"]

    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_lists_come_in_pages(sns):
    made = {sns.create_topic(Name=fresh("page"))["TopicArn"] for _ in range(3)}
    topic = made.pop()
    try:
        arns = {
            sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=f"https://hook.example/{number}")["SubscriptionArn"]
            for number in range(100)
        }
        refused(
            "SubscriptionLimitExceeded", 403, "", sns.subscribe,
            TopicArn=topic, Protocol="https", Endpoint="https://hook.example/more",
        )
        pages = list(sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic))
        assert {one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]} == arns
        refused("InvalidParameter", 400, "NextToken", sns.list_topics, NextToken="/")
    finally:
        for arn in [topic, *made]:
            sns.delete_topic(TopicArn=arn)


@pytest.mark.parametrize("name", ["a.fifo", "a b", "", "é", "a" * 257, "a:b"])
def test_names_that_sns_refuses_are_refused(sns, name):
    refused("InvalidParameter", 400, "Invalid parameter: ", sns.create_topic, Name=name)


def test_what_cannot_be_done_is_said(sns, topic):
    subscribe = sns.subscribe
    wrong = "Invalid parameter: Endpoint must match the specified protocol"
    refused("InvalidParameter", 400, wrong, subscribe, TopicArn=topic, Protocol="https", Endpoint="http://a.example/")
    refused(
        "InvalidParameter", 400, "Invalid parameter: Amazon SNS does not support this protocol string: gopher", subscribe,
        TopicArn=topic, Protocol="gopher", Endpoint="gopher://a.example/",
    )
    refused("InvalidParameter", 400, "Protocol Reason", subscribe, TopicArn=topic, Protocol="sqs", Endpoint="x")
    refused("InvalidParameter", 400, "FIFO", sns.create_topic, Name="a", Attributes={"FifoTopic": "true"})
    for endpoint in ["https://127.0.0.1/", "https://localhost:9/", "http://169.254.169.254/latest", "https://[::1]/"]:
        protocol = endpoint.split(":")[0]
        message = "Invalid parameter: Endpoint Reason: "
        refused("InvalidParameter", 400, message, subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
    for attributes in [{"RawMessageDelivery": "false"}, {"FilterPolicy": "{}"}]:
        refused(
            "InvalidParameter", 400, "Invalid parameter: Attributes Reason: ", subscribe,
            TopicArn=topic, Protocol="https", Endpoint="https://a.example/", Attributes=attributes,
        )
    missing = f"{topic}-x"
    refused("NotFound", 404, "Topic does not exist", subscribe, TopicArn=missing, Protocol="https", Endpoint="https://a.example/")
    refused("NotFound", 404, "Topic does not exist", sns.list_subscriptions_by_topic, TopicArn=missing)
    elements = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"
    refused("InvalidParameter", 400, elements, sns.delete_topic, TopicArn="nonsense")
    refused("InvalidParameter", 400, "SubscriptionArn", sns.unsubscribe, SubscriptionArn="nonsense")
    refused("InvalidParameter", 400, "Invalid parameter: TopicArn", sns.delete_topic, TopicArn=topic.replace(REGION, "eu-south-9"))
    elsewhere = topic.split(":")
    elsewhere[4] = "999999999999"
    refused("AuthorizationError", 403, "SNS:DeleteTopic", sns.delete_topic, TopicArn=":".join(elsewhere))
    refused("NotImplemented", 501, "cannot be published", sns.publish, TopicArn=topic, Message="hello", Subject="s")


def test_policies_decide_in_sns_s_words(server, topic):
    keys = user(server, {"Action": "sns:ListTopics", "Resource": "*"}, {"Action": "sns:GetTopicAttributes", "Resource": topic})
    limited = client(server, keys)
    limited.list_topics()
    limited.get_topic_attributes(TopicArn=topic)
    message = "is not authorized to perform: SNS:DeleteTopic on resource: " + topic
    refused("AuthorizationError", 403, message, limited.delete_topic, TopicArn=topic)
    refused("AuthorizationError", 403, "SNS:CreateTopic", limited.create_topic, Name="x")


@pytest.mark.parametrize("program", [V1, V2])
def test_the_command_line_makes_a_topic_and_a_subscription_unchanged(server, tmp_path, program):
    aws = Aws(program, server, tmp_path)
    name = fresh("topic")
    topic = json.loads(aws("sns", "create-topic", "--name", name))["TopicArn"]
    hook = "https://hook.example/cli"
    arguments = ["--topic-arn", topic, "--protocol", "https", "--notification-endpoint", hook]
    arn = json.loads(aws("sns", "subscribe", *arguments, "--return-subscription-arn"))["SubscriptionArn"]
    listed = json.loads(aws("sns", "list-subscriptions-by-topic", "--topic-arn", topic))["Subscriptions"]
    assert [one["SubscriptionArn"] for one in listed] == [arn]
    attributes = json.loads(aws("sns", "get-subscription-attributes", "--subscription-arn", arn))["Attributes"]
    assert attributes["Endpoint"] == hook
    aws("sns", "unsubscribe", "--subscription-arn", arn)
    aws("sns", "delete-topic", "--topic-arn", topic)


class Receiver(http.server.ThreadingHTTPServer):
    """Takes deliveries: their headers and bodies, as they came."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def verified(secret, headers, body):
    """The document of a delivery whose signature is right, by the text of Standard Webhooks 1.0.0."""
    lower = {name.lower(): value for name, value in headers.items()}
    signed = f"{lower['webhook-id']}.{lower['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    assert f"v1,{base64.b64encode(digest).decode()}" in lower["webhook-signature"].split()
    return json.loads(body)


def test_a_bucket_s_topic_tells_its_subscriptions_and_the_secret_verifies_it(own_server):
    server = own_server({"BRIM_EVENTS_TENANT_RANGES": "127.0.0.0/8"})
    sns, s3 = client(server), connect(server)
    bucket, topic = new_bucket(s3), sns.create_topic(Name="uploads")["TopicArn"]
    with Receiver() as one, Receiver() as two:
        arns = [sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=to.url)["SubscriptionArn"] for to in (one, two)]
        rule = {"Id": "r", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [rule]})
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        for arn, receiver in zip(arns, (one, two)):
            attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
            wait_until(lambda: any(b'"k"' in body for _, body in receiver.taken), 20, "a delivery")
            documents = [verified(attributes["BrimSigningSecret"], *delivery) for delivery in receiver.taken]
            records = [document["Records"][0] for document in documents if "Records" in document]
            assert [record["s3"]["object"]["key"] for record in records] == ["k"]
            assert records[0]["s3"]["configurationId"] == "r"
        sns.unsubscribe(SubscriptionArn=arns[0])
        before = len(one.taken)
        s3.put_object(Bucket=bucket, Key="second", Body=b"x")
        wait_until(lambda: any(b'"second"' in body for _, body in two.taken), 20, "a delivery")
        assert len(one.taken) == before
        one.shutdown()
        two.shutdown()
