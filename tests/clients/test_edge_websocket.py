"""WebSocket through the edge: a library's server behind it, the same library's client before it."""

import ssl
import threading

import pytest
from authority import Authority
from edge import Edge
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve

MESSAGE_BYTES = 4 << 20
PATIENCE = 60


def talk(socket):
    """Says each message back, then which protocol was agreed on; ends where it is asked to."""
    for message in socket:
        if message == "end":
            socket.close(4000, "as asked")
            return
        socket.send(message if message != "protocol" else str(socket.subprotocol))


def only_below_socket(connection, request):
    if not request.path.startswith("/socket"):
        return connection.respond(403, "not here\n")
    return None


@pytest.fixture
def origin():
    server = serve(talk, "127.0.0.1", 0, subprotocols=["chat"], process_request=only_below_socket, max_size=None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.socket.getsockname()[1]}"
    server.shutdown()


@pytest.fixture
def edge(tmp_path, origin):
    authority = Authority(tmp_path)
    chain, key = authority.issue("edge", "DNS:localhost")
    running = Edge(
        tmp_path,
        f'tls_listen = ["127.0.0.1:0"]\n[[certificate]]\ncert = "{chain}"\nkey = "{key}"\n'
        f'[[site]]\nhosts = ["*"]\norigin = "http://{origin}"\n',
    )
    running.authority = authority.path
    yield running
    assert running.stop() == 0


def opened(edge, scheme, path="/socket/1"):
    url = (edge.secure_url if scheme == "wss" else edge.url).replace("http", "ws", 1)
    tls = {"ssl": ssl.create_default_context(cafile=edge.authority), "server_hostname": "localhost"} if scheme == "wss" else {}
    return connect(url + path, max_size=None, open_timeout=PATIENCE, close_timeout=PATIENCE, proxy=None, subprotocols=["other", "chat"], **tls)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_messages_of_all_kinds_go_both_ways(edge, scheme):
    with opened(edge, scheme) as socket:
        assert socket.subprotocol == "chat"
        for message in ("text", b"\x00\xff", "protocol", "x" * MESSAGE_BYTES, bytes(MESSAGE_BYTES)):
            socket.send(message)
            assert socket.recv(PATIENCE) == ("chat" if message == "protocol" else message)
        assert socket.ping().wait(PATIENCE)
        socket.send("end")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(PATIENCE)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "as asked")


def test_an_origin_that_refuses_is_heard_and_others_go_on(edge):
    with opened(edge, "ws") as socket:
        with pytest.raises(InvalidStatus) as refused:
            opened(edge, "ws", "/elsewhere")
        assert (refused.value.response.status_code, refused.value.response.body) == (403, b"not here\n")
        socket.send("still")
        assert socket.recv(PATIENCE) == "still"
