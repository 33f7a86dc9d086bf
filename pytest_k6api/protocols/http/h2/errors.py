"""What goes wrong in HTTP/2, in k6's codes and words.

A `Violation` ends a connection, a `StreamFault` one stream of it. k6 says which of the
protocol's codes it was; behind a colon follows which rule was broken, where it was found here.

Source: k6 v1.1.0, ``lib/netext/httpext/error_codes.go``; texts as its binary writes them.
"""

from pytest_k6api.protocols.http.message.errors import GENERIC, RequestFailure
from pytest_k6api.protocols.http.multiplexed import StreamFault

NO_ERROR = 0
PROTOCOL_ERROR = 1
INTERNAL_ERROR = 2
FLOW_CONTROL_ERROR = 3
STREAM_CLOSED = 5
FRAME_SIZE_ERROR = 6
REFUSED_STREAM = 7
CANCEL = 8
COMPRESSION_ERROR = 9
ENHANCE_YOUR_CALM = 11

_NAMES = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
    "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
    "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip

_GOAWAY = 1610
_STREAM = 1630
_CONNECTION = 1650

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


class Violation(Exception):
    """The peer broke a rule of the connection, which ends by it.

    Attributes:
        code: The code to send with GOAWAY.
        failure: What the requests under way are told.
    """

    def __init__(self, code: int, detail: str, failure: RequestFailure | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.failure = failure or connection_failure(code, detail)


def goaway_failure(code: int) -> RequestFailure:
    """Return what a request is told whose connection the server ended with GOAWAY."""
    return _failure(_GOAWAY, "http2: received GoAway", code)


def stream_failure(code: int, detail: str = "") -> RequestFailure:
    """Return what a request is told whose stream was reset, by the server or for `detail`."""
    return _failure(_STREAM, "http2: stream error", code, detail)


def fault_failure(fault: StreamFault) -> RequestFailure:
    """Return what a request is told whose stream was ended by `fault`."""
    return fault.failure or stream_failure(fault.code, str(fault))


def connection_failure(code: int, detail: str = "") -> RequestFailure:
    """Return what the requests are told of a connection that was ended for `detail`."""
    return _failure(_CONNECTION, "http2: connection error", code, detail)


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
    failure = NOT_HTTP2 if is_http1 else FRAME_TOO_LARGE
    return Violation(FRAME_SIZE_ERROR, failure.text, failure)
