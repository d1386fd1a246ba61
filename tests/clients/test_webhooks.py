"""Webhooks from end to end: `brim webhook` and the configuration file, with the receivers of the documentation."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from brim import wait_until
from conftest import connect, new_bucket

RECEIVERS = Path(__file__).parents[2] / "docs" / "receivers"
SECONDS = 30
ARN = "arn:aws:sqs:us-east-1:000000000000:"


class Receiver:
    """A receiver of the documentation, as its own process."""

    def __init__(self, argv, log):
        self.log = log
        self.process = subprocess.Popen([str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=log.open("wb"))
        wait_until(lambda: "ready on" in log.read_text(), SECONDS, "the receiver")
        self.url = re.search(r"ready on (\S+)", log.read_text())[1]

    def lines(self):
        return [line for line in self.log.read_text().splitlines() if "ready on" not in line]

    def verified(self, what):
        return [line for line in self.lines() if line.startswith(f"verified: {what} ")]


@contextmanager
def receiving(argv, log):
    receiver = Receiver(argv, log)
    try:
        yield receiver
    finally:
        receiver.process.terminate()
        receiver.process.wait(SECONDS)


def python_receiver(secret_file, listen="127.0.0.1:0"):
    return [sys.executable, "-u", RECEIVERS / "receiver.py", "--secret-file", secret_file, "--listen", listen]


def node_receiver(secret_file):
    return ["node", RECEIVERS / "receiver.mjs", secret_file, "127.0.0.1:0"]


def webhook(server, *arguments, status=0):
    argv = [os.environ["SERVER_BINARY"], "webhook", *map(str, arguments), "--data", str(server.data)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def as_json(server, *arguments):
    return json.loads(webhook(server, *arguments, "--json"))


def secret(path, text):
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


def notify(s3, bucket, name, *events):
    rule = {"Id": "rule", "QueueArn": ARN + name, "Events": list(events) or ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]})


@pytest.mark.parametrize("receiver", [python_receiver, node_receiver])
def test_the_receivers_of_the_documentation_verify_what_they_are_told(server, s3, tmp_path, receiver):
    name = "docs-" + receiver.__name__
    made = as_json(server, "add", name, "--url", "http://127.0.0.1:9/", "--timeout", "2s")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]{44}", made["secret"])
    bucket = new_bucket(s3)
    with receiving(receiver(secret(tmp_path / "secret", made["secret"])), tmp_path / "log") as there:
        replaced = as_json(server, "add", name, "--url", there.url, "--replace")
        assert "secret" not in replaced, "a secret is shown once"
        notify(s3, bucket, name)
        s3.put_object(Bucket=bucket, Key="red flower+é.jpg", Body=b"x")
        wait_until(lambda: there.verified(f"ObjectCreated:Put s3://{bucket}/red flower+é.jpg"), SECONDS, "the event")
        assert there.verified(f"s3:TestEvent s3://{bucket}")
        assert not [line for line in there.lines() if line.startswith("refused")]

        # With another secret nothing is believed, and it is in the delivery log.
        as_json(server, "rotate-secret", name, "--keep", "0")
        assert "401" in webhook(server, "test", name, status=1)
        assert "refused: no signature is right" in there.lines()
    webhook(server, "remove", name)


@pytest.mark.parametrize("receiver", [python_receiver, node_receiver])
def test_who_breaks_off_ends_no_receiver_of_the_documentation(server, tmp_path, receiver):
    name = "broken-" + receiver.__name__
    made = as_json(server, "add", name, "--url", "http://127.0.0.1:9/")
    with receiving(receiver(secret(tmp_path / "secret", made["secret"])), tmp_path / "log") as there:
        address = urllib.parse.urlsplit(there.url)
        with socket.create_connection((address.hostname, address.port), SECONDS) as stranger:
            stranger.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc")
        as_json(server, "add", name, "--url", there.url, "--replace")
        webhook(server, "test", name)
        assert there.process.poll() is None
    webhook(server, "remove", name)


def test_two_secrets_sign_while_one_takes_the_place_of_the_other(server, tmp_path):
    old = as_json(server, "add", "rotated", "--url", "http://127.0.0.1:9/")["secret"]
    rotated = as_json(server, "rotate-secret", "rotated")
    new = rotated["secret"]
    assert new != old and "two, the one before until" in json.dumps(rotated)
    for one in (old, new):
        with receiving(python_receiver(secret(tmp_path / "secret", one)), tmp_path / "log") as there:
            as_json(server, "add", "rotated", "--url", there.url, "--replace")
            webhook(server, "test", "rotated")
    assert old not in webhook(server, "show", "rotated") and new not in webhook(server, "list", "--json")
    webhook(server, "remove", "rotated")


def test_what_happens_while_a_webhook_is_paused_is_told_when_it_is_resumed(server, s3, tmp_path):
    made = as_json(server, "add", "paused", "--url", "http://127.0.0.1:9/")
    bucket = new_bucket(s3)
    with receiving(python_receiver(secret(tmp_path / "secret", made["secret"])), tmp_path / "log") as there:
        as_json(server, "add", "paused", "--url", there.url, "--replace", "--ordering", "key")
        notify(s3, bucket, "paused")
        assert as_json(server, "pause", "paused")["webhook"]["state"] == "paused"
        for number in range(5):
            s3.put_object(Bucket=bucket, Key=f"key-{number}", Body=b"x")
        time.sleep(0.5)
        assert not there.verified(f"ObjectCreated:Put s3://{bucket}/key-0")
        webhook(server, "resume", "paused")
        for number in range(5):
            wait_until(lambda: there.verified(f"ObjectCreated:Put s3://{bucket}/key-{number}"), SECONDS, f"key-{number}")

        # The delivery log is written a moment later, several attempts at a time.
        wait_until(lambda: len(as_json(server, "deliveries", "paused")) == 6, SECONDS, "the test and five deliveries")
        attempts = as_json(server, "deliveries", "paused", "--limit", "3")
        assert len(attempts) == 3 and all(attempt["status"] == 204 for attempt in attempts)

        # What there is, told again: as many objects, under ids of their own.
        webhook(server, "replay", "paused", "--present", "--bucket", bucket, "--prefix", "key-")
        wait_until(lambda: len(there.verified(f"ObjectCreated:Put s3://{bucket}/key-4")) == 2, SECONDS, "the replay")
    webhook(server, "remove", "paused")


def test_what_nobody_takes_is_a_dead_letter_until_it_is_replayed(server, s3, tmp_path):
    made = as_json(server, "add", "dead", "--url", "http://127.0.0.1:9/", "--retry", "10ms,20ms", "--timeout", "1s")
    bucket = new_bucket(s3)
    rule = {"QueueArn": ARN + "dead", "Events": ["s3:ObjectCreated:*"]}
    with pytest.raises(ClientError) as refused:
        notify(s3, bucket, "dead")
    assert "Unable to validate" in refused.value.response["Error"]["Message"], "the test message finds nobody there"
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]}, SkipDestinationValidation=True
    )
    s3.put_object(Bucket=bucket, Key="lost", Body=b"x")
    wait_until(lambda: as_json(server, "dead", "dead"), SECONDS, "the dead letter")
    (letter,) = as_json(server, "dead", "dead")
    assert letter["event"]["key"] == "lost" and letter["attempts"] == 3 and letter["error"]
    failed = [each for each in as_json(server, "deliveries", "dead", "--failed") if each["message"] == letter["message"]]
    assert [each["attempt"] for each in failed] == [3, 2, 1]
    assert "lost" in webhook(server, "dead", "dead") and "lost" in webhook(server, "deliveries", "dead")

    with receiving(python_receiver(secret(tmp_path / "secret", made["secret"])), tmp_path / "log") as there:
        as_json(server, "add", "dead", "--url", there.url, "--replace")
        webhook(server, "replay", "dead", "--dead")
        wait_until(lambda: there.verified(f"ObjectCreated:Put s3://{bucket}/lost"), SECONDS, "the replay")
        assert letter["message"] in there.verified(f"ObjectCreated:Put s3://{bucket}/lost")[0]
        wait_until(lambda: not as_json(server, "dead", "dead"), SECONDS, "the dead letter to go")
    webhook(server, "remove", "dead")


def test_what_cannot_work_is_refused_with_a_reason(server, tmp_path):
    def refused(*arguments, status=2):
        return webhook(server, "add", "wrong", *arguments, status=status)

    for url, why in [
        ("ftp://a.example", "begins with https://"),
        ("https://me:hunter2@a.example", "user name or a password"),
        ("http://2130706433/", "no IP address"),
        ("https://a.example:0", "a port is a number"),
    ]:
        said = refused("--url", url)
        assert why in said and "hunter2" not in said, said
    assert "certificates are given" in refused("--url", "http://a.example", "--ca-file", "ca.pem")
    assert "nowhere.pem" in refused("--url", "https://a.example", "--ca-file", tmp_path / "nowhere.pem", status=1)
    assert "expected a number from 1 to 256" in refused("--url", "http://a.example", "--concurrency", "0")
    assert "host is set by Brim itself" in refused("--url", "http://a.example", "--header", "Host: a")
    open_to_all = secret(tmp_path / "token", "Bearer hunter2")
    open_to_all.chmod(0o644)
    assert "other users" in refused("--url", "http://a.example", "--authorization-file", open_to_all, status=1)
    assert "there is no webhook nothing" in webhook(server, "show", "nothing", status=1)
    assert webhook(server, "list").count("wrong") == 0


def test_the_file_declares_webhooks_and_sighup_reads_it_again(own_server, tmp_path):
    secrets = secret(tmp_path / "hook.secret", "whsec_" + "A" * 44)
    config = tmp_path / "brim.toml"

    def declare(*names, url="http://127.0.0.1:9/", more=""):
        tables = [f'[[webhooks]]\nname = "{name}"\nurl = "{url}"\nsecret_file = "hook.secret"\n{more}' for name in names]
        config.write_text("\n".join(tables))

    declare("one")
    server = own_server({"BRIM_CONFIG": str(config)})
    s3 = connect(server)
    bucket = new_bucket(s3)
    for arguments in [("remove", "one"), ("rotate-secret", "one"), ("add", "one", "--url", "http://a.example", "--replace")]:
        assert "declared by the configuration file: change it there" in webhook(server, *arguments, status=1)

    def names():
        return [each["name"] for each in as_json(server, "list")]

    with receiving(python_receiver(secrets), tmp_path / "log") as there:
        declare("one", "two", url=there.url)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: names() == ["one", "two"], SECONDS, "the second webhook")
        notify(s3, bucket, "two")
        s3.put_object(Bucket=bucket, Key="a", Body=b"x")
        wait_until(lambda: there.verified(f"ObjectCreated:Put s3://{bucket}/a"), SECONDS, "the event")

        # A file with a fault changes nothing.
        declare("one", url=there.url, more='timeout = "soon"\n')
        server.process.send_signal(signal.SIGHUP)
        log = Path(server.log.name)
        wait_until(lambda: "timeout is \"soon\"" in log.read_text().replace("\\", ""), SECONDS, "the fault in the log")
        assert names() == ["one", "two"]
        declare("two", url=there.url)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: names() == ["two"], SECONDS, "the first webhook to go")
    assert server.stop() == 0
    assert "A" * 20 not in log.read_text()
    assert "only a running server has webhooks" in webhook(server, "list", status=1)


def test_metrics_name_each_webhook(server, requests_session):
    as_json(server, "add", "measured", "--url", "http://127.0.0.1:9/")

    def series():
        text = requests_session.get(f"{server.admin}/metrics").text
        return [line for line in text.splitlines() if 'webhook="000000000000/measured"' in line]

    wait_until(lambda: any(line.startswith("brim_webhook_backlog{") for line in series()), SECONDS, "the series")
    webhook(server, "remove", "measured")
