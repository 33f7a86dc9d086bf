"""What a server may say over HTTP/2, frame by frame, and what becomes of the request."""

import tracemalloc
from collections.abc import Callable

import pytest
import trio

from tests.protocols.http.h2.speaking import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    OK,
    PADDED,
    PING,
    PRIORITIZED,
    PRIORITY,
    PUSH,
    RST,
    SETTINGS,
    WINDOW,
    Speaker,
    answering,
    data,
    frame,
    goaway,
    head,
    literal,
    reset,
    response,
    settings,
    speaking,
    update,
)
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

KNOWN = {"http_versions": "2-prior-knowledge"}

# What is taken, with the body that comes of it.
TAKEN: dict[str, tuple[Callable[[int], bytes], bytes]] = {
    "plain": (response, b"ok"),
    "without body": (lambda s: head(s, ends=True), b""),
    "empty DATA": (lambda s: head(s) + data(s, b""), b""),
    "body in pieces": (
        lambda s: head(s) + data(s, b"a", ends=False) * 9 + data(s, b"b"),
        b"a" * 9 + b"b",
    ),
    "end in a frame of its own": (
        lambda s: head(s) + data(s, b"ok", ends=False) + data(s, b""),
        b"ok",
    ),
    "head in pieces": (
        lambda s: (
            frame(HEADERS, 0, s, OK)
            + frame(CONTINUATION, 0, s, literal(b"a", b"b"))
            + frame(CONTINUATION, END_HEADERS, s, literal(b"c", b"d"))
            + data(s)
        ),
        b"ok",
    ),
    "padding": (
        lambda s: (
            frame(HEADERS, END_HEADERS | PADDED, s, b"\x03" + OK + bytes(3))
            + frame(DATA, END_STREAM | PADDED, s, b"\x02ok\0\0")
        ),
        b"ok",
    ),
    "padding alone": (lambda s: head(s) + frame(DATA, END_STREAM | PADDED, s, b"\x02\0\0"), b""),
    "a priority": (
        lambda s: frame(HEADERS, END_HEADERS | PRIORITIZED, s, bytes(5) + OK) + data(s),
        b"ok",
    ),
    "padding and a priority": (
        lambda s: (
            frame(HEADERS, END_HEADERS | PRIORITIZED | PADDED, s, b"\x01" + bytes(5) + OK + b"\0")
            + data(s)
        ),
        b"ok",
    ),
    "early hints": (lambda s: head(s, b"\x08\x03103") + response(s), b"ok"),
    "a hundred informational responses": (
        lambda s: head(s, b"\x08\x03102") * 100 + response(s),
        b"ok",
    ),
    "switching protocols, which HTTP/2 does not": (
        lambda s: head(s, b"\x08\x03101") + response(s),
        b"ok",
    ),
    "trailers": (
        lambda s: head(s) + data(s, ends=False) + head(s, literal(b"a", b"b"), ends=True),
        b"ok",
    ),
    "frames between": (
        lambda s: (
            settings(streams=7)
            + frame(PING, 0, 0, b"12345678")
            + frame(PRIORITY, 0, s, bytes(5))
            + update(0, 5)
            + update(s, 5)
            + head(s)
            + frame(0x77, 0xFF, s, b"unknown")
            + data(s)
        ),
        b"ok",
    ),
    "unknown settings": (lambda s: frame(SETTINGS, 0, 0, b"\x99\x99\0\0\0\0") + response(s), b"ok"),
    "frames of a stream that is over": (lambda s: response(s) + update(s, 1) + reset(s, 8), b"ok"),
    "frames of the stream before": (
        lambda s: (
            (data(s - 2) + head(s - 2, literal(b"a", b"b"), ends=True) if s > 1 else b"")
            + response(s)
        ),
        b"ok",
    ),
    "a reset behind the end": (lambda s: response(s) + reset(s, 0), b"ok"),
    "a server that goes, but not yet": (lambda s: goaway(2**31 - 1) + response(s), b"ok"),
    "no content": (lambda s: head(s, b"\x89", ends=True), b""),
    "not modified, with the length that it would have": (
        lambda s: head(s, b"\x8b" + literal(b"content-length", b"5"), ends=True),
        b"",
    ),
    "a reserved bit": (lambda s: response(s | 1 << 31), b"ok"),
    "connection-specific fields": (
        lambda s: head(s, OK + literal(b"connection", b"close")) + data(s),
        b"ok",
    ),
}


