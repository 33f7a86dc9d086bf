import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trustme

from pytest_k6api.model import (
    OptionError,
    Recorder,
    SampleBuffer,
    TagContext,
    TagTable,
    current_recorder,
)
from pytest_k6api.protocols.http import HTTP_ROWS, Client, HttpRuntime
from pytest_k6api.protocols.instrument import instrument
from pytest_k6api.protocols.instrument.foreign_errors import explain_httpx
from tests.protocols.http.serving import OK, Harness, Peer, replying, serving
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    return cast("ModuleType", pytest.importorskip(request.param))


@pytest.fixture
def rows() -> Iterator[Harness]:
    """Be a virtual user that stands in a group, as far as recording goes."""
    harness = Harness(HttpRuntime())
    token = current_recorder.set(harness.recorder)
    yield harness
    current_recorder.reset(token)


class Caller:
    """A client of either kind, called in the same way."""

    def __init__(self, library: ModuleType, *, is_async: bool, **options: Any) -> None:
        self.is_async = is_async
        self.library = library
        verify = options.pop("verify", True)
        vu = options.pop("vu", None)
        if is_async:
            transport = instrument(library.AsyncHTTPTransport(verify=verify), vu)
            self.client = library.AsyncClient(transport=transport, trust_env=False, **options)
        else:
            transport = instrument(library.HTTPTransport(verify=verify), vu)
            self.client = library.Client(transport=transport, trust_env=False, **options)

    async def get(self, url: str, **options: Any) -> Any:
        return await self.request("GET", url, **options)

    async def request(self, method: str, url: str, **options: Any) -> Any:
        if self.is_async:
            return await self.client.request(method, url, **options)
        return await trio.to_thread.run_sync(
            lambda: self.client.request(method, url, **options), abandon_on_cancel=True
        )

    async def close(self) -> None:
        if self.is_async:
            await self.client.aclose()
        else:
            self.client.close()


@pytest.fixture(params=[True, False], ids=["async", "sync"])
def calling(request: pytest.FixtureRequest, library: ModuleType) -> Any:
    @asynccontextmanager
    async def call(**options: Any) -> AsyncIterator[Caller]:
        caller = Caller(library, is_async=request.param, **options)
        yield caller
        await caller.close()

    return call


@in_real_time
async def test_a_request_leaves_the_row_that_ours_would(calling: Any, rows: Harness) -> None:
    async with replying(OK) as server, calling() as caller:
        response = await caller.get(f"{server.url}/cart")
        again = await caller.get(f"{server.url}/cart")

    assert (response.text, again.text, len(rows.rows)) == ("ok", "ok", 2)
    assert rows.tags() == {
        "method": "GET",
        "url": f"{server.url}/cart",
        "name": f"{server.url}/cart",
        "status": "200",
        "proto": "HTTP/1.1",
        "expected_response": "true",
    }


@in_real_time
async def test_phases_tell_connecting_waiting_and_receiving_apart(
    calling: Any, rows: Harness
) -> None:
    async def handler(peer: Peer) -> None:
        while await peer.head():
            await trio.sleep(0.1)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
            await trio.sleep(0.05)
            await peer.send(b"k")

    async with serving(handler) as server, calling() as caller:
        await caller.get(server.url)
        await caller.get(server.url)

    _, failed, duration, blocked, connecting, tls, sending, waiting, receiving, _ = rows.rows[0]
    assert failed == 0
    assert 0 < connecting <= blocked
    assert tls == 0
    # A busy machine reads late what came in time: it moves from one phase to the next.
    assert duration == sending + waiting + receiving >= 149_000
    assert waiting >= 50_000
    assert receiving >= 25_000
    assert rows.rows[1][4] == 0  # a connection used again


@in_real_time
async def test_a_request_names_and_tags_itself(calling: Any, rows: Harness) -> None:
    async with replying(NOT_FOUND) as server, calling() as caller:
        told = {"name": "a cart", "tags": {"team": 7}, "expected_statuses": 404}
        await caller.get(f"{server.url}/cart/17", extensions={"k6": told})

    assert rows.tags() == {
        "method": "GET",
        "url": "a cart",
        "name": "a cart",
        "team": "7",
        "status": "404",
        "proto": "HTTP/1.1",
        "expected_response": "true",
        "error_code": "1404",
    }


