"""What a stop does to requests under way, and what a kill leaves of what was acknowledged."""

import os
import socket
import stat
import threading
import time

from conftest import connect
from brim import Keys, wait_until
from expect import MIB, body_of, fails, noise

ROUNDS = 4
WRITERS = 4


def begin_put(server, client, key, length):
    """Opens a connection and sends the head of a presigned PUT; the body is the test's to send."""
    url = client.generate_presigned_url("put_object", Params={"Bucket": "kept", "Key": key})
    connection = socket.create_connection((server.host, server.port), timeout=30)
    path = url.removeprefix(server.endpoint)
    connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nContent-Length: {length}\r\n\r\n".encode())
    return connection


def test_sigterm_lets_an_upload_under_way_finish(own_server):
    first = own_server()
    client = connect(first)
    client.create_bucket(Bucket="kept")
    data = noise(2 * MIB)
    with begin_put(first, client, "slow", len(data)) as upload:
        upload.sendall(data[:MIB])
        time.sleep(0.5)
        first.terminate()
        time.sleep(1.5)
        assert first.process.poll() is None, "the server must wait for the upload"
        upload.sendall(data[MIB:])
        assert upload.recv(4096).startswith(b"HTTP/1.1 200")
    assert first.wait() == 0
    assert body_of(connect(own_server()).get_object(Bucket="kept", Key="slow")) == data


def test_a_graceful_stop_is_quick_when_nothing_runs(own_server):
    server = own_server()
    connect(server).create_bucket(Bucket="idle")
    idle = socket.create_connection((server.host, server.port))
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    idle.close()


def test_a_kill_loses_nothing_that_was_acknowledged(own_server):
    expected = {}
    server = own_server()
    connect(server).create_bucket(Bucket="kept")
    for round_number in range(ROUNDS):
        acknowledged = [write_until_it_dies(server, f"{round_number}/{writer}") for writer in range(WRITERS)]
        wait_until(lambda: all(len(one) > 5 for one in acknowledged), 30, "acknowledged writes")
        server.kill()
        for one in acknowledged:
            one.thread.join(30)
            expected.update(one)
        server = own_server()
        client = connect(server)
        for key, size in expected.items():
            assert body_of(client.get_object(Bucket="kept", Key=key)) == noise(size, key), key
    listed = {entry["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket="kept") for entry in page["Contents"]}
    assert set(expected) <= listed
    for key in sorted(listed - set(expected)):  # written, but killed before the answer: whole or absent, never torn
        assert body_of(client.get_object(Bucket="kept", Key=key)) == noise(size_of(int(key.rsplit("/", 1)[1])), key)


def size_of(number):
    """Small ones live in the database, large ones in files."""
    return 200_000 if number % 3 == 0 else 500


class Acknowledged(dict):
    thread = None


def write_until_it_dies(server, prefix):
    """Writes objects one after the other in a thread until the server is gone; gives key -> size of the acknowledged."""
    done = Acknowledged()

    def write():
        client = connect(server)
        for number in range(10_000):
            key = f"{prefix}/{number}"
            try:
                client.put_object(Bucket="kept", Key=key, Body=noise(size_of(number), key))
            except Exception:  # whatever way the connection broke
                return
            done[key] = size_of(number)

    done.thread = threading.Thread(target=write)
    done.thread.start()
    return done


def test_an_open_upload_survives_a_kill(own_server):
    server = own_server()
    client = connect(server)
    client.create_bucket(Bucket="kept")
    names = {"Bucket": "kept", "Key": "k", "UploadId": client.create_multipart_upload(Bucket="kept", Key="k")["UploadId"]}
    part = client.upload_part(PartNumber=1, Body=noise(5 * MIB), **names)
    server.kill()
    client = connect(own_server())
    assert [entry["PartNumber"] for entry in client.list_parts(**names)["Parts"]] == [1]
    second = client.upload_part(PartNumber=2, Body=b"end", **names)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}, {"PartNumber": 2, "ETag": second["ETag"]}]
    client.complete_multipart_upload(MultipartUpload={"Parts": [dict(p) for p in parts]}, **names)
    assert body_of(client.get_object(Bucket="kept", Key="k")) == noise(5 * MIB) + b"end"


def test_the_credentials_are_made_once_and_are_private(own_server):
    first = own_server()
    keys = first.keys
    assert stat.S_IMODE(os.stat(first.credentials_file).st_mode) == 0o600
    assert len(keys.secret_key) >= 40 and keys.access_key != keys.secret_key
    first.stop()
    assert own_server().keys == keys


def test_the_root_key_can_be_given_by_environment(own_server):
    given = {"BRIM_ROOT_ACCESS_KEY_ID": "given-key-id-0001", "BRIM_ROOT_SECRET_ACCESS_KEY": "given/secret+with=signs/and-length"}
    server = own_server(given)
    keys = Keys(given["BRIM_ROOT_ACCESS_KEY_ID"], given["BRIM_ROOT_SECRET_ACCESS_KEY"])
    connect(server, keys=keys).create_bucket(Bucket="given")


def test_a_second_server_on_the_same_data_is_refused(own_server):
    own_server()
    try:
        own_server()
    except AssertionError as refused:
        assert "no ready line" in str(refused)
    else:
        raise AssertionError("two servers must not share a data directory")


def test_an_aborted_upload_leaves_nothing(own_server):
    server = own_server()
    client = connect(server)
    client.create_bucket(Bucket="kept")
    with begin_put(server, client, "torn", 1_000_000) as connection:
        connection.sendall(noise(300_000))
    client.put_object(Bucket="kept", Key="fence", Body=b"")
    fails("404", 404, client.head_object, Bucket="kept", Key="torn")
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket="kept")["Contents"]] == ["fence"]
