"""Whatever a peer sends, a session ends it in a `Violation` or goes on: no crash, no growth."""

import random
from contextlib import suppress

import hpack
import pytest
from hpack.struct import HeaderTuple, NeverIndexedHeaderTuple
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.protocols.http.h2.header_blocks import ResponseBlocks
from pytest_k6api.protocols.http.h2.hpack import _NAMES, _WHOLE, classify, encode_block
from pytest_k6api.protocols.http.h2.session import Session
from pytest_k6api.protocols.http.multiplexed import SharedBlocks, Stream, Violation
from pytest_k6api.protocols.http.multiplexed.requests import request_fields
from tests.protocols.http.h2.speaking import OK, frame, literal

pytest.importorskip("jh2")

FIRST = frame(4, 0, 0)


class NoConnection:
    """The connection of streams that nobody waits for."""

    received_at = 1
    task = None


def a_session(streams: int = 3) -> Session:
    session = Session(ResponseBlocks(SharedBlocks()))
    for _ in range(streams):
        session.open(Stream(NoConnection()))  # type: ignore[arg-type]  # it is asked for no more
    return session


def feed(session: Session, data: bytes, pieces: list[int]) -> None:
    """Give `data` to `session` in pieces, until it has had enough."""
    with suppress(Violation):
        while data:
            size = pieces.pop() if pieces else len(data)
            session.receive(data[:size])
            data = data[size:]
            assert len(session._rest) < 16_384 + 9


blocks = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [OK, b"\x89", b"\x08\x03103", OK + literal(b"a", b"b"), b"\x40\x01a\x01b", b"\xbe"]
    ),
)
payloads = st.one_of(st.binary(max_size=40), st.binary(min_size=4, max_size=9), blocks)
frames = st.builds(
    frame,
    kind=st.one_of(st.integers(0, 9), st.integers(0, 255)),
    flags=st.one_of(st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D]), st.integers(0, 255)),
    stream=st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)),
    payload=payloads,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(frames, max_size=12), st.lists(st.integers(1, 30), max_size=40), st.booleans())
def test_any_frames_in_any_pieces_end_properly(sent: list[bytes], pieces: list[int], greets: bool):
    session = a_session()
    data = FIRST * greets + b"".join(sent)

    feed(session, data, pieces)

    assert len(session.answers) <= 2 * len(data) + 40
    assert len(session.streams) <= 3


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(1, 30), max_size=20))
def test_any_bytes_end_properly(data: bytes, pieces: list[int]):
    feed(a_session(), FIRST + data, pieces)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
def test_any_header_block_is_read_or_refused(block: bytes):
    with suppress(Violation):
        ResponseBlocks(SharedBlocks()).read(block)


@settings(max_examples=300, deadline=None)
@given(st.lists(blocks, max_size=6))
def test_any_header_blocks_in_a_row_are_read_or_refused(sent: list[bytes]):
    read = ResponseBlocks(SharedBlocks()).read

    with suppress(Violation):
        for block in sent:
            read(block)


names = st.sampled_from([b"server", b"date", b"x-id", b"content-type", b"content-length", b"etag"])
values = st.sampled_from([b"1", b"2", b"text/html", b"x" * 200, b""])
responses = st.lists(st.tuples(names, values), max_size=5)


def encoded(
    style: int, encoder: hpack.Encoder, fields: list[tuple[bytes, bytes]], chance: random.Random
) -> bytes:
    """Return the block of `fields`: as nginx writes it, as Go does, or with a table that changes."""
    if style == 0:
        inserted = b"".join(
            b"\x40" + bytes([len(name)]) + name + _length(value) + value for name, value in fields
        )
        return OK + inserted
    if style == 2 and chance.random() < 0.1:
        encoder.header_table_size = chance.choice([0, 256, 4096])
    tuples = [
        (NeverIndexedHeaderTuple if chance.random() < 0.1 else HeaderTuple)(name, value)
        for name, value in [(b":status", b"200"), *fields]
    ]
    return encoder.encode(tuples, huffman=chance.random() < 0.5)


def _length(value: bytes) -> bytes:
    return bytes([len(value)]) if len(value) < 127 else bytes([127, len(value) - 127])


@settings(max_examples=150, deadline=None)
@given(st.lists(responses, max_size=40), st.integers(0, 2), st.randoms(use_true_random=False))
def test_what_is_looked_up_is_what_a_plain_decoder_says(
    heads: list[list[tuple[bytes, bytes]]], style: int, chance: random.Random
):
    # Two connections share what is the same everywhere; one of them lags behind.
    shared = SharedBlocks()
    ours = [ResponseBlocks(shared), ResponseBlocks(shared)]
    theirs = [hpack.Encoder(), hpack.Encoder()]
    for fields in heads:
        at = chance.randrange(2)
        block = encoded(style, theirs[at], fields, chance)

        said = ours[at].read(block)

        assert list(said.fields) == [(b":status", b"200"), *fields]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=200), st.binary(max_size=300)), max_size=8)
)
def test_what_is_encoded_is_what_a_decoder_reads_and_touches_no_table(
    fields: list[tuple[bytes, bytes]],
):
    block = encode_block(fields)

    assert [tuple(field) for field in hpack.Decoder().decode(block, raw=True)] == fields
    assert classify(block) == (False, False)


def test_every_name_of_the_static_table_is_the_decoders():
    fields = [(name, b"value") for name in (*_NAMES, b"origin")]
    fields += [*_WHOLE]

    assert [*map(tuple, hpack.Decoder().decode(encode_block(fields), raw=True))] == fields


def test_blocks_are_kept_in_bounded_numbers():
    shared = SharedBlocks()
    blocks = ResponseBlocks(shared)
    for number in range(20_000):
        text = b"%d" % (number // 2)
        blocks.read(OK + literal(b"x-id", text))

    assert len(shared.known) <= 1024
    assert len(shared._seen) <= 8192
    assert len(blocks._own) == 0


def test_the_fields_of_a_request_keep_their_order_and_their_repetitions():
    head = b"GET / HTTP/1.1\r\nHost: a.test\r\nX-B: 1\r\nX-A: 2\r\nx-b: 3\r\n\r\n"

    assert request_fields(head, b"https")[3:] == [
        (b":authority", b"a.test"),
        (b"x-b", b"1"),
        (b"x-a", b"2"),
        (b"x-b", b"3"),
    ]