@in_real_time
async def test_the_virtual_user_says_which_statuses_are_no_failure(
    calling: Any, rows: Harness
) -> None:
    client = Client(HttpRuntime(), rows.recorder)
    client.expected_statuses = None
    async with (
        replying(NOT_FOUND) as server,
        calling() as strict,
        calling(vu=SimpleNamespace(http=client)) as lenient,
    ):
        await strict.get(server.url)
        await lenient.get(server.url)

    assert [row[1] for row in rows.rows] == [1, None]


@in_real_time
async def test_every_hop_of_a_redirect_is_a_request(calling: Any, rows: Harness) -> None:
    async with replying(MOVED, OK) as server, calling(follow_redirects=True) as caller:
        await caller.get(f"{server.url}/here", extensions={"k6": {"tags": {"team": "shop"}}})

    seen = [(rows.tags(i)["status"], rows.tags(i)["name"], rows.tags(i)["team"]) for i in (0, 1)]
    assert seen == [
        ("302", f"{server.url}/here", "shop"),
        ("200", f"{server.url}/there", "shop"),
    ]


@in_real_time
async def test_bytes_of_heads_and_bodies_are_counted(calling: Any, rows: Harness) -> None:
    async with replying(OK) as server, calling() as caller:
        await caller.request("POST", server.url, content=b"x" * 1000)

    assert rows.recorder.bytes_sent == len(server.heads[0]) + 1000
    assert rows.recorder.bytes_received == len(OK)


