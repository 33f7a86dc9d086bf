"""Messages, metadata, deadlines and codes as gRPC writes them."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.protocols.grpc.status import StatusCode, code_of_failure, code_of_http
from pytest_k6api.protocols.grpc.wire import (
    FramedMessages,
    WireError,
    frame,
    metadata_fields,
    read_details,
    read_metadata,
    timeout_text,
)
from pytest_k6api.protocols.http import RequestFailure


@given(
    st.lists(st.binary(max_size=300), max_size=5),
    st.sampled_from(["identity", "gzip", "deflate"]),
    st.data(),
)
def test_messages_are_the_same_however_their_bytes_are_cut(
    messages: list[bytes], encoding: str, data: st.DataObject
) -> None:
    wire = b"".join(frame(message, encoding) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    reader = FramedMessages(encoding, 1000)

    found = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found += reader.feed(wire[start:end])

    assert found == messages
    assert reader.is_between


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    reader = FramedMessages("gzip", 100)
    try:
        messages = reader.feed(data)
    except WireError:
        return
    assert all(len(message) <= 100 for message in messages)


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (frame(101 * b"x"), "Received message larger than max (101 vs. 100)"),
        (frame(101 * b"x", "gzip"), "Received message larger than max (100)"),
        (b"\x02" + frame(b"x")[1:], "message with the unknown flag 2"),
        (b"\x01\0\0\0\x01x", "message that cannot be decompressed"),
        (
            b"\x01" + len(gzip.compress(b"x")[:-9]).to_bytes(4) + gzip.compress(b"x")[:-9],
            "message that cannot be decompressed",
        ),
    ],
)
def test_a_message_that_is_too_large_or_broken_is_refused(wire: bytes, text: str) -> None:
    with pytest.raises(WireError) as caught:
        FramedMessages("gzip", 100).feed(wire)

    assert str(caught.value) == text


def test_a_compressed_message_needs_an_encoding() -> None:
    with pytest.raises(WireError, match="without an encoding"):
        FramedMessages("identity", 100).feed(b"\x01\0\0\0\x01x")


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(10_000_000 * b"\0")

    with pytest.raises(WireError, match="larger than max"):
        FramedMessages("deflate", 1_000_000).feed(b"\x01" + len(bomb).to_bytes(4) + bomb)


def test_metadata_goes_there_and_back() -> None:
    fields = metadata_fields((("Tenant", "7"), ("raw-bin", b"\x00\xff")))

    assert fields == [(b"tenant", b"7"), (b"raw-bin", b"AP8")]
    assert read_metadata([(b":status", b"200"), (b"grpc-status", b"0"), *fields]) == (
        ("tenant", "7"),
        ("raw-bin", b"\x00\xff"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grpc-timeout", "1S"),
        ("te", "x"),
        ("a b", "x"),
        (":path", "/"),
        ("a", "line\nfeed"),
        ("a", "ä"),
    ],
)
def test_metadata_that_cannot_be_sent_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=repr(name)):
        metadata_fields({name: value})


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, b"1n"),
        (99_999_999, b"99999999n"),
        (1_000_000_000, b"1000000u"),
        (200 * 1_000_000_000, b"200000m"),
        (10**18, b"277777H"),
    ],
)
def test_a_deadline_is_written_in_the_finest_unit_with_room(nanoseconds: int, text: bytes) -> None:
    assert timeout_text(nanoseconds) == text


def test_details_are_percent_decoded_and_never_fail() -> None:
    assert read_details(b"no %C2%ABname%C2%BB 100 % %ZZ %FF") == "no «name» 100 % %ZZ �"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, StatusCode.INTERNAL),
        (401, StatusCode.UNAUTHENTICATED),
        (404, StatusCode.UNIMPLEMENTED),
        (503, StatusCode.UNAVAILABLE),
        (418, StatusCode.UNKNOWN),
    ],
)
def test_an_http_status_stands_for_a_code(status: int, code: StatusCode) -> None:
    assert code_of_http(status) is code


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (1050, "request timeout", StatusCode.DEADLINE_EXCEEDED),
        (1212, "dial: connection refused", StatusCode.UNAVAILABLE),
        (1638, "http2: stream error with http2 ErrCode REFUSED_STREAM", StatusCode.UNAVAILABLE),
        (1639, "http2: stream error with http2 ErrCode CANCEL", StatusCode.CANCELLED),
        (1642, "…", StatusCode.RESOURCE_EXHAUSTED),
        (1000, "response body exceeded 10 bytes", StatusCode.RESOURCE_EXHAUSTED),
        (1000, "EOF", StatusCode.UNAVAILABLE),
    ],
)
def test_a_failure_of_the_network_stands_for_a_code(
    code: int, text: str, expected: StatusCode
) -> None:
    assert code_of_failure(RequestFailure(code, text)) is expected
