"""Clients that close early, trickle, flood, hang or talk nonsense do not hurt the API."""

import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_k6api.api import ApiError, ApiLimits, ApiServer, ApiSettings
from pytest_k6api.metrics import MetricSnapshot
from pytest_k6api.model import Contains, MetricKind, ScenarioSnapshot
from tests.api.fake import FakeLoadTest, FakeSession
from tests.api.wire import (
    GET_STATUS,
    connect,
    exchange,
    get,
    read_reply,
    read_until_eof,
    served,
    status_of,
)

pytestmark = pytest.mark.sockets

QUICK = ApiLimits(idle_time=0.2, body_time=0.2, send_time=0.3, grace=0.2)


def large_load_test() -> FakeLoadTest:
    """Return one whose list of metrics takes some megabytes."""
    load_test = FakeLoadTest()
    for number in range(4000):
        name = f"metric_{number}_{'x' * 100}"
        load_test.metrics[name] = MetricSnapshot(
            id=f"{name}{{tag:{'y' * 500}}}",
            name=name,
            kind=MetricKind.GAUGE,
            contains=Contains.DEFAULT,
            sample={"value": 1.0},
            extra={},
            samples=1,
        )
    return load_test


def test_the_connection_ends_after_a_reply_if_the_client_asked_for_it() -> None:
    with served() as address:
        reply = get(address, "/v1/status")

    assert status_of(reply) == 200
    assert b'"status":7' in reply


def test_a_connection_is_kept_for_the_next_request_and_closed_when_idle() -> None:
    with served(limits=QUICK) as address, connect(address) as connection:
        for _ in range(2):
            connection.sendall(GET_STATUS)
            assert status_of(read_reply(connection)) == 200

        assert connection.recv(1) == b""  # or its patience, of 5 s, is over


def test_pipelined_requests_are_answered_in_order() -> None:
    request = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /v1/nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    with served() as address:
        replies = exchange(address, request * 5 + last)

    assert replies.count(b"HTTP/1.1 200") == 5
    assert replies.endswith(b"404 page not found\n")


def test_http_1_0_without_a_host_is_answered() -> None:
    with served() as address:
        assert status_of(exchange(address, b"GET /v1/status HTTP/1.0\r\n\r\n")) == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET /v1/status HTTP/1.1\r\n\r\n",  # without a Host
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)) + b"\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"PATCH /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"PATCH /v1/status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/" + b"\xc3\xbc" + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n",
    ],
    ids=range(11),
)
def test_nonsense_is_refused_and_the_api_lives_on(garbage: bytes) -> None:
    with served() as address:
        reply = exchange(address, garbage)
        assert 300 <= status_of(reply) < 500
        assert b"Traceback" not in reply

        assert status_of(get(address, "/v1/status")) == 200


HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
UPGRADE_TO_HTTP2 = (
    b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
)
WEBSOCKET = (
    b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    "request_", [HTTP2, UPGRADE_TO_HTTP2, WEBSOCKET], ids=["http2", "h2c", "websocket"]
)
def test_other_protocols_get_nothing_of_the_api(request_: bytes) -> None:
    with served(limits=QUICK, token="secret") as address:
        reply = exchange(address, request_)
        assert b"running" not in reply

        assert status_of(get(address, "/v1/status", "Authorization: Bearer secret")) == 200


def test_a_gigabyte_is_refused_before_it_is_sent() -> None:
    head = b"PUT /v1/setup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n"

    with served() as address, connect(address) as connection:
        connection.sendall(head + b"x" * 300_000)
        reply = read_until_eof(connection)

    assert status_of(reply) == 413
    assert b'{"errors":[{"status":"413","title":"Body too large"' in reply


def test_an_endless_chunked_body_is_cut_off() -> None:
    head = b"PUT /v1/setup HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    with served(limits=replace(QUICK, body_bytes=100_000)) as address:
        with connect(address) as connection:
            connection.sendall(head)
            with pytest.raises(OSError, match=r"Broken pipe|reset"):
                connection.sendall(chunk * 2000)

        assert status_of(get(address, "/v1/status")) == 200


def test_a_client_that_waits_for_permission_to_send_gets_it() -> None:
    head = (
        b"PATCH /v1/status HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        b"Content-Length: 2\r\nConnection: close\r\n\r\n"
    )

    with served() as address, connect(address) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(b"{}")
        assert status_of(read_until_eof(connection)) == 200


def trickle(connection: socket.socket) -> None:
    for _ in range(1_000):
        connection.sendall(b"G")
        time.sleep(0.02)


def test_headers_that_trickle_are_not_waited_for() -> None:
    with (
        served(limits=QUICK) as address,
        connect(address) as connection,
        pytest.raises(OSError, match=r"Broken pipe|reset"),
    ):
        trickle(connection)


def test_a_query_of_thousands_of_parameters_is_read_like_any_other() -> None:
    with served() as address:
        reply = get(address, f"/v1/metrics/nope?{'a&=' * 2000}")

    assert status_of(reply) == 404


def test_a_body_that_trickles_is_answered_with_408() -> None:
    head = b"PATCH /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"

    with served(limits=QUICK) as address:
        assert status_of(exchange(address, head)) == 408


