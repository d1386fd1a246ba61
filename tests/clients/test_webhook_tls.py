"""Webhooks over HTTPS: authorities of one's own, certificates of clients, and those that do not match."""

import ssl

import pytest
from authority import Authority
from brim import wait_until
from receiver import Receiver
from test_webhooks import as_json, webhook

SECONDS = 60


@pytest.fixture
def authority(tmp_path):
    directory = tmp_path / "authority"
    directory.mkdir()
    return Authority(directory)


@pytest.fixture
def secure(authority):
    """Starts receivers that show a certificate for these names, to clients that show one of the authority."""
    started = []

    def start(name, *names):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(name, *names))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.path)
        started.append(Receiver(context))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def added(server):
    """Adds webhooks, and removes them at the end."""
    names = []

    def add(name, url, *options):
        names.append(name)
        as_json(server, "add", name, "--url", url, "--timeout", "10s", *options)
        return name

    yield add
    for name in names:
        webhook(server, "remove", name)


def test_an_authority_and_a_certificate_of_one_s_own(server, secure, added, authority):
    there = secure("receiver", "IP:127.0.0.1", "DNS:localhost")
    chain, key = authority.issue("client", "DNS:client.test")
    own = ("--ca-file", authority.path, "--client-cert", chain, "--client-key", key)
    webhook(server, "test", added("tls-address", there.url, *own))
    webhook(server, "test", added("tls-name", there.url.replace("127.0.0.1", "localhost"), *own))
    assert len(there.received) == 2

    # Nothing but the handshake is between a wrong certificate and the message: it is never sent.
    trusted_by_nobody = webhook(server, "test", added("tls-stranger", there.url, *own[2:]), status=1)
    assert "certificate" in trusted_by_nobody.lower(), trusted_by_nobody
    webhook(server, "test", added("tls-nobody", there.url, *own[:2]), status=1)
    assert len(there.received) == 2


def test_a_certificate_for_another_name_is_refused_and_in_the_delivery_log(server, secure, added, authority):
    there = secure("other", "DNS:other.test")
    chain, key = authority.issue("client", "DNS:client.test")
    name = added("tls-other", there.url, "--ca-file", authority.path, "--client-cert", chain, "--client-key", key)
    told = webhook(server, "test", name, status=1)
    assert "certificate" in told.lower() and not there.received, told
    wait_until(lambda: "certificate" in webhook(server, "deliveries", name).lower(), SECONDS, "the delivery log")


def test_what_can_be_known_of_certificates_is_refused_at_once(server, authority, tmp_path):
    chain, key = authority.issue("client", "DNS:client.test")
    key.chmod(0o644)
    url = ("--url", "https://127.0.0.1:9/")
    assert "client_key must be given" in webhook(server, "add", "tls-refused", *url, "--client-cert", chain, status=2)
    for options in (
        ("--client-cert", chain, "--client-key", key), ("--ca-file", tmp_path / "missing.pem"), ("--ca-file", key),
    ):
        told = webhook(server, "add", "tls-refused", *url, *options, status=1)
        assert options[-1].name in told, told
    webhook(server, "show", "tls-refused", status=1)
