"""Certificates from an authority: pebble issues them, for hours or for seconds, or has reasons not to."""

import os
import socket
import ssl
import stat
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest
import requests
from acme import Pebble, Relay
from authority import Authority
from brim import Brim, wait_until
from conftest import connect

HOURS = 3600 * 24
ISSUE_SECONDS = 60


@pytest.fixture
def relay():
    relay = Relay()
    yield relay
    relay.close()


@pytest.fixture
def pebble(tmp_path, relay):
    """Starts an authority whose certificates are good for so many seconds."""
    directory = tmp_path / "authority"
    directory.mkdir()
    authority, started = Authority(directory), []

    def start(seconds):
        started.append(Pebble(authority, relay, seconds))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def brim(tmp_path, relay):
    """Starts servers that order from an authority, again and again on the same data."""
    started = []

    def start(pebble, **options):
        environment = {
            "BRIM_ACME_DIRECTORY": pebble.directory, "BRIM_ACME_CA_BUNDLE": str(pebble.authority.path),
            "BRIM_ACME_AGREE_TERMS": "true", "BRIM_ACME_EMAIL": "admin@brim.test", "BRIM_WEBSITE_TLS_LISTEN": "127.0.0.1:0",
            "BRIM_S3_TLS_LISTEN": "127.0.0.1:0", **options,
        }
        relay.target = None
        started.append(Brim(tmp_path / "data", environment))
        relay.target = urllib.parse.urlsplit(started[-1].website).port
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            assert one.stop() == 0


def log_of(server):
    return Path(server.log.name).read_text()


def shown(endpoint, host, root):
    """The certificate that a client is shown who asks for `host` and trusts `root`: its number; None where it is refused."""
    address = urllib.parse.urlsplit(endpoint)
    trust = ssl.create_default_context(cafile=root)
    try:
        with socket.create_connection((address.hostname, address.port), 10) as plain:
            with trust.wrap_socket(plain, server_hostname=host) as secure:
                return secure.getpeercert()["serialNumber"]
    except ssl.SSLError:
        return None


def issued(server, host, root, seconds=ISSUE_SECONDS):
    wait_until(lambda: shown(server.secure_website, host, root), seconds, f"a certificate for {host}; see {server.log.name}")
    return shown(server.secure_website, host, root)


