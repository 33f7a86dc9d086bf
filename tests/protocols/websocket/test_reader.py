"""What a server may send, in the sections of Autobahn's test suite, and what it may not.

Pure: bytes in, events out, in one piece, byte by byte, and in any other pieces.
"""

import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_k6api.protocols.websocket.wire.deflate import Deflater, DeflateTerms, Inflater
from pytest_k6api.protocols.websocket.wire.frames import (
    MASKS,
    Breach,
    Close,
    Event,
    Ping,
    Pong,
    apply_mask,
    encode_close,
    encode_frame,
)
from pytest_k6api.protocols.websocket.wire.reader import FrameReader

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
FIRST_TEXT, FIRST_BINARY, MIDDLE, LAST = 0x01, 0x02, 0x00, 0x80


def frame(first: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a frame of a server; its length may be a lie."""
    size = len(payload) if length is None else length
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def read(
    *pieces: bytes, max_size: int = 1_000_000, inflater: Inflater | None = None
) -> list[Event]:
    """Return what the pieces say, read as sessions read them: in one step where that can be."""
    reader = FrameReader(max_size, inflater)
    events: list[Event] = []
    for piece in pieces:
        whole = reader.read_whole(piece)
        events += reader.feed(piece) if whole is None else [whole]
    return events


def feed(*pieces: bytes, max_size: int = 1_000_000) -> list[Event]:
    """Return what the pieces say, read in the general way alone."""
    reader = FrameReader(max_size)
    return [event for piece in pieces for event in reader.feed(piece)]


def read_bytewise(data: bytes, max_size: int = 1_000_000) -> list[Event]:
    return read(*(data[at : at + 1] for at in range(len(data))), max_size=max_size)


SIZES = [0, 1, 125, 126, 127, 128, 65535, 65536, 200_000]


@pytest.mark.parametrize("size", SIZES)
def test_section_1_text_and_binary_messages_of_each_size_of_length(size):
    data = frame(TEXT, b"*" * size) + frame(BINARY, b"\xfe" * size)

    assert read(data) == ["*" * size, b"\xfe" * size]


@pytest.mark.parametrize("size", [0, 1, 125])
def test_section_2_pings_and_pongs_are_events_of_their_own(size):
    payload = b"\xff" * size

    assert read(frame(PING, payload), frame(PONG, payload)) == [Ping(payload), Pong(payload)]


@pytest.mark.parametrize("first", [PING, PONG, CLOSE])
def test_section_2_a_control_frame_of_more_than_125_bytes_is_refused_by_its_head(first):
    expected = [Breach(1002, "the server sent a control frame of more than 125 bytes")]

    assert read(bytes((first, 126))) == expected
    assert read(bytes((first, 127))) == expected


@pytest.mark.parametrize("bits", [0x40, 0x20, 0x10, 0x70])
@pytest.mark.parametrize("first", [TEXT, BINARY, CLOSE, PING, PONG])
def test_section_3_reserved_bits_are_refused(first, bits):
    data = frame(TEXT, b"before") + frame(first | bits, b"")

    assert read(data) == [
        "before",
        Breach(1002, "the server sent a frame with a reserved bit set"),
    ]


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_section_4_reserved_opcodes_are_refused(opcode):
    text = f"the server sent a frame with the reserved opcode {opcode}"

    assert read(bytes((0x80 | opcode,))) == [Breach(1002, text)]


def test_section_5_fragments_are_one_message_and_control_frames_between_come_at_once():
    pieces = [
        frame(FIRST_TEXT, b"fragment1"),
        frame(PING, b"1"),
        frame(MIDDLE, b"fragment2"),
        frame(PONG, b"2"),
        frame(LAST, b"fragment3"),
    ]

    assert read(*pieces) == [Ping(b"1"), Pong(b"2"), "fragment1fragment2fragment3"]
    assert read_bytewise(b"".join(pieces)) == read(b"".join(pieces)) == read(*pieces)


def test_section_5_fragments_may_be_empty():
    pieces = [frame(FIRST_BINARY), frame(MIDDLE), frame(MIDDLE, b"x"), frame(LAST)]

    assert read(*pieces) == [b"x"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (frame(0x09), "the server sent a control frame in fragments"),
        (frame(0x08), "the server sent a control frame in fragments"),
        (frame(MIDDLE, b"x"), "the server sent a fragment of no message"),
        (frame(LAST, b"x"), "the server sent a fragment of no message"),
        (
            frame(FIRST_TEXT, b"x") + frame(TEXT, b"y"),
            "the server began a message before the one before had ended",
        ),
        (
            frame(FIRST_TEXT, b"x") + frame(FIRST_BINARY, b"y"),
            "the server began a message before the one before had ended",
        ),
        (frame(TEXT, b"x")[:1] + b"\x81xxxx", "the server sent a frame that is masked"),
        (b"\x82\x7f" + b"\xff" * 8, "the server sent a frame with an impossible length"),
    ],
)
def test_section_5_and_7_what_breaks_the_rules_of_framing_is_refused(data, text):
    assert read(data) == read_bytewise(data) == [Breach(1002, text)]


BAD_UTF8 = [
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",  # a surrogate
    b"\xf8\x88\x80\x80\x80",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf4\x90\x80\x80",
    b"\x80",
    b"\xff",
    b"\xce",  # ends too soon
]
NOT_UTF8 = Breach(1007, "the server sent text that is not UTF-8")


@pytest.mark.parametrize("text", BAD_UTF8)
@pytest.mark.parametrize("more", [b"", b"x" * 200])
def test_section_6_text_that_is_not_utf8_is_refused_in_one_frame_or_in_many(text, more):
    whole = frame(TEXT, more + text)
    split = [
        frame(FIRST_TEXT, more),
        *(frame(MIDDLE, bytes((byte,))) for byte in text),
        frame(LAST),
    ]

    assert read(whole) == read_bytewise(whole) == read(*split) == [NOT_UTF8]


def test_section_6_bad_text_is_refused_by_the_piece_that_has_it():
    reader = FrameReader(1000)

    assert reader.feed(frame(FIRST_TEXT, b"fine \xce")) == []
    assert reader.feed(frame(MIDDLE, b"\xba bad \xc0", length=500)) == [NOT_UTF8]
    assert reader.feed(b"\x80" * 100) == []


def test_section_6_a_character_may_be_split_anywhere():
    text = "κόσμε 𝄞 €"
    data = text.encode()
    split = [frame(FIRST_TEXT), *(frame(MIDDLE, bytes((byte,))) for byte in data), frame(LAST)]

    assert read(*split) == read_bytewise(frame(TEXT, data)) == [text]


@pytest.mark.parametrize(
    ("payload", "close"),
    [
        (b"", Close(1005, "")),
        (b"\x03\xe8", Close(1000, "")),
        (b"\x03\xe8" + b"x" * 123, Close(1000, "x" * 123)),
        (b"\x0b\xb8hello", Close(3000, "hello")),
        (b"\x13\x87", Close(4999, "")),
        (b"\x03\xf5", Close(1013, "")),
    ],
)
def test_section_7_a_close_frame_ends_the_reading(payload, close):
    data = frame(TEXT, b"before") + frame(CLOSE, payload) + frame(TEXT, b"after")

    assert read(data) == read_bytewise(data) == ["before", close]


@pytest.mark.parametrize(
    "code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
)
def test_section_7_close_codes_that_may_not_be_sent_are_refused(code):
    text = f"the server closed with the code {code}, which none may send"

    assert read(frame(CLOSE, code.to_bytes(2, "big"))) == [Breach(1002, text)]


def test_section_7_half_a_code_and_a_reason_that_is_not_utf8_are_refused():
    text = "the server closed with the code 3, which none may send"

    assert read(frame(CLOSE, b"\x03")) == [Breach(1002, text)]
    assert read(frame(CLOSE, b"\x03\xe8\xce")) == [
        Breach(1007, "the server closed with a reason that is not UTF-8")
    ]


def test_section_9_a_message_over_the_limit_is_refused_before_it_has_come():
    too_big = Breach(1009, "the server sent a message that is too big")

    assert read(frame(BINARY, b"x" * 1000), max_size=1000) == [b"x" * 1000]
    assert read(frame(BINARY, length=1001), max_size=1000) == [too_big]
    assert read(frame(BINARY, length=2**62), max_size=1000) == [too_big]
    assert read(frame(TEXT, b"x" * 11), max_size=10) == [too_big]
    assert read(
        frame(FIRST_TEXT, b"x" * 600), frame(MIDDLE, b"x" * 400), frame(LAST, b"x"), max_size=1000
    ) == [too_big]


def test_section_10_a_message_in_fragments_of_one_byte_takes_no_more_than_its_size():
    reader = FrameReader(200_000)
    tracemalloc.start()
    try:
        reader.feed(frame(FIRST_TEXT))
        for _ in range(100):
            reader.feed(frame(MIDDLE, b"x") * 1000)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert held < 900_000
    assert reader.feed(frame(LAST)) == ["x" * 100_000]


# Sections 12 and 13: permessage-deflate.

TERMS = [
    DeflateTerms(),
    DeflateTerms(server_keeps=False, client_keeps=False),
    DeflateTerms(server_bits=9, client_bits=9),
    DeflateTerms(server_bits=8, client_bits=15, server_keeps=False),
]


class Sender:
    """Compresses as a server does."""

    def __init__(self, terms: DeflateTerms) -> None:
        self._terms = terms
        self._compressor = self._new()

    def _new(self) -> Any:
        return zlib.compressobj(wbits=-max(9, self._terms.server_bits))

    def message(self, data: bytes) -> bytes:
        if not self._terms.server_keeps:
            self._compressor = self._new()
        packed = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return bytes(packed.removesuffix(b"\x00\x00\xff\xff"))


@pytest.mark.parametrize("terms", TERMS, ids=repr)
def test_section_12_and_13_compressed_messages_are_read_under_each_agreement(terms):
    sender = Sender(terms)
    messages = ["", "hello", "hello", "κόσμε " * 1000]
    frames = [frame(0x40 | TEXT, sender.message(text.encode())) for text in messages]

    assert read(*frames, inflater=Inflater(terms)) == messages


def test_section_12_only_the_first_fragment_is_marked_and_control_frames_go_as_they_are():
    packed = Sender(DeflateTerms()).message(b"0123456789" * 10)
    pieces = [
        frame(0x40 | FIRST_BINARY, packed[:5]),
        frame(PING, b"!"),
        frame(LAST, packed[5:]),
        frame(BINARY, b"plain"),
    ]

    events = read(*pieces, inflater=Inflater(DeflateTerms()))

    assert events == [Ping(b"!"), b"0123456789" * 10, b"plain"]


def test_section_12_a_mark_on_a_later_fragment_or_a_control_frame_is_refused():
    refused = Breach(1002, "the server sent a frame with a reserved bit set")
    inflater = Inflater(DeflateTerms())

    assert read(frame(FIRST_TEXT) + frame(0x40 | LAST), inflater=inflater) == [refused]
    assert read(frame(0x40 | PING), inflater=inflater) == [refused]


def test_section_12_a_block_that_is_marked_as_the_last_may_be_followed_by_others():
    packed = zlib.compressobj(wbits=-15)
    data = packed.compress(b"Hello") + packed.flush(zlib.Z_FINISH)
    pieces = [frame(0x40 | TEXT, data + b"\x00"), frame(0x40 | TEXT, data + b"\x00")]

    assert read(*pieces, inflater=Inflater(DeflateTerms())) == ["Hello", "Hello"]


def test_a_bomb_is_refused_and_not_unpacked():
    packed = Sender(DeflateTerms()).message(b"\0" * 50_000_000)
    assert len(packed) < 60_000
    tracemalloc.start()
    try:
        events = read(
            frame(0x40 | BINARY, packed), max_size=100_000, inflater=Inflater(DeflateTerms())
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert events == [Breach(1009, "the server sent a message that decompresses to too much")]
    assert peak < 1_000_000


def test_a_message_that_unpacks_to_the_limit_is_taken():
    packed = Sender(DeflateTerms()).message(b"x" * 1000)

    assert read(frame(0x40 | BINARY, packed), max_size=1000, inflater=Inflater(DeflateTerms())) == [
        b"x" * 1000
    ]


def test_what_cannot_be_decompressed_is_refused():
    assert read(frame(0x40 | TEXT, b"\xff\xff\xff"), inflater=Inflater(DeflateTerms())) == [
        Breach(1007, "the server sent a message that cannot be decompressed")
    ]


@pytest.mark.parametrize("terms", TERMS, ids=repr)
def test_what_the_client_compresses_fits_the_window_that_was_agreed_on(terms):
    deflater = Deflater(terms)
    reader = zlib.decompressobj(-terms.client_bits)
    for message in (b"", b"hello " * 2000, b"hello " * 2000):
        if not terms.client_keeps:
            reader = zlib.decompressobj(-terms.client_bits)
        assert reader.decompress(deflater.deflate(message) + b"\x00\x00\xff\xff") == message


def test_a_window_that_zlib_has_not_is_no_window_to_compress_with():
    assert not Deflater(DeflateTerms(client_bits=8)).is_able
    assert Deflater(DeflateTerms(client_bits=9)).is_able


# Whatever comes, in whatever pieces.

messages = st.one_of(st.text(max_size=60), st.binary(max_size=150))
control = st.sampled_from([PING, PONG])


@st.composite
def conversations(draw) -> tuple[bytes, list[Event]]:
    """Draw valid frames of a server, and the events that they are."""
    data = b""
    events: list[Event] = []
    for message in draw(st.lists(messages, max_size=4)):
        payload = message.encode(errors="replace") if isinstance(message, str) else message
        first = 0x01 if isinstance(message, str) else 0x02
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        for number, piece in enumerate(pieces):
            is_last = number == len(pieces) - 1
            data += frame((0x80 if is_last else 0) | (0 if number else first), piece)
            if not is_last and draw(st.booleans()):
                between = draw(st.binary(max_size=9))
                data += frame(PING, between)
                events.append(Ping(between))
        events.append(payload.decode() if isinstance(message, str) else payload)
    return data, events


@given(conversations(), st.data())
def test_any_pieces_of_a_conversation_give_the_same_events(conversation, data):
    wire, events = conversation
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

    assert read(*pieces) == feed(*pieces) == read(wire) == read_bytewise(wire) == events


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\x81\x01\xff"],
        [b"\x01\x01a", b"\x81\x01b"],
        [b"\x01\x01a", b"\x80\x01b", b"\x81\x01c"],
        [b"\x82\x03abc", b"\x88\x00", b"\x81\x01a"],
        [b"", b"\x81", b"\x00\x81\x00"],
        [b"\x81\x7d" + b"x" * 125],
        [b"\x81\x7e" + b"x" * 126],
        [b"\x81\x7f" + b"x" * 127],
        [b"\x81\x85" + b"x" * 133],
        [b"\x81\x7e\x00\x7e" + b"x" * 126, b"\x82\x7e\x00\xc8" + b"x" * 200],
        [b"\x81\x7e\x00\x02ab", b"\x81\x7e\x00", b"\x01a"],
        [b"\x81\x7e\x01\x2c" + b"x" * 300, b"\x81\x7e\x01\x2d" + b"x" * 301],
        [b"\x81\x7e\x01\x00" + b"\xff" * 256],
        [b"\x81\x7f\x00\x02ab"],
        [b"\x81\xfe\x00\x02ab"],
        [b"\xc1\x01a"],
    ],
)
def test_what_comes_whole_is_read_as_in_the_general_way(pieces):
    assert read(*pieces, max_size=300) == feed(*pieces, max_size=300)


@given(st.lists(st.binary(max_size=12), max_size=6))
def test_any_bytes_are_read_in_one_step_as_in_the_general_way(pieces):
    assert read(*pieces, max_size=8) == feed(*pieces, max_size=8)


@given(st.lists(st.binary(max_size=20), max_size=10), st.booleans())
def test_no_bytes_at_all_raise_or_make_messages_beyond_the_limit(pieces, has_inflater):
    events = read(*pieces, max_size=50, inflater=Inflater(DeflateTerms()) if has_inflater else None)

    assert all(len(event) <= 125 for event in events if isinstance(event, (str, bytes)))
    assert [type(event) for event in events[:-1] if isinstance(event, (Close, Breach))] == []


@example(b"x" * 20_001, b"abcd")
@given(st.binary(max_size=3000), st.binary(min_size=4, max_size=4))
@settings(max_examples=50)
def test_a_mask_is_each_byte_xored_with_its_own_and_undoes_itself(data, mask):
    masked = apply_mask(data, mask)

    assert masked == bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    assert apply_mask(masked, mask) == data


@pytest.mark.parametrize("size", [*SIZES[:7], 70_000])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_frame_of_ours_is_masked_and_has_the_shortest_length(size, is_compressed):
    written = encode_frame(2 | (0x40 if is_compressed else 0), b"x" * size, 0)

    head = frame(0xC2 if is_compressed else 0x82, b"", length=size)
    assert written == head[:1] + bytes((head[1] | 0x80,)) + head[2:] + b"\0\0\0\0" + b"x" * size


@given(
    st.sampled_from([0x1, 0x2, 0x41, 0x42, 0x8, 0x9, 0xA]),
    st.binary(max_size=130),
    st.integers(0, 0xFFFFFFFF),
)
def test_a_frame_of_ours_is_its_head_its_mask_and_the_masked_payload(kind, payload, mask):
    written = encode_frame(kind, payload, mask)

    key = mask.to_bytes(4)
    head = frame(0x80 | kind, length=len(payload))
    assert written[:2] == bytes((head[0], head[1] | 0x80))
    assert written[2 : len(head)] == head[2:]
    assert written[len(head) :] == key + apply_mask(payload, key)


def test_masks_differ_from_frame_to_frame():
    assert len({next(MASKS) for _ in range(1000)}) > 990


def test_a_reason_that_is_too_long_is_cut_between_characters():
    payload = encode_close(4000, "ü" * 100)

    assert payload == b"\x0f\xa0" + "ü".encode() * 61
    assert encode_close(1005, "none") == b""
