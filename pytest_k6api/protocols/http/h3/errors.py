"""What goes wrong in HTTP/3 and QUIC, in words like k6's for HTTP/2, and in its codes where they fit.

k6 has no HTTP/3. A stream that fails has k6's code for an unknown error of a stream, and so
have connections and GOAWAY; which of the protocol's codes it was is in the text. What TLS
has to say has the codes that it has over TCP.

Pure (RFC 9114, 8.1; RFC 9204, 6; RFC 9000, 20).
"""

from pytest_k6api.protocols.http.message.errors import (
    GENERIC,
    HTTP2_CONNECTION,
    HTTP2_GOAWAY,
    HTTP2_STREAM,
    REMOTE_ERROR,
    TLS,
    RequestFailure,
)

NO_ERROR = 0x100
STREAM_CREATION_ERROR = 0x103
CLOSED_CRITICAL_STREAM = 0x104
FRAME_UNEXPECTED = 0x105
FRAME_ERROR = 0x106
EXCESSIVE_LOAD = 0x107
ID_ERROR = 0x108
SETTINGS_ERROR = 0x109
MISSING_SETTINGS = 0x10A
REQUEST_REJECTED = 0x10B
REQUEST_CANCELLED = 0x10C
MESSAGE_ERROR = 0x10E
DECOMPRESSION_FAILED = 0x200
ENCODER_STREAM_ERROR = 0x201

_NAMES = {
    code: f"H3_{name}"
    for code, name in enumerate(
        (
            "NO_ERROR", "GENERAL_PROTOCOL_ERROR", "INTERNAL_ERROR", "STREAM_CREATION_ERROR",
            "CLOSED_CRITICAL_STREAM", "FRAME_UNEXPECTED", "FRAME_ERROR", "EXCESSIVE_LOAD", "ID_ERROR",
            "SETTINGS_ERROR", "MISSING_SETTINGS", "REQUEST_REJECTED", "REQUEST_CANCELLED",
            "REQUEST_INCOMPLETE", "MESSAGE_ERROR", "CONNECT_ERROR", "VERSION_FALLBACK",
        ),
        start=NO_ERROR,
    )
} | {
    DECOMPRESSION_FAILED: "QPACK_DECOMPRESSION_FAILED",
    ENCODER_STREAM_ERROR: "QPACK_ENCODER_STREAM_ERROR",
    0x202: "QPACK_DECODER_STREAM_ERROR",
}  # fmt: skip
_NAMES_OF_QUIC = (
    "NO_ERROR", "INTERNAL_ERROR", "CONNECTION_REFUSED", "FLOW_CONTROL_ERROR", "STREAM_LIMIT_ERROR",
    "STREAM_STATE_ERROR", "FINAL_SIZE_ERROR", "FRAME_ENCODING_ERROR", "TRANSPORT_PARAMETER_ERROR",
    "CONNECTION_ID_LIMIT_ERROR", "PROTOCOL_VIOLATION", "INVALID_TOKEN", "APPLICATION_ERROR",
    "CRYPTO_BUFFER_EXCEEDED", "KEY_UPDATE_ERROR", "AEAD_LIMIT_REACHED", "NO_VIABLE_PATH",
)  # fmt: skip
# Alerts of TLS in Go's words (RFC 8446, 6).
_ALERTS = {
    10: "unexpected message", 40: "handshake failure", 42: "bad certificate",
    43: "unsupported certificate", 44: "revoked certificate", 45: "expired certificate",
    46: "unknown certificate", 47: "illegal parameter", 48: "unknown certificate authority",
    49: "access denied", 50: "error decoding message", 51: "error decrypting message",
    70: "protocol version not supported", 71: "insufficient security level", 80: "internal error",
    109: "missing extension", 110: "unsupported extension", 112: "unrecognized name",
    116: "certificate required", 120: "no application protocol",
}  # fmt: skip
# 256 codes of QUIC are alerts of TLS, from here on.
_ALERT = 0x100

BAD_CERTIFICATE = _ALERT + 42
"""The code of QUIC to end a connection with whose server is not trusted."""

TRUNCATED = RequestFailure(
    GENERIC, "http3: the server sent more than its Content-Length; truncated"
)
FIELDS_TOO_LARGE = RequestFailure(
    GENERIC, "http3: request field section larger than the server's limit"
)
GOAWAY = RequestFailure(HTTP2_GOAWAY, "http3: received GOAWAY")
NO_VERSION = RequestFailure(
    HTTP2_CONNECTION, "http3: the server speaks other versions of QUIC than 1"
)
NO_STREAMS = RequestFailure(
    HTTP2_CONNECTION, "http3: the server takes no stream for a client's settings"
)
NEEDS_TLS = RequestFailure(GENERIC, "http3: http:// has no HTTP/3; write https://")
NEEDS_UDP = RequestFailure(GENERIC, "http3: a socket in the file system has no HTTP/3")
NO_PROXY = RequestFailure(
    GENERIC, "http3: no proxy leads to HTTP/3; except the server by NO_PROXY, or choose another version"
)  # fmt: skip


def stream_failure(code: int, detail: str = "") -> RequestFailure:
    """Return what a request is told whose stream was reset, by the server or for `detail`."""
    return RequestFailure(HTTP2_STREAM, _text("http3: stream error", _name(code), detail))


def connection_failure(code: int, detail: str = "") -> RequestFailure:
    """Return what the requests are told of a connection that ended by a code of HTTP/3."""
    return RequestFailure(HTTP2_CONNECTION, _text("http3: connection error", _name(code), detail))


def transport_failure(code: int, reason: str, *, is_ours: bool) -> RequestFailure:
    """Return what the requests are told of a connection that ended by a code of QUIC.

    Args:
        code: The code.
        reason: What the side says that ended it.
        is_ours: Whether that was this side.
    """
    if _ALERT <= code < 2 * _ALERT:
        return _explain_alert(code - _ALERT, reason, is_ours=is_ours)
    is_known = code < len(_NAMES_OF_QUIC)
    name = _NAMES_OF_QUIC[code] if is_known else f"unknown code {code:#x}"
    return RequestFailure(
        HTTP2_CONNECTION, _text("http3: connection error", name, reason if is_ours else "")
    )


def _explain_alert(alert: int, reason: str, *, is_ours: bool) -> RequestFailure:
    words = _ALERTS.get(alert, f"alert {alert}")
    if not is_ours:
        return RequestFailure(REMOTE_ERROR, f"remote error: tls: {words}")
    return RequestFailure(TLS, f"tls: {reason.lower() or words}")


def _name(code: int) -> str:
    return _NAMES.get(code) or f"unknown code {code:#x}"


def _text(words: str, name: str, detail: str) -> str:
    text = f"{words} with {name}"
    return f"{text}: {detail}" if detail else text