def publish(server, name):
    """Makes a public bucket a website with one page."""
    s3 = connect(server)
    s3.create_bucket(Bucket=name)
    s3.delete_public_access_block(Bucket=name)
    statement = f'{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{name}/*"}}'
    s3.put_bucket_policy(Bucket=name, Policy=f'{{"Version":"2012-10-17","Statement":[{statement}]}}')
    s3.put_bucket_website(Bucket=name, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    s3.put_object(Bucket=name, Key="index.html", Body=f"<h1>{name}</h1>".encode(), ContentType="text/html")


def fetch(server, host, root):
    """GET of `host` over HTTPS with curl, which asks for it by its name."""
    port = urllib.parse.urlsplit(server.secure_website).port
    words = ["curl", "--silent", "--show-error", "--cacert", root, "--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/"]
    done = subprocess.run([str(word) for word in words], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_certificate_is_issued_served_and_kept(pebble, brim, relay, tmp_path):
    authority = pebble(30 * HOURS)
    root = authority.root()
    server = brim(authority, BRIM_ACME_DOMAINS="site.test,s3.site.test")
    publish(server, "site.test")
    number = issued(server, "site.test", root)
    assert issued(server, "s3.site.test", root) != number
    assert shown(server.secure_endpoint, "s3.site.test", root)
    assert shown(server.secure_website, "other.test", root) is None
    assert fetch(server, "site.test", root) == "<h1>site.test</h1>"

    # Plain HTTP leads there; the authority's own question was answered in the clear.
    answer = requests.get(server.website + "/x?y", headers={"Host": "site.test"}, allow_redirects=False, timeout=10)
    port = urllib.parse.urlsplit(server.secure_website).port
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://site.test:{port}/x?y")
    assert any(line.startswith("GET /.well-known/acme-challenge/") for line in relay.requests)
    stranger = requests.get(server.website + "/.well-known/acme-challenge/x", headers={"Host": "site.test"}, allow_redirects=False, timeout=10)
    assert stranger.status_code in (403, 404)

    series = 'brim_certificate_not_after_seconds{certificate="site.test"}'
    wait_until(lambda: series in requests.get(server.admin + "/metrics", timeout=10).text, 30, "the metric")

    folder = tmp_path / "data" / "acme"
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in kept} >= {"account.json", "site.test.pem", "s3.site.test.pem"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    # A restart needs no authority.
    assert server.stop() == 0
    authority.stop()
    orders = log_of(server).count("ordering a certificate")
    again = brim(authority, BRIM_ACME_DOMAINS="site.test,s3.site.test")
    assert shown(again.secure_website, "site.test", root) == number
    assert log_of(again).count("ordering a certificate") == orders


def test_a_short_life_is_renewed_in_time_and_outlives_its_authority(pebble, brim):
    authority = pebble(45)
    root = authority.root()
    server = brim(authority, BRIM_ACME_DOMAINS="site.test")
    first = issued(server, "site.test", root)
    renewed = time.monotonic() + 45
    while shown(server.secure_website, "site.test", root) == first:
        assert time.monotonic() < renewed, "it was not renewed"
        time.sleep(0.2)
    assert shown(server.secure_website, "site.test", root), "at no time is there none"
    assert "ERROR" not in log_of(server)

    # The one that there is stays in use when no other can be had, and the operator is told.
    authority.stop()
    number = shown(server.secure_website, "site.test", root)
    wait_until(lambda: "a certificate was not renewed" in log_of(server), 60, "the next renewal")
    assert shown(server.secure_website, "site.test", root) == number
    wait_until(lambda: "brim_acme_failing_domains 1" in requests.get(server.admin + "/metrics", timeout=10).text, 30, "the alarm")
    assert 'brim_acme_orders_total{outcome="failed"} 1' in requests.get(server.admin + "/metrics", timeout=10).text


def test_a_domain_that_cannot_be_proved_holds_up_no_other(pebble, brim):
    authority = pebble(30 * HOURS)
    root = authority.root()
    authority.forget_name("a.test")
    server = brim(authority, BRIM_ACME_DOMAINS="a.test,b.test")
    issued(server, "b.test", root)
    line = next(line for line in log_of(server).splitlines() if "there is no certificate" in line)
    assert "a.test" in line and "the authority could not convince itself" in line, line
    # Not again within minutes.
    assert log_of(server).count("ordering a certificate") == 2
    assert shown(server.secure_website, "a.test", root) is None


def test_domains_of_sites_get_a_certificate_once_they_are_sites(pebble, brim):
    authority = pebble(30 * HOURS)
    root = authority.root()
    server = brim(authority, BRIM_ACME_SITES="true")
    s3 = connect(server)
    s3.create_bucket(Bucket="pail")
    for domain, bucket in (("www.site.test", "pail"), ("empty.site.test", "pail-two")):
        if bucket != "pail":
            s3.create_bucket(Bucket=bucket)
        words = [os.environ["SERVER_BINARY"], "site", "add", domain, "--bucket", bucket, "--data", server.data]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BRIM_")}
        done = subprocess.run([str(word) for word in words], capture_output=True, timeout=30, env=environment)
        assert done.returncode == 0, done.stderr.decode()
    s3.put_bucket_website(Bucket="pail", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    issued(server, "www.site.test", root)
    ordered = [line for line in log_of(server).splitlines() if "ordering a certificate" in line]
    assert len(ordered) == 1 and "www.site.test" in ordered[0], ordered


def test_an_authority_that_lost_its_memory_gets_a_new_account(pebble, brim):
    authority = pebble(45)
    server = brim(authority, BRIM_ACME_DOMAINS="site.test")
    issued(server, "site.test", authority.root())
    authority.stop()
    authority.run()
    issued(server, "site.test", authority.root())
    assert "the authority does not know the account" in log_of(server)
