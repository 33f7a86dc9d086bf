"""Whatever a peer sends, a session ends it in a `Violation` or goes on: no crash, no growth."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("qh3")

from pytest_k6api.protocols.http.h3.frames import DATA, HEADERS, frame, number, read_number
from pytest_k6api.protocols.http.h3.qpack import PREFIX, FieldSections, encode_fields
from pytest_k6api.protocols.http.h3.session import Http3Session
from pytest_k6api.protocols.http.multiplexed import Stream, Violation
from tests.protocols.http.h3.speaking import EARLY_HINTS, GREETING, OK, Peer, literal, serving
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time


class NoConnection:
    """The connection of streams that nobody waits for."""

    received_at = 1
    task = None


def a_session(streams: int = 3) -> Http3Session:
    session = Http3Session(FieldSections())
    for index in range(streams):
        session.open(Stream(NoConnection()), 4 * index)  # type: ignore[arg-type]  # it is asked for no more
    return session


sections = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\0\0\xd9", b"\0\0\xd8", b"\0\0\xd9" + literal(b"a", b"b"), b"\2\0\x80"]),
)
frames = st.builds(
    frame,
    st.one_of(st.integers(0, 13), st.integers(0, 2**62 - 1)),
    st.one_of(sections, st.binary(max_size=40)),
)
streams = st.sampled_from([0, 4, 8, 12, 1, 3, 7, 11, 15, 2])
sent = st.lists(
    st.tuples(streams, st.one_of(frames, st.binary(max_size=30), st.just(OK)), st.booleans()),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(sent, st.booleans(), st.integers(1, 9))
def test_any_frames_in_any_pieces_end_properly(
    pieces: list[tuple[int, bytes, bool]], greets: bool, size: int
) -> None:
    session = a_session()
    with suppress(Violation):
        if greets:
            session.receive(3, GREETING, is_last=False)
        for stream, data, is_last in pieces:
            for start in range(0, len(data), size):
                session.receive(stream, data[start : start + size], is_last=False)
            if is_last:
                session.receive(stream, b"", is_last=True)
            session.reset(stream ^ 8, 0x100)

    assert len(session.streams) <= 3
    assert len(session.ended) <= 3


parts = st.sampled_from(
    [
        OK,
        OK,
        EARLY_HINTS,
        frame(HEADERS, b"\0\0\xd9\x54\x012"),  # content-length: 2
        frame(HEADERS, b"\0\0" + literal(b"a", b"b")),
        frame(DATA, b"ab"),
        frame(DATA, b"ab"),
        frame(DATA, b""),
        frame(DATA, b"abc")[:-1],
        frame(0x21, b"passed over"),
    ]
)


def outcome(session: Http3Session, number_: int, pieces: list[bytes]) -> tuple[object, ...]:
    """Return what becomes of a response whose last piece is its end."""
    stream = Stream(NoConnection())  # type: ignore[arg-type]  # as above
    stream.is_eager, stream.has_sent_all = False, True
    session.open(stream, number_)
    told = ""
    try:
        for index, piece in enumerate(pieces):
            session.receive(number_, piece, is_last=index == len(pieces) - 1)
    except Violation as violation:
        told = str(violation)
    wires = [None if block is None else block.wire for block in (stream.block, stream.trailers)]
    return stream.is_complete, *wires, stream.take_held(), stream.size, str(stream.error), told


@settings(max_examples=300)
@given(st.lists(st.lists(parts, max_size=4).map(b"".join), min_size=2, max_size=6))
def test_a_response_that_comes_whole_is_the_one_that_comes_in_pieces(wires: list[bytes]) -> None:
    session = a_session(0)

    for index, wire in enumerate(wires):
        whole = outcome(session, 4 * index, [wire])
        in_pieces = outcome(a_session(0), 0, [*map(bytes, zip(wire, strict=True)), b""])

        assert whole == in_pieces


@given(st.integers(0, 2**62 - 1), st.binary(max_size=5))
def test_a_number_is_read_as_it_was_written(value: int, rest: bytes) -> None:
    wire = number(value)

    assert read_number(wire + rest, 0) == (value, len(wire))
    assert read_number(wire[:-1], 0) == (-1, 0)


names = st.sampled_from(
    [b":method", b":path", b":authority", b"accept", b"cookie", b"x-y", b"n" * 300]
)


@given(st.lists(st.tuples(names, st.text(max_size=100).map(str.encode)), min_size=1, max_size=8))
def test_what_is_encoded_says_the_same_to_another_decoder(
    fields: list[tuple[bytes, bytes]],
) -> None:
    from qh3._hazmat import QpackDecoder

    _, decoded = QpackDecoder(0, 0).feed_header(0, PREFIX + encode_fields(fields))

    assert decoded == fields


@pytest.mark.sockets
@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 3, 7]), st.one_of(frames, st.binary(max_size=30))), max_size=5
    )
)
def test_any_answer_is_a_sample_and_no_exception(pieces: list[tuple[int, bytes]]) -> None:
    def answer(peer: Peer, stream: int) -> None:
        for where, data in pieces:
            peer.send(where or stream, data)
        peer.send(stream, b"", end=True)

    @in_real_time
    async def ask() -> None:
        with TemporaryDirectory() as folder:
            async with (
                serving(Path(folder), answer) as server,
                a_tester(verify=False, http_versions="3", timeout=2.0) as tester,
            ):
                await tester.client.get(server.url)
                assert len(tester.rows) == 1

    ask()


@pytest.mark.sockets
@settings(max_examples=10, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=1300), min_size=1, max_size=5))
def test_any_datagrams_are_passed_over(datagrams: list[bytes]) -> None:
    @in_real_time
    async def ask() -> None:
        with TemporaryDirectory() as folder:
            async with (
                serving(Path(folder), garbage=datagrams) as server,
                a_tester(verify=False, http_versions="3", timeout=5.0) as tester,
            ):
                responses = [await tester.client.get(server.url) for _ in range(2)]
                assert [got.text for got in responses] == ["hello"] * 2

    ask()
