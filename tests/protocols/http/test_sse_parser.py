"""The format ``text/event-stream``: WHATWG HTML, section 9.2.6."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.protocols.http import ServerSentEvent
from pytest_k6api.protocols.http.sse.parser import EventParser, EventTooLargeError


def parse(*pieces: bytes) -> list[ServerSentEvent]:
    parser = EventParser(1000)
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: x\n\n", [("message", "x", "", None)]),
        (b"data:x\r\n\r\n", [("message", "x", "", None)]),
        (b"data:  x\r\r", [("message", " x", "", None)]),
        (b"data: x\r\n\n", [("message", "x", "", None)]),
        (b"\xef\xbb\xbfdata: x\n\n", [("message", "x", "", None)]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n", []),  # the second one belongs to the name
        (b": nothing\n\ndata: x\n\n", [("message", "x", "", None)]),
        (b"event: add\ndata: 1\ndata: 2\ndata\n\n", [("add", "1\n2\n", "", None)]),
        (b"event: add\n\ndata: x\n\n", [("message", "x", "", None)]),
        (b"event:\ndata: x\n\n", [("message", "x", "", None)]),
        (b"data\n\ndata\ndata\n\ndata:", [("message", "", "", None), ("message", "\n", "", None)]),
        (b"id: 1\ndata: x\n\ndata: y\n\n", [("message", "x", "1", None), ("message", "y", "1", None)]),
        (b"id: 1\n\nid\ndata: x\n\n", [("message", "x", "", None)]),
        (b"id: a\0b\ndata: x\n\n", [("message", "x", "", None)]),
        (b"retry: 10\ndata: x\n\n", [("message", "x", "", 10)]),
        (b"retry: 1.5\ndata: x\n\n", [("message", "x", "", None)]),
        ("retry: ٣\ndata: x\n\n".encode(), [("message", "x", "", None)]),
        (b"unknown: 1\ndata: x:y\n Data: z\n\n", [("message", "x:y", "", None)]),
        (b"data: gr\xc3\xbcn \xff\n\n", [("message", "grün \ufffd", "", None)]),
        (b"data: x\n", []),
        (b"\n\n\n", []),
        (b"", []),
    ],
)  # fmt: skip
def test_a_stream_is_read_by_the_standard(
    stream: bytes, events: list[tuple[str, str, str, int | None]]
) -> None:
    assert parse(stream) == events


lines = st.sampled_from(
    [b"data: x", b"data", b"data:gr\xc3\xbcn", b"event: add", b"id: 7", b"id", b"id: \0", b"retry: 9",
     b": comment", b"", b"", b"", b"x" * 30, b"\xef\xbb\xbfdata: x"]
)  # fmt: skip
streams = st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=12).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)


@given(stream=streams | st.binary(max_size=60), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_any_split_of_a_stream_gives_its_events(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:stop] for start, stop in itertools.pairwise(places)]

    assert parse(*pieces) == parse(stream)
    assert parse(*[bytes([byte]) for byte in stream]) == parse(stream)


@given(stream=streams | st.binary(max_size=60), cuts=st.lists(st.integers(0, 200), max_size=2))
def test_events_that_come_one_by_one_are_those_of_the_stream(
    stream: bytes, cuts: list[int]
) -> None:
    parser = EventParser(1000)
    ends = [match.end() for match in re.finditer(rb"\n\n", stream)]
    places = [0, *sorted({*ends, *(min(cut, len(stream)) for cut in cuts)}), len(stream)]
    events = []
    for start, stop in itertools.pairwise(places):
        event = parser.take_lone(stream[start:stop])
        events += parser.feed(stream[start:stop]) if event is None else [event]

    assert events == parse(stream)


def test_a_whole_event_needs_no_feeding_once_the_stream_has_begun() -> None:
    parser = EventParser(1000)
    pieces = [
        b"data: 1\n\n",
        b"id: 7\ndata: 2\n\n",
        b"data: 3\r\n\r\n",
        b": nothing\n\n",
        b"data: 4\n",
    ]

    assert parser.take_lone(pieces[0]) is None  # it might begin with a byte order mark
    parser.feed(pieces[0])
    assert [parser.take_lone(piece) for piece in pieces] == [
        ("message", "1", "", None), ("message", "2", "7", None), None, None, None
    ]  # fmt: skip
    parser.feed(b"data: half")
    assert parser.take_lone(b" of it\n\n") is None


@given(stream=streams)
def test_line_ends_make_no_difference(stream: bytes) -> None:
    plain = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    assert parse(stream) == parse(plain) == parse(plain.replace(b"\n", b"\r\n"))


def test_an_event_that_ends_in_cr_is_there_at_once() -> None:
    assert parse(b"data: x\r\n\r") == [("message", "x", "", None)]
    assert parse(b"data: x\r\n\r", b"\ndata: y\n\n") == [
        ("message", "x", "", None),
        ("message", "y", "", None),
    ]


def test_an_event_without_end_is_refused() -> None:
    parser = EventParser(100)

    assert parser.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(EventTooLargeError):
        parser.feed(b"x" * 10)


def test_the_last_id_is_kept_for_a_reconnection() -> None:
    parser = EventParser(1000, "0")
    assert parser.feed(b"data: x\n\nid: 5\n\nid: 6\n")[0].id == "0"

    assert (parser.last_id, parser.retry) == ("5", None)
    parser.feed(b"retry: 99999999999999999999\n\n")
    assert (parser.last_id, parser.retry) == ("6", 999_999_999_999_999_999)


def test_an_event_reads_json() -> None:
    event = ServerSentEvent("message", '{"a": [1]}', "", None)

    assert event.json() == {"a": [1]}
    with pytest.raises(ValueError, match="Expecting value in the event"):
        ServerSentEvent("message", "[DONE]", "", None).json()