@pytest.mark.parametrize("kind", TAKEN)
@in_real_time
async def test_what_the_protocol_allows_is_taken_again_and_again(kind: str) -> None:
    answer, body = TAKEN[kind]
    async with answering(answer) as server, a_tester(**KNOWN) as tester:
        responses = [await tester.client.get(server.url) for _ in range(3)]

    assert [response.error for response in responses] == [""] * 3
    assert [response.content for response in responses] == [body] * 3
    assert [row[1] for row in tester.rows] == [0] * 3
    assert tester.tags()["proto"] == "HTTP/2.0"


STREAM, CONNECTION = (
    "http2: stream error with http2 ErrCode",
    "http2: connection error with http2 ErrCode",
)
PROTOCOL, SIZE, FLOW = "PROTOCOL_ERROR", "FRAME_SIZE_ERROR", "FLOW_CONTROL_ERROR"

# What one request fails by, while the connection goes on.
STREAM_FAULTS: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    "reset": (lambda s: reset(s, 2), 1633, f"{STREAM} INTERNAL_ERROR"),
    "reset midway": (lambda s: head(s) + data(s, ends=False) + reset(s, 8), 1639, f"{STREAM} CANCEL"),
    "reset for an unknown reason": (lambda s: reset(s, 99), 1630, f"{STREAM} unknown error code 0x63"),
    "data before the head": (data, 1632, f"{STREAM} {PROTOCOL}: DATA before HEADERS"),
    "no status": (lambda s: head(s, literal(b"a", b"b"), ends=True), 1632, f"{STREAM} {PROTOCOL}: a head without status"),
    "two statuses": (lambda s: head(s, OK + OK, ends=True), 1632, f"{STREAM} {PROTOCOL}: a pseudo-header out of place"),
    "a status behind a field": (
        lambda s: head(s, literal(b"a", b"b") + OK, ends=True), 1632, f"{STREAM} {PROTOCOL}: a pseudo-header out of place",
    ),
    "a pseudo-header of requests": (
        lambda s: head(s, OK + literal(b":path", b"/"), ends=True), 1632, f"{STREAM} {PROTOCOL}: a pseudo-header out of place",
    ),
    "a status that is none": (
        lambda s: head(s, b"\x08\x042000", ends=True), 1632, f"{STREAM} {PROTOCOL}: a status that is no number of three digits",
    ),
    "a name in capitals": (
        lambda s: head(s, OK + literal(b"Ab", b"c"), ends=True), 1632, f"{STREAM} {PROTOCOL}: a header name with other characters than it may have",
    ),
    "a name with a space": (
        lambda s: head(s, OK + literal(b"a b", b"c"), ends=True), 1632, f"{STREAM} {PROTOCOL}: a header name with other characters than it may have",
    ),
    "an empty name": (
        lambda s: head(s, OK + literal(b"", b"c"), ends=True), 1632, f"{STREAM} {PROTOCOL}: a header name with other characters than it may have",
    ),
    "a value that splits the response": (
        lambda s: head(s, OK + literal(b"a", b"b\r\nset-cookie: c=d"), ends=True),
        1632, f"{STREAM} {PROTOCOL}: a header value with control characters",
    ),
    "an informational response that ends": (
        lambda s: head(s, b"\x08\x03103", ends=True), 1632, f"{STREAM} {PROTOCOL}: an informational response that is the end",
    ),
    "data behind an informational response": (
        lambda s: head(s, b"\x08\x03103") + data(s), 1632, f"{STREAM} {PROTOCOL}: DATA before HEADERS",
    ),
    "trailers that do not end": (
        lambda s: head(s) + head(s, literal(b"a", b"b")), 1632, f"{STREAM} {PROTOCOL}: trailers that are not the end",
    ),
    "trailers with a status": (
        lambda s: head(s) + data(s, ends=False) + head(s, ends=True), 1632, f"{STREAM} {PROTOCOL}: trailers with a status",
    ),
    "less than the length": (lambda s: response(s, block=OK + literal(b"content-length", b"5")), 1000, "unexpected EOF"),
    "more than the length": (
        lambda s: response(s, block=OK + literal(b"content-length", b"1")),
        1000, "net/http: server replied with more than declared Content-Length; truncated",
    ),
    "a window update by nothing": (lambda s: update(s, 0), 1632, f"{STREAM} {PROTOCOL}: WINDOW_UPDATE by nothing"),
    "a window without end": (
        lambda s: update(s, 2**31 - 1), 1634, f"{STREAM} {FLOW}: a window of more than 2 GiB",
    ),
    "a priority of another size": (
        lambda s: frame(PRIORITY, 0, s, b"123"), 1637, f"{STREAM} {SIZE}: PRIORITY that has not five bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STREAM_FAULTS)
@in_real_time
async def test_a_fault_of_one_stream_fails_its_request_and_the_connection_stays(kind: str) -> None:
    answer, code, text = STREAM_FAULTS[kind]
    async with answering(answer, response) as server, a_tester(**KNOWN) as tester:
        failed = await tester.client.get(server.url)
        after = await tester.client.get(server.url)

    assert (failed.status_code, failed.error_code, failed.error) == (0, code, text)
    assert (after.status_code, after.content) == (200, b"ok")
    assert server.connections == 1


# What ends the connection, and with it all requests on it.
VIOLATIONS: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    "a promise": (lambda s: frame(PUSH, END_HEADERS, s, b"\0\0\0\x02" + OK), 1652, f"{CONNECTION} {PROTOCOL}: PUSH_PROMISE, which was declined"),
    "data of a stream to come": (lambda s: data(s + 10), 1652, f"{CONNECTION} {PROTOCOL}: DATA of a stream that was never opened"),
    "data of no stream": (lambda s: data(0), 1652, f"{CONNECTION} {PROTOCOL}: DATA of a stream that was never opened"),
    "a head of the server's own": (lambda s: head(2), 1652, f"{CONNECTION} {PROTOCOL}: HEADERS of a stream that was never opened"),
    "a reset of a stream to come": (lambda s: reset(s + 2, 8), 1652, f"{CONNECTION} {PROTOCOL}: RST_STREAM of a stream that was never opened"),
    "a reset of another size": (lambda s: frame(RST, 0, s, b"123"), 1657, f"{CONNECTION} {SIZE}: RST_STREAM that has not four bytes"),
    "a priority of no stream": (lambda s: frame(PRIORITY, 0, 0, bytes(5)), 1652, f"{CONNECTION} {PROTOCOL}: PRIORITY of no stream"),
    "settings of a stream": (lambda s: frame(SETTINGS, 0, s), 1652, f"{CONNECTION} {PROTOCOL}: SETTINGS of a stream"),
    "settings of another size": (lambda s: frame(SETTINGS, 0, 0, b"abc"), 1657, f"{CONNECTION} {SIZE}: SETTINGS of another size"),
    "settings acknowledged with settings": (lambda s: frame(SETTINGS, 1, 0, bytes(6)), 1657, f"{CONNECTION} {SIZE}: SETTINGS of another size"),
    "frames too small": (lambda s: settings(frame=1), 1652, f"{CONNECTION} {PROTOCOL}: MAX_FRAME_SIZE of 1"),
    "frames too large": (lambda s: settings(frame=2**24), 1652, f"{CONNECTION} {PROTOCOL}: MAX_FRAME_SIZE of 16777216"),
    "first windows too large": (lambda s: settings(window=2**31), 1654, f"{CONNECTION} {FLOW}: INITIAL_WINDOW_SIZE of 2147483648"),
    "windows that grow too large": (
        lambda s: update(s, 2**31 - 1 - 65_535) + settings(window=65_536), 1654, f"{CONNECTION} {FLOW}: a window of more than 2 GiB",
    ),
    "a ping of a stream": (lambda s: frame(PING, 0, s, bytes(8)), 1652, f"{CONNECTION} {PROTOCOL}: PING of a stream"),
    "a ping of another size": (lambda s: frame(PING, 0, 0, b"abc"), 1657, f"{CONNECTION} {SIZE}: PING that has not eight bytes"),
    "a goodbye of a stream": (lambda s: frame(7, 0, s, bytes(8)), 1652, f"{CONNECTION} {PROTOCOL}: GOAWAY of a stream"),
    "a goodbye of another size": (lambda s: frame(7, 0, 0, bytes(4)), 1657, f"{CONNECTION} {SIZE}: GOAWAY of less than eight bytes"),
    "a window update by nothing": (lambda s: update(0, 0), 1652, f"{CONNECTION} {PROTOCOL}: WINDOW_UPDATE by nothing"),
    "a window without end": (lambda s: update(0, 2**31 - 1), 1654, f"{CONNECTION} {FLOW}: a window of more than 2 GiB"),
    "a window update of another size": (lambda s: frame(WINDOW, 0, 0, b"123"), 1657, f"{CONNECTION} {SIZE}: WINDOW_UPDATE that has not four bytes"),
    "a window update of a stream to come": (
        lambda s: update(s + 2, 1), 1652, f"{CONNECTION} {PROTOCOL}: WINDOW_UPDATE of a stream that was never opened",
    ),
    "a continuation of nothing": (lambda s: frame(CONTINUATION, 4, s, OK), 1652, f"{CONNECTION} {PROTOCOL}: CONTINUATION without HEADERS"),
    "a head that is interrupted": (
        lambda s: frame(HEADERS, 0, s, OK) + frame(PING, 0, 0, bytes(8)), 1652, f"{CONNECTION} {PROTOCOL}: a header block that is interrupted",
    ),
    "a head that another stream continues": (
        lambda s: frame(HEADERS, 0, s, OK) + frame(CONTINUATION, 4, s + 2, OK),
        1652, f"{CONNECTION} {PROTOCOL}: a header block that is interrupted",
    ),
    "a head that goes on with nothing": (
        lambda s: frame(HEADERS, 0, s, OK) + frame(CONTINUATION, 0, s), 1662, f"{CONNECTION} ENHANCE_YOUR_CALM: CONTINUATION with nothing in it",
    ),
    "a head without end": (
        lambda s: frame(HEADERS, 0, s, OK) + frame(CONTINUATION, 0, s, bytes(16_000)) * 9,
        1000, "server response headers exceeded 131072 bytes; aborted",
    ),
    "a head that grows": (
        lambda s: head(s, OK + b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000 + b"\xbe" * 40), 1000, "server response headers exceeded 131072 bytes; aborted",
    ),
    "more padding than data": (
        lambda s: head(s) + frame(DATA, PADDED, s, b"\xffab"), 1652, f"{CONNECTION} {PROTOCOL}: more padding than the frame has bytes",
    ),
    "more padding than head": (
        lambda s: frame(HEADERS, 12, s, b"\x02\x88"), 1652, f"{CONNECTION} {PROTOCOL}: more padding than the frame has bytes",
    ),
    "padding without its length": (
        lambda s: head(s) + frame(DATA, PADDED, s), 1657, f"{CONNECTION} {SIZE}: a padded frame without the length of its padding",
    ),
    "a priority that is cut": (
        lambda s: frame(HEADERS, 0x24, s, b"123"), 1657, f"{CONNECTION} {SIZE}: HEADERS that end in their priority",
    ),
    "a head that cannot be decoded": (
        lambda s: head(s, b"\xc9"), 1660, f"{CONNECTION} COMPRESSION_ERROR: a header block that cannot be decoded",
    ),
    "a head that is cut": (
        lambda s: head(s, b"\x40\x05ab"), 1660, f"{CONNECTION} COMPRESSION_ERROR: a header block that ends within a field",
    ),
    "a number without end": (
        lambda s: head(s, b"\xff" * 9), 1660, f"{CONNECTION} COMPRESSION_ERROR: a number of a header block without end",
    ),
    "a table that grows too large": (
        lambda s: head(s, b"\x3f\xff\xff\x03" + OK), 1660, f"{CONNECTION} COMPRESSION_ERROR: a header block that cannot be decoded",
    ),
    "a frame too large": (lambda s: b"\x40\0\1\0\0" + s.to_bytes(4), 1000, "http2: frame too large"),
    "the end": (lambda s: b"", 1000, "unexpected EOF"),
    "the end midway": (lambda s: head(s) + data(s, ends=False), 1000, "unexpected EOF"),
    "the end in a frame": (lambda s: response(s)[:-1], 1000, "unexpected EOF"),
    "a goodbye, and the end": (lambda s: goaway(s, 11), 1622, "http2: received GoAway with http2 ErrCode ENHANCE_YOUR_CALM"),
}  # fmt: skip