@in_real_time
async def test_a_refused_connection_is_a_row_with_our_error_and_an_exception_of_theirs(
    calling: Any, rows: Harness
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with calling() as caller:
        with pytest.raises(caller.library.ConnectError):
            await caller.get(url)

    assert rows.rows[0][1:9] == (1, 0, 0, 0, 0, 0, 0, 0)
    assert rows.tags() == {
        "method": "GET",
        "url": url,
        "name": url,
        "status": "0",
        "expected_response": "false",
        "error": "dial: connection refused",
        "error_code": "1212",
    }


@in_real_time
async def test_a_late_answer_is_a_timeout(calling: Any, rows: Harness) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await trio.sleep(5)

    async with serving(handler) as server, calling(timeout=0.1) as caller:
        with pytest.raises(caller.library.ReadTimeout):
            await caller.get(server.url)

    assert (rows.tags()["error_code"], rows.tags()["error"]) == ("1050", "request timeout")
    assert rows.rows[0][7] >= 99_000  # it waited


async def hang_up(peer: Peer) -> None:
    await peer.head()


async def hang_up_midway(peer: Peer) -> None:
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok")


async def reset(peer: Peer) -> None:
    await peer.head()
    await peer.reset()


async def talk_nonsense(peer: Peer) -> None:
    await peer.head()
    await peer.send(b"nonsense\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "code", "start"),
    [
        (hang_up, "1000", "EOF"),
        (hang_up_midway, "1000", "unexpected EOF"),
        (reset, "1220", "read: connection reset by peer"),
        (talk_nonsense, "1000", "RemoteProtocolError: "),
    ],
)
@in_real_time
async def test_a_broken_answer_is_told_in_our_words(
    calling: Any, rows: Harness, handler: Any, code: str, start: str
) -> None:
    async with serving(handler) as server, calling() as caller:
        with pytest.raises(caller.library.TransportError):
            await caller.get(server.url)

    assert len(rows.rows) == 1
    assert rows.tags()["error_code"] == code
    assert rows.tags()["error"].startswith(start)


@in_real_time
async def test_what_no_socket_was_needed_for_fails_too(calling: Any, rows: Harness) -> None:
    async with calling() as caller:
        with pytest.raises(caller.library.UnsupportedProtocol):
            await caller.get("gopher://127.0.0.1/")

    assert rows.tags()["error_code"] == "1020"


@in_real_time
async def test_tls_has_a_phase_a_version_and_its_own_errors(calling: Any, rows: Harness) -> None:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async with replying(OK, context=server_side) as server, calling(verify=trusting) as caller:
        await caller.get(server.url)
    assert rows.tags()["tls_version"] == "tls1.3"
    assert rows.rows[0][5] > 0

    async def handler(peer: Peer) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await peer.head()

    distrusting = ssl.create_default_context()
    async with serving(handler, server_side) as server, calling(verify=distrusting) as caller:
        with pytest.raises(caller.library.ConnectError):
            await caller.get(server.url)
    assert rows.tags()["error_code"] == "1310"


@in_real_time
async def test_a_streamed_body_counts_until_it_is_closed(
    library: ModuleType, rows: Harness
) -> None:
    transport = instrument(library.AsyncHTTPTransport())
    client = library.AsyncClient(transport=transport)
    async with replying(OK) as server, client, client.stream("GET", server.url):
        before = list(rows.rows)
        await trio.sleep(0.05)

    assert before == []
    assert rows.rows[0][2] >= 49_000
    assert rows.recorder.bytes_received == len(OK) - len(b"ok")  # which nobody read


@in_real_time
async def test_a_request_that_is_cut_off_leaves_no_row(library: ModuleType, rows: Harness) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok")
        await trio.sleep(5)

    transport = instrument(library.AsyncHTTPTransport())
    async with serving(handler) as server, library.AsyncClient(transport=transport) as client:
        with trio.move_on_after(0.1):
            await client.get(server.url)

    assert rows.rows == []
    assert rows.recorder.bytes_sent > 0


@in_real_time
async def test_their_own_trace_goes_on(library: ModuleType, rows: Harness) -> None:
    events: list[str] = []

    async def trace(event: str, info: object) -> None:
        events.append(event)

    transport = instrument(library.AsyncHTTPTransport())
    client = library.AsyncClient(transport=transport, follow_redirects=True)
    async with replying(MOVED, OK) as server, client:
        await client.get(server.url, extensions={"trace": trace})

    assert events.count("http11.send_request_headers.started") == 2
    assert len(rows.rows) == 2


@in_real_time
async def test_a_transport_in_the_process_has_waiting_alone(
    library: ModuleType, rows: Harness
) -> None:
    mock = library.MockTransport(lambda request: library.Response(200, text="ok"))
    async with library.AsyncClient(transport=instrument(mock)) as client:
        await client.get("http://shop/")

    _, failed, duration, _, connecting, tls, sending, waiting, receiving, _ = rows.rows[0]
    assert (failed, connecting, tls, sending) == (0, 0, 0, 0)
    assert duration == waiting + receiving


@in_real_time
async def test_without_a_virtual_user_requests_pass_unmeasured(calling: Any) -> None:
    async with replying(OK) as server, calling() as caller:
        response = await caller.get(server.url)

    assert response.text == "ok"


@in_real_time
async def test_each_request_is_recorded_for_the_user_that_makes_it(library: ModuleType) -> None:
    table = TagTable()
    recorders = [Recorder(SampleBuffer(), TagContext(table, {"vu": text})) for text in "12"]
    async with replying(OK) as server:
        transport = instrument(library.AsyncHTTPTransport())
        async with library.AsyncClient(transport=transport) as shared:

            async def visit(recorder: Recorder) -> None:
                current_recorder.set(recorder)
                await shared.get(server.url)

            async with trio.open_nursery() as nursery:
                for recorder in recorders:
                    nursery.start_soon(visit, recorder)

    assert [len(recorder.buffer.rows[HTTP_ROWS]) for recorder in recorders] == [1, 1]


@in_real_time
async def test_an_extension_with_a_spelling_mistake_is_refused(calling: Any, rows: Harness) -> None:
    async with calling() as caller:
        with pytest.raises(OptionError) as caught:
            await caller.get("http://127.0.0.1:1/", extensions={"k6": {"nam": "cart"}})

    assert str(caught.value) == (
        "the extension 'k6' of a request is a dict of expected_statuses, name, tags,"
        " got {'nam': 'cart'}"
    )


def test_what_is_no_transport_is_refused(library: ModuleType) -> None:
    with library.Client() as client, pytest.raises(TypeError, match="takes a transport of httpx"):
        instrument(client)


@pytest.mark.parametrize(
    ("name", "message", "text"),
    [
        (
            "RemoteProtocolError",
            "illegal status line: bytearray(b'secret 1')",
            "RemoteProtocolError: illegal status line",
        ),
        ("InvalidURL", "Invalid port: 'secret'", "invalid URL: Invalid port"),
        ("RemoteProtocolError", "<StreamReset stream_id:5>", "RemoteProtocolError"),
    ],
)
def test_the_words_for_an_error_are_few_and_quote_nothing(
    library: ModuleType, name: str, message: str, text: str
) -> None:
    error: Exception = getattr(library, name)(message)

    assert explain_httpx(error).text == text
