"""Servers that break HTTP/3 over a QUIC connection that is in order: every end is a sample."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("qh3")

from qh3.quic.connection import QuicConnectionError

from pytest_k6api.protocols.http.h3 import Http3Connection
from pytest_k6api.protocols.http.h3.frames import (
    DATA,
    GOAWAY,
    HEADERS,
    SETTINGS,
    frame,
    number,
)
from tests.protocols.http.h3.speaking import (
    EARLY_HINTS,
    GREETING,
    OK,
    Peer,
    Server,
    hello,
    literal,
    serving,
)
from tests.protocols.http.serving import Harness, a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

Step = Callable[[Peer, int], None]

# What a server may do in answer to a request. The second argument is the request's stream.


def say(data: bytes, peer: Peer, stream: int) -> None:
    peer.send(stream, data)


def end(peer: Peer, stream: int) -> None:
    peer.send(stream, b"", end=True)


def control(data: bytes, ends: bool, peer: Peer, _stream: int) -> None:
    peer.send(peer.control, data, end=ends)


def open_stream(kind: bytes, ends: bool, peer: Peer, _stream: int) -> None:
    fresh = peer.quic.get_next_available_stream_id(is_unidirectional=True)
    peer.send(max(fresh, 7), kind, end=ends)


def request(data: bytes, peer: Peer, _stream: int) -> None:
    peer.send(peer.quic.get_next_available_stream_id(), data)


def reset(code: int, which: int | None, peer: Peer, stream: int) -> None:
    peer.quic.reset_stream(stream if which is None else which, code)


def stop(code: int, which: int | None, peer: Peer, stream: int) -> None:
    peer.quic.stop_stream(stream if which is None else which, code)


def close(code: int, kind: int | None, peer: Peer, _stream: int) -> None:
    peer.quic.close(code, kind, "bye")


numbers = st.one_of(st.integers(0, 70), st.integers(0, 2**62 - 1))
sections = st.one_of(
    st.sampled_from(
        [
            b"\0\0\xd9",
            b"\0\0\xd8",
            b"\0\0",
            b"",
            b"\0\0\xd9" + literal(b"a", b"b"),
            b"\0\0" + literal(b"a", b"b") + b"\xd9",
            b"\0\0\xd9\xd9",
            b"\0\0\xd9\x54\x0299",
            b"\0\0\xff\xff\xff\xff\xff\xff\x7f",
            b"\2\0\xd9\x80",
            b"\0\0\xd9" + b"\x21a\x7f\xff\xff\xff\x07",
        ]
    ),
    st.binary(max_size=30),
)
framed = st.one_of(
    st.builds(frame, st.just(HEADERS), sections),
    st.builds(frame, st.just(DATA), st.binary(max_size=50)),
    st.builds(frame, numbers, st.binary(max_size=30)),
)
cut = st.builds(lambda data, at: data[: len(data) * at // 8], framed, st.integers(0, 8))
lying = st.builds(
    lambda kind, size, rest: number(kind) + number(size) + rest,
    st.one_of(st.sampled_from([DATA, HEADERS]), numbers),
    numbers,
    st.binary(max_size=30),
)
wire = st.one_of(framed, cut, lying, st.just(OK), st.just(EARLY_HINTS), st.binary(max_size=30))
codes = st.one_of(st.integers(0x100, 0x110), st.integers(0x200, 0x202), numbers)
controls = st.one_of(
    wire,
    st.builds(lambda first: frame(GOAWAY, number(first)), numbers),
    st.builds(lambda name, value: frame(SETTINGS, number(name) + number(value)), numbers, numbers),
)
where = st.sampled_from([None, None, 3, 2, 0, 11])
steps: st.SearchStrategy[Step] = st.one_of(
    *[st.builds(partial, st.just(say), wire)] * 6,
    st.just(partial(say, OK)),
    *[st.just(end)] * 3,
    st.builds(partial, st.just(control), controls, st.booleans()),
    st.builds(partial, st.just(open_stream), st.one_of(numbers.map(number), wire), st.booleans()),
    st.builds(partial, st.just(request), wire),
    st.builds(partial, st.just(reset), codes, where),
    st.builds(partial, st.just(stop), codes, where),
    st.builds(partial, st.just(close), codes, st.sampled_from([None, 0])),
)
greetings = st.sampled_from([True] * 7 + [False]).flatmap(
    lambda is_good: st.just(GREETING) if is_good else controls.map(lambda data: b"\0" + data)
)
limits = st.dictionaries(
    st.sampled_from(
        [
            "initial_max_data",
            "initial_max_stream_data_bidi_remote",
            "initial_max_stream_data_uni",
            "initial_max_streams_bidi",
            "initial_max_streams_uni",
        ]
    ),
    st.integers(0, 5),
    max_size=2,
)
TIMEOUT = 0.3


async def meet(script: Sequence[Step], greeting: bytes, told: Mapping[str, int]) -> None:
    """Ask a server that follows `script` at its first request in three ways, and see what is left."""

    def answer(peer: Peer, stream: int) -> None:
        if peer is not server.peers[0]:
            hello(peer, stream)
            return
        for step in script:
            with suppress(QuicConnectionError, ValueError, AssertionError):
                step(peer, stream)

    with TemporaryDirectory() as folder:
        async with (
            serving(Path(folder), answer, greeting=greeting, limits=told) as server,
            a_tester(verify=False, http_versions="3", timeout=TIMEOUT) as tester,
        ):
            with trio.fail_after(60):
                responses = await ask(tester, server)
            assert len(tester.rows) == 4
            assert all(got.error or got.status_code for got in responses)
            for connection in [*tester.runtime._connections]:
                assert isinstance(connection, Http3Connection)
                assert connection.session.streams == {}
                connection.close()


async def ask(tester: Harness, server: Server) -> list:  # type: ignore[type-arg]  # of responses
    client = tester.client
    responses = await client.batch([server.url, ("POST", server.url, {"content": b"x" * 3000})])
    async with client.stream("GET", server.url) as streamed:
        with suppress(Exception):
            await streamed.aread()
    return [*responses, await client.get(server.url)]


@in_real_time
async def test_codes_that_differ_each_time_make_few_series(tmp_path: Path) -> None:
    codes_in_turn = count(2**40)

    def answer(peer: Peer, stream: int) -> None:
        peer.quic.reset_stream(stream, next(codes_in_turn))

    async with (
        serving(tmp_path, answer) as server,
        a_tester(verify=False, http_versions="3", timeout=60.0) as tester,
    ):
        for _ in range(15):
            await tester.client.batch([server.url] * 90, at_once=90, at_once_per_host=90)

    assert len(tester.rows) == 1350
    assert len({row[0] for row in tester.rows}) <= 1001
    assert tester.tags()["error"] == "http3: stream error with unknown code"


LIMITS: list[tuple[dict[str, int], tuple[int, str]]] = [
    ({"initial_max_streams_bidi": 0}, (1050, "request timeout")),
    ({"initial_max_stream_data_bidi_remote": 0}, (1050, "request timeout")),
    ({"initial_max_data": 0}, (1050, "request timeout")),
    (
        {"initial_max_streams_uni": 0},
        (1650, "http3: the server takes no stream for a client's settings"),
    ),
]


@pytest.mark.parametrize(("told", "expected"), LIMITS)
@in_real_time
async def test_a_server_that_takes_nothing_is_given_up_in_time(
    tmp_path: Path, told: dict[str, int], expected: tuple[int, str]
) -> None:
    async with (
        serving(tmp_path, limits=told) as server,
        a_tester(
            verify=False, http_versions="3", timeout=0.5 if expected[0] == 1050 else 30
        ) as tester,
    ):
        got = await tester.client.get(server.url)

    assert (got.error_code, got.error) == expected
    assert len(server.peers) <= 1


@in_real_time
async def test_a_request_for_which_there_was_no_stream_has_the_times_of_its_own(
    tmp_path: Path,
) -> None:
    async with (
        serving(tmp_path, limits={"initial_max_streams_bidi": 1}) as server,
        a_tester(verify=False, http_versions="3", timeout=20.0) as tester,
    ):
        responses = [await tester.client.get(server.url) for _ in range(2)]

    assert [got.text for got in responses] == ["hello"] * 2
    assert [got.timings.duration > 0 for got in responses] == [True] * 2
    assert [got.timings.connecting > 0 for got in responses] == [True] * 2
    assert len(server.peers) == 2


@in_real_time
async def test_more_streams_than_are_allowed_end_the_connection(tmp_path: Path) -> None:
    def answer(peer: Peer, stream: int) -> None:
        if peer is server.peers[0]:
            for index in range(120):
                peer.send(7 + 4 * index, b"\x21")
        else:
            hello(peer, stream)

    async with (
        serving(tmp_path, answer, is_deaf=True) as server,
        a_tester(verify=False, http_versions="3", timeout=30.0) as tester,
    ):
        got = await tester.client.get(server.url)
        after = await tester.client.get(server.url)

    assert (got.error_code, got.error) == (
        1650,
        "http3: connection error with STREAM_LIMIT_ERROR: Unidirectional stream limit 103 exceeded",
    )
    assert after.text == "hello"


@in_real_time
async def test_frames_that_are_passed_over_take_no_memory(tmp_path: Path) -> None:
    unknown = frame(0x21, bytes(1000)) * 500

    def answer(peer: Peer, stream: int) -> None:
        peer.send(stream, unknown + OK + frame(DATA, b"hello") + unknown, end=True)
        peer.send(peer.control, unknown)

    async with (
        serving(tmp_path, answer) as server,
        a_tester(verify=False, http_versions="3", timeout=30.0) as tester,
    ):
        got = await tester.client.get(server.url)
        (connection,) = tester.runtime._connections
        assert isinstance(connection, Http3Connection)
        held = sum(len(reading.rest) for reading in connection.session._readings.values())

    assert got.text == "hello"
    assert held < 2000


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(steps, max_size=6),
            greetings,
            st.sampled_from([True] * 7 + [False]).flatmap(
                lambda any_: st.just({}) if any_ else limits
            ),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_a_server_does_each_request_is_a_sample(
    trials: list[tuple[list[Step], bytes, dict[str, int]]],
) -> None:
    open_before = open_files()

    @in_real_time
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            for trial in trials:
                nursery.start_soon(meet, *trial)

    run()

    assert open_files() <= open_before