@pytest.mark.parametrize("kind", VIOLATIONS)
@in_real_time
async def test_a_violation_fails_the_request_and_the_next_one_gets_another_connection(
    kind: str,
) -> None:
    answer, code, text = VIOLATIONS[kind]
    calls = 0

    async def speech(speaker: Speaker) -> None:
        nonlocal calls
        calls += 1
        await speaker.greet()
        stream = await speaker.request()
        await speaker.send(answer(stream) if calls == 1 else response(stream))
        if calls == 1 and kind.endswith(("the end", "the end midway", "the end in a frame")):
            await speaker.end()
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        failed = await tester.client.get(server.url)
        after = await tester.client.get(server.url)

    assert (failed.status_code, failed.error_code, failed.error) == (0, code, text)
    assert (after.status_code, after.content) == (200, b"ok")
    assert server.connections == 2


@in_real_time
async def test_a_body_that_is_not_wanted_is_dropped_as_it_comes() -> None:
    piece, pieces = bytes(16_000), 500

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        while True:
            stream = await speaker.request()
            await speaker.send(head(stream))
            for _ in range(pieces):
                await speaker.send(data(stream, piece, ends=False))
            await speaker.send(data(stream, b""))

    options = {**KNOWN, "discard_response_bodies": True, "max_response_size": 9_000_000}
    async with speaking(speech) as server, a_tester(**options) as tester:
        await tester.client.get(server.url)  # what is made once
        tracemalloc.start()
        try:
            got = await tester.client.get(server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        kept = await tester.client.get(server.url, discard_response_body=False)
        async with tester.client.stream("GET", server.url) as streamed:
            size = len(await streamed.aread())

    assert (got.status_code, got.content) == (200, b"")
    assert peak < 3_000_000
    assert len(kept.content) == size == 8_000_000
    assert [row[1] for row in tester.rows] == [0] * 4


@in_real_time
async def test_a_body_that_is_not_wanted_may_have_any_size() -> None:
    options = {**KNOWN, "max_response_size": 1000}
    large = bytes(16_000)
    async with (
        answering(response, lambda stream: response(stream, large)) as server,
        a_tester(**options) as tester,
    ):
        first = await tester.client.get(server.url)
        dropped = await tester.client.get(server.url, discard_response_body=True)
        refused = await tester.client.get(server.url)

    assert (first.content, dropped.status_code, dropped.content) == (b"ok", 200, b"")
    assert refused.error == "response body exceeded 1000 bytes"
