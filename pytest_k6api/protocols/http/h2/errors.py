"""What goes wrong in HTTP/2, in k6's codes and words.

A `Violation` ends a connection, a `StreamFault` one stream of it. k6 says which of the
protocol's codes it was; behind a colon follows which rule was broken, where it was found here.

Source: k6 v1.1.0, ``lib/netext/httpext/error_codes.go``; texts as its binary writes them.
"""

from pytest_k6api.protocols.http.message.errors import (
    GENERIC,
    HTTP2_CONNECTION,
    HTTP2_GOAWAY,
    HTTP2_STREAM,
    RequestFailure,
)
from pytest_k6api.protocols.http.multiplexed import Violation

FLOW_CONTROL_ERROR = 3
FRAME_SIZE_ERROR = 6
REFUSED_STREAM = 7
COMPRESSION_ERROR = 9
ENHANCE_YOUR_CALM = 11

_NAMES = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
    "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
    "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip

FRAME_TOO_LARGE = RequestFailure(GENERIC, "http2: frame too large")
NOT_HTTP2 = RequestFailure(
    GENERIC,
    "http2: frame too large, note that the frame header looked like an HTTP/1.1 header",
)
TRUNCATED = RequestFailure(
    GENERIC, "net/http: server replied with more than declared Content-Length; truncated"
)
FIELDS_TOO_LARGE = RequestFailure(
    GENERIC, "http2: request header list larger than peer's advertised limit"
)
NOT_CHOSEN = RequestFailure(
    GENERIC, "http2: the server did not choose HTTP/2, and no other version was offered"
)


def goaway_failure(code: int) -> RequestFailure:
    """Return what a request is told whose connection the server ended with GOAWAY."""
    return _failure(HTTP2_GOAWAY, "http2: received GoAway", code)


def stream_failure(code: int, detail: str = "") -> RequestFailure:
    """Return what a request is told whose stream was reset, by the server or for `detail`."""
    return _failure(HTTP2_STREAM, "http2: stream error", code, detail)


def connection_failure(code: int, detail: str = "") -> RequestFailure:
    """Return what the requests are told of a connection that was ended for `detail`."""
    return _failure(HTTP2_CONNECTION, "http2: connection error", code, detail)


def _failure(base: int, words: str, code: int, detail: str = "") -> RequestFailure:
    is_known = code < len(_NAMES)
    name = _NAMES[code] if is_known else f"unknown error code {code:#x}"
    text = f"{words} with http2 ErrCode {name}"
    return RequestFailure(
        base + 1 + code if is_known else base, f"{text}: {detail}" if detail else text
    )


def frame_too_large(data: bytes, *, is_first: bool) -> Violation:
    """Return what ends a connection whose peer sends `data`, a frame of more bytes than we take."""
    is_http1 = is_first and data.startswith(b"HTTP/")
    return Violation(FRAME_SIZE_ERROR, NOT_HTTP2 if is_http1 else FRAME_TOO_LARGE)
