"""The change log as a stream: server-sent events read by a plain HTTP client, MinIO's own streams by MinIO's client."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from brim import wait_until
from conftest import REGION, connect, new_bucket
from minio import Minio
from test_sns import client, user

PATH = "/_brim/events"


class Stream:
    """One stream of server-sent events, read by the rules of the HTML standard."""

    def __init__(self, server, keys=None, last=None, **query):
        keys = keys or server.keys
        path = PATH + ("?" + urlencode(query, doseq=True) if query else "")
        request = AWSRequest("GET", server.endpoint + path)
        SigV4Auth(Credentials(keys.access_key, keys.secret_key), "brim", REGION).add_auth(request)
        headers = dict(request.headers) | ({"Last-Event-ID": last} if last else {})
        split = urlsplit(server.endpoint)
        self.connection = http.client.HTTPConnection(split.hostname, split.port, timeout=30)
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        self.status, self.last = self.answer.status, last

    def document(self):
        return json.loads(self.answer.read())

    def next(self):
        """The next event: its name and its data. `None` at the end of the stream."""
        name, data = "", []
        while line := self.answer.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "id":
                self.last = value
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "" and not value:
                if data:
                    return name, json.loads("\n".join(data))
                name = ""
        return None

    def keys(self, count):
        """The keys of the next events, as they stand in the records."""
        return [self.next()[1]["Records"][0]["s3"]["object"]["key"] for _ in range(count)]

    def __enter__(self):
        assert self.status == 200, self.answer.read()
        assert self.answer.headers["content-type"] == "text/event-stream"
        name, opened = self.next()
        if name == "open":
            assert opened["position"] == self.last
        else:
            self.gap = opened
        return self

    def __exit__(self, *_):
        self.connection.close()


def test_a_reader_hears_of_what_happens_and_goes_on_where_it_was(server, s3, bucket):
    with Stream(server, bucket=bucket) as stream:
        s3.put_object(Bucket=bucket, Key="a b", Body=b"xyz")
        s3.delete_object(Bucket=bucket, Key="a b")
        name, data = stream.next()
        record = data["Records"][0]
        assert name == record["eventName"] == "ObjectCreated:Put"
        assert record["s3"]["bucket"]["name"] == bucket
        assert record["s3"]["object"]["key"] == "a+b" and record["s3"]["object"]["size"] == 3
        assert int(record["s3"]["object"]["sequencer"], 16) == int(stream.last.split(":")[1])
        between = stream.last
        assert stream.next()[0] == "ObjectRemoved:Delete"
    s3.put_object(Bucket=bucket, Key="later", Body=b"")
    with Stream(server, bucket=bucket, last=between) as stream:
        assert stream.keys(2) == ["a+b", "later"]
    with Stream(server, bucket=bucket, after=between) as stream:
        assert stream.keys(2) == ["a+b", "later"]


def test_filters_choose(server, s3, bucket):
    other = new_bucket(s3)
    asked = {"prefix": "in/", "suffix": ".jpg", "events": ["s3:ObjectCreated:*", "s3:ObjectTagging:Put"]}
    with Stream(server, bucket=bucket, **asked) as one, Stream(server, events="s3:ObjectRemoved:*", prefix="in/") as every:
        for where, key in [(other, "in/0.jpg"), (bucket, "in/1.png"), (bucket, "out.jpg"), (bucket, "in/2.jpg")]:
            s3.put_object(Bucket=where, Key=key, Body=b"x")
        s3.delete_object(Bucket=bucket, Key="in/2.jpg")
        s3.delete_object(Bucket=other, Key="in/0.jpg")
        s3.put_object(Bucket=bucket, Key="in/3.jpg", Body=b"x")
        assert one.keys(2) == ["in/2.jpg", "in/3.jpg"]
        assert every.keys(2) == ["in/2.jpg", "in/0.jpg"]


def test_a_position_of_another_log_is_a_gap_and_the_stream_goes_on(server, s3, bucket):
    with Stream(server, bucket=bucket, last="0" * 32 + ":5") as stream:
        assert stream.gap["reason"] == "other-log" and stream.gap["to"] == stream.last
        s3.put_object(Bucket=bucket, Key="next", Body=b"")
        assert stream.keys(1) == ["next"]


def test_requests_that_cannot_be_meant_are_refused(server, bucket):
    for query, status in [
        ({"after": "5"}, 400),
        ({"events": "s3:Nonsense"}, 400),
        ({"limit": "3"}, 400),
        ({"bucket": "no-such-bucket-here"}, 404),
    ]:
        stream = Stream(server, **query)
        assert stream.status == status and stream.document()["message"], query
    listener = user(server, {"Action": "s3:ListBucket", "Resource": "*"})
    for query in [{}, {"bucket": bucket}]:
        stream = Stream(server, listener, **query)
        assert stream.status == 403 and stream.document()["code"] == "AccessDenied"


def test_a_key_that_is_disabled_stops_receiving(server, s3, bucket):
    keys = user(server, {"Action": "s3:ListenBucketNotification", "Resource": f"arn:aws:s3:::{bucket}"})
    with Stream(server, keys, bucket=bucket) as stream:
        s3.put_object(Bucket=bucket, Key="one", Body=b"")
        assert stream.keys(1) == ["one"]
        iam = client(server, service="iam")
        name = client(server, keys, service="sts").get_caller_identity()["Arn"].split("/")[-1]
        iam.update_access_key(UserName=name, AccessKeyId=keys.access_key, Status="Inactive")
        s3.put_object(Bucket=bucket, Key="two", Body=b"")
        assert stream.next() == ("end", {"reason": "denied"})
        assert stream.next() is None


def test_streams_of_an_account_are_bounded_whatever_its_keys_and_places_come_back(own_server):
    server = own_server()
    s3 = connect(server)
    bucket = new_bucket(s3)
    allowed = {"Action": "s3:ListenBucketNotification", "Resource": "*"}
    keys, others = user(server, allowed), user(server, allowed)
    streams = [Stream(server, both, bucket=bucket) for _ in range(32) for both in (keys, others)]
    try:
        assert {stream.status for stream in streams} == {200}
        assert Stream(server, keys, bucket=bucket).status == 503
        assert Stream(server, others, bucket=bucket).status == 503
    finally:
        for stream in streams:
            stream.answer.close()
            stream.connection.close()

    def is_free():
        # A client that is gone is noticed when something is sent to it.
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        stream = Stream(server, keys, bucket=bucket)
        stream.connection.close()
        return stream.status == 200

    wait_until(is_free, 30, "a place")


def test_a_stop_ends_streams_in_order_and_the_next_run_goes_on(own_server):
    server = own_server()
    s3 = connect(server)
    bucket = new_bucket(s3)
    with Stream(server, bucket=bucket) as stream:
        server.terminate()
        assert stream.next() == ("end", {"reason": "stopping"})
        assert stream.next() is None
        last = stream.last
    assert server.wait() == 0
    server = own_server()
    connect(server).put_object(Bucket=bucket, Key="after", Body=b"")
    with Stream(server, bucket=bucket, last=last) as stream:
        assert stream.keys(1) == ["after"]


@pytest.mark.timeout(180)
def test_nothing_is_lost_to_readers_that_come_and_go(server, s3, bucket):
    keys = [f"k{number:03}" for number in range(200)]
    heard, last = [], None
    with Stream(server, bucket=bucket) as stream:
        last = stream.last
    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(s3.put_object, Bucket=bucket, Key=key, Body=b"") for key in keys]
        while len(heard) < len(keys):
            with Stream(server, bucket=bucket, last=last) as stream:
                heard += stream.keys(min(23, len(keys) - len(heard)))
                last = stream.last
        for done in writing:
            done.result()
    assert sorted(heard) == keys


def minio(server, keys=None):
    keys = keys or server.keys
    host = server.endpoint.split("://")[1]
    return Minio(host, access_key=keys.access_key, secret_key=keys.secret_key, secure=False, region=REGION)


def test_minio_s_client_listens_to_a_bucket(server, s3, bucket):
    heard = []

    def listen():
        with minio(server).listen_bucket_notification(bucket, prefix="in/", suffix=".txt") as events:
            for event in events:
                heard.append(event["Records"][0])
                if heard[-1]["eventName"] == "s3:ObjectRemoved:Delete":
                    return

    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(listen)

        def is_heard():
            # The client does not tell when its stream has begun.
            s3.put_object(Bucket=bucket, Key="out.txt", Body=b"")
            s3.put_object(Bucket=bucket, Key="in/a b.txt", Body=b"xyz")
            return heard or listening.done()

        wait_until(is_heard, 30, "an event")
        s3.delete_object(Bucket=bucket, Key="in/a b.txt")
        listening.result(30)
    assert {record["eventName"] for record in heard} == {"s3:ObjectCreated:Put", "s3:ObjectRemoved:Delete"}
    assert {record["s3"]["object"]["key"] for record in heard} == {"in%2Fa+b.txt"}
    assert heard[0]["s3"]["bucket"]["name"] == bucket and heard[0]["s3"]["object"]["size"] == 3


def test_mc_watch_s_request_is_answered_with_lines(server, s3, bucket):
    """What `mc watch` sends: every bucket, `ping`, events that never happen here among those that do."""
    events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAccessed:*"]
    query = urlencode({"events": events, "ping": 1, "prefix": "", "suffix": ""}, doseq=True)
    request = AWSRequest("GET", f"{server.endpoint}/?{query}")
    S3SigV4Auth(Credentials(server.keys.access_key, server.keys.secret_key), "s3", REGION).add_auth(request)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    connection.request("GET", f"/?{query}", headers=dict(request.headers))
    answer = connection.getresponse()
    assert answer.status == 200
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    lines = []
    while len(lines) < 2:
        lines.append(json.loads(answer.readline()))
    told = [line for line in lines if line["Records"]]
    assert told[0]["Records"][0]["s3"]["bucket"]["name"] == bucket
    assert any(line["Records"] is None for line in lines)
    connection.close()


def test_listening_needs_its_permission_and_events_that_are_some(server, bucket):
    keys = user(server, {"Action": "s3:ListBucket", "Resource": "*"})
    for asked, path, query, status in [
        (keys, f"/{bucket}", {"events": "s3:ObjectCreated:*"}, 403),
        (keys, "/", {"events": "s3:ObjectCreated:*"}, 403),
        (server.keys, f"/{bucket}", {"events": "s3:Nonsense"}, 400),
        (server.keys, f"/{bucket}", {"events": "s3:ObjectCreated:*", "ping": "0"}, 400),
        (server.keys, "/no-such-bucket-here", {"events": "s3:ObjectCreated:*"}, 404),
    ]:
        request = AWSRequest("GET", f"{server.endpoint}{path}?{urlencode(query)}")
        S3SigV4Auth(Credentials(asked.access_key, asked.secret_key), "s3", REGION).add_auth(request)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
        connection.request("GET", f"{path}?{urlencode(query)}", headers=dict(request.headers))
        assert connection.getresponse().status == status, (path, query)
        connection.close()