def test_a_client_that_never_reads_is_cut_off_and_others_are_answered() -> None:
    limits = ApiLimits(send_time=0.3)

    with (
        served(FakeSession(large_load_test()), limits=limits) as address,
        connect(address, receive_buffer=4096) as stuck,
    ):
        stuck.sendall(b"GET /v1/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status_of(get(address, "/v1/status")) == 200
        time.sleep(1.0)

        # Of three megabytes only what the kernels hold still comes.
        assert received_bytes(stuck) < 3_000_000


def received_bytes(connection: socket.socket) -> int:
    received = 0
    try:
        while data := connection.recv(65536):
            received += len(data)
    except ConnectionResetError:
        pass
    return received


def test_stopping_does_not_wait_for_a_client_that_never_reads() -> None:
    limits = ApiLimits(send_time=60.0, grace=0.2)
    server = ApiServer(
        FakeSession(large_load_test()), ApiSettings(address="127.0.0.1:0", limits=limits)
    )
    address = server.start().removeprefix("http://")
    with connect(address, receive_buffer=4096) as stuck:
        stuck.sendall(b"GET /v1/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status_of(get(address, "/ping")) == 200

        began = time.monotonic()
        server.stop()

        assert time.monotonic() - began < 30


def test_stopping_closes_idle_connections_and_event_streams_at_once() -> None:
    # The grace is long, so that only closing at once is in time.
    settings = ApiSettings(address="127.0.0.1:0", limits=ApiLimits(grace=30.0))
    server = ApiServer(FakeSession(FakeLoadTest()), settings)
    address = server.start().removeprefix("http://")
    with connect(address) as idle, connect(address) as listening:
        idle.sendall(GET_STATUS)
        assert status_of(read_reply(idle)) == 200
        listening.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in listening.recv(65536)

        began = time.monotonic()
        server.stop()

        assert time.monotonic() - began < 15
        assert read_until_eof(idle) == b""
        assert read_until_eof(listening).endswith(b"0\r\n\r\n")


def test_clients_that_vanish_leave_nothing_behind() -> None:
    at_once = struct.pack("ii", 1, 0)
    requests = [
        b"",
        b"GET /v1/sta",
        GET_STATUS,
        b"GET /v1/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PUT /v1/setup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12",
    ]

    with served(FakeSession(large_load_test())) as address:
        for request in requests * 5:
            connection = connect(address)
            connection.sendall(request)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            connection.close()

        assert status_of(get(address, "/v1/status")) == 200


def test_two_hundred_clients_are_answered_while_all_stay_connected() -> None:
    with served() as address:
        clients = [connect(address) for _ in range(200)]
        for client in clients:
            client.sendall(GET_STATUS)
        replies = [read_reply(client) for client in clients]
        for client in clients:
            client.close()

    assert {status_of(reply) for reply in replies} == {200}


def test_one_connection_too_many_takes_the_place_of_the_longest_idle() -> None:
    with served(limits=ApiLimits(connections=3)) as address:
        clients = [connect(address) for _ in range(3)]
        for client in clients:
            client.sendall(GET_STATUS)
            assert status_of(read_reply(client)) == 200

        assert status_of(get(address, "/v1/status")) == 200

        assert read_until_eof(clients[0]) == b""
        clients[1].sendall(GET_STATUS)
        assert status_of(read_reply(clients[1])) == 200
        for client in clients:
            client.close()


def test_one_connection_too_many_is_refused_while_all_others_are_busy() -> None:
    with served(limits=ApiLimits(connections=2)) as address:
        listeners = [connect(address) for _ in range(2)]
        for listener in listeners:
            listener.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" in listener.recv(100)

        assert status_of(exchange(address, GET_STATUS)) == 503
        for listener in listeners:
            listener.close()


def test_a_bug_of_ours_is_a_bare_500_for_the_client_and_a_warning_for_the_user() -> None:
    class Broken(FakeLoadTest):
        @property
        def scenarios(self) -> Sequence[ScenarioSnapshot]:
            raise RuntimeError("secret path")

    warned: list[str] = []
    server = ApiServer(
        FakeSession(Broken()), ApiSettings(address="127.0.0.1:0"), warn=warned.append
    )
    address = server.start().removeprefix("http://")

    reply = get(address, "/v1/scenarios")
    server.stop()

    assert status_of(reply) == 500
    assert b"secret" not in reply
    assert warned == ["the control API could not answer a request: RuntimeError('secret path')"]


def test_threads_switch_quickly_while_a_client_waits_and_as_before_soon_after() -> None:
    before, meanwhile = sys.getswitchinterval(), []

    class Watching(FakeLoadTest):
        @property
        def scenarios(self) -> Sequence[ScenarioSnapshot]:
            meanwhile.append(sys.getswitchinterval())
            return super().scenarios

    def is_as_before() -> bool:
        deadline = time.monotonic() + 20
        while sys.getswitchinterval() != before and time.monotonic() < deadline:
            time.sleep(0.01)
        return sys.getswitchinterval() == before

    with served(FakeSession(Watching())) as address, connect(address) as page:
        page.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in page.recv(100)
        assert is_as_before()  # though the page's reply has no end
        get(address, "/v1/scenarios")
        assert is_as_before()

    assert meanwhile
    assert max(meanwhile) < before / 10


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with served() as address:
        get(address, "/v1/status")
        exchange(address, b"nonsense\r\n\r\n")

    assert capfd.readouterr() == ("", "")


def test_a_break_down_of_the_thread_is_raised_at_the_end() -> None:
    server = ApiServer(FakeSession(), ApiSettings(address="127.0.0.1:0"))
    server.start()
    thread = next(t for t in threading.enumerate() if t.name.startswith("pytest-k6api"))
    assert thread.daemon
    assert server._token is not None

    def fail() -> None:
        raise OSError("the loop is gone")

    server._token.run_sync_soon(fail)
    thread.join(5)

    with pytest.raises(ApiError, match=r"^the control API broke down: "):
        server.stop()
    server.stop()
