"""Failures of requests, in k6's codes and words.

A failure of the network is a value (`RequestFailure`) that a response carries, because
a load test counts it and goes on.

Source: k6 v1.1.0, ``lib/netext/httpext/error_codes.go``; texts as its binary writes them.
"""

import errno
import re
import socket
import ssl
from dataclasses import dataclass

GENERIC = 1000
REMOTE_ERROR = 1010
INVALID_URL = 1020
TIMEOUT = 1050
DNS = 1100
NO_SUCH_HOST = 1101
TCP = 1200
BROKEN_PIPE = 1201
UNKNOWN_ERRNO = 1202
DIAL = 1210
DIAL_TIMEOUT = 1211
DIAL_REFUSED = 1212
DIAL_UNKNOWN_ERRNO = 1213
RESET = 1220
TLS = 1300
UNKNOWN_AUTHORITY = 1310
HOSTNAME_MISMATCH = 1311
HTTP2_GOAWAY = 1610
HTTP2_STREAM = 1630
HTTP2_CONNECTION = 1650
DECOMPRESSION = 1701

# OpenSSL's verification results (x509_vfy.h): a self-signed certificate, alone
# or in the chain, or an issuer that cannot be found; a name or address that
# differs from the certificate's.
_UNTRUSTED = frozenset({18, 19, 20, 21})
_MISMATCHED = frozenset({62, 64})


# OpenSSL's reasons for alerts that the peer sent, and Go's words where they differ.
_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(.+)")
_ALERTS = {
    "BAD_RECORD_MAC": "bad record MAC",
    "CERTIFICATE_EXPIRED": "expired certificate",
    "CERTIFICATE_REVOKED": "revoked certificate",
    "CERTIFICATE_UNKNOWN": "unknown certificate",
    "DECODE_ERROR": "error decoding message",
    "DECRYPT_ERROR": "error decrypting message",
    "INSUFFICIENT_SECURITY": "insufficient security level",
    "PROTOCOL_VERSION": "protocol version not supported",
    "UNKNOWN_CA": "unknown certificate authority",
    "UNKNOWN_PSK_IDENTITY": "unknown PSK identity",
    "USER_CANCELLED": "user canceled",
}
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
TIMEOUT_CODES = frozenset({TIMEOUT, DIAL_TIMEOUT})
"""Codes of requests that were not answered in time."""

# macOS says EPROTOTYPE of a connection that the peer is just closing.
_BROKEN_PIPE = frozenset({errno.EPIPE, errno.EPROTOTYPE})
_GONE = _BROKEN_PIPE | {errno.ECONNRESET}


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """Why a request got no usable response.

    Attributes:
        code: k6's error code, the tag ``error_code``.
        text: k6's text, the tag ``error``; free of ports and addresses where
            k6's is, so that it makes few time series.
    """

    code: int
    text: str


class NetworkError(Exception):
    """Carries a failure from the socket to the client; users never see it.

    Attributes:
        failure: The failure that the response will carry.
        is_stale: Whether a kept-alive connection was closed before one byte of
            the response came, so that the server may not have seen the request.
        is_unseen: Whether the server says that it has not dealt with the request, so
            that any may be sent again.
    """

    def __init__(
        self, failure: RequestFailure, *, is_stale: bool = False, is_unseen: bool = False
    ) -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.is_stale = is_stale
        self.is_unseen = is_unseen


TIMED_OUT = RequestFailure(TIMEOUT, "request timeout")
DIAL_TIMED_OUT = RequestFailure(DIAL_TIMEOUT, "dial: i/o timeout")
CLOSED_EARLY = RequestFailure(GENERIC, "EOF")
CLOSED_MIDWAY = RequestFailure(GENERIC, "unexpected EOF")


def head_too_large(limit: int) -> RequestFailure:
    """Return the words for a head of more than `limit` bytes."""
    return RequestFailure(GENERIC, f"server response headers exceeded {limit} bytes; aborted")


def body_too_large(limit: int) -> RequestFailure:
    """Return the words for a body of more than `limit` bytes."""
    return RequestFailure(GENERIC, f"response body exceeded {limit} bytes")


def explain_dial(error: OSError) -> RequestFailure:
    """Return k6's words for `error`, raised while connecting."""
    if isinstance(error, socket.gaierror):
        return _explain_lookup(error)
    if error.errno == errno.ECONNREFUSED:
        return RequestFailure(DIAL_REFUSED, "dial: connection refused")
    if error.errno == errno.ETIMEDOUT:
        return DIAL_TIMED_OUT
    if error.errno in _OUT_OF_FILES:
        return RequestFailure(DIAL_UNKNOWN_ERRNO, "dial: too many open files")
    text = (error.strerror or "").lower()  # as Go writes it
    return RequestFailure(
        DIAL_UNKNOWN_ERRNO, f"dial: unknown errno {error.errno} error with msg `{text}`"
    )


def _explain_lookup(error: socket.gaierror) -> RequestFailure:
    unknown = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    if error.errno in unknown:
        return RequestFailure(NO_SUCH_HOST, "lookup: no such host")
    return RequestFailure(DNS, f"lookup: {error.strerror}")


def explain_tls(error: ssl.SSLError) -> RequestFailure:
    """Return the words for `error`, raised by the TLS handshake or a TLS connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _MISMATCHED:
            return RequestFailure(HOSTNAME_MISMATCH, "x509: certificate doesn't match hostname")
        if error.verify_code in _UNTRUSTED:
            return RequestFailure(UNKNOWN_AUTHORITY, "x509: unknown authority")
        return RequestFailure(TLS, f"x509: {error.verify_message}")
    if is_end_of_tls(error):
        return CLOSED_EARLY
    alert = _ALERT.fullmatch(error.reason or "")
    if alert is not None:
        text = _ALERTS.get(alert[1]) or alert[1].lower().replace("_", " ")
        return RequestFailure(REMOTE_ERROR, f"remote error: tls: {text}")
    # OpenSSL's reason is a constant such as WRONG_VERSION_NUMBER.
    reason = (error.reason or "handshake failed").lower().replace("_", " ")
    return RequestFailure(TLS, f"tls: {reason}")


def is_end_of_tls(error: OSError) -> bool:
    """Return whether `error` tells that the stream under TLS ended, and no more."""
    # Python 3.11.2, Debian 12's, knows no SSLEOFError for the second.
    return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or (
        isinstance(error, ssl.SSLError) and error.reason == "UNEXPECTED_EOF_WHILE_READING"
    )


def is_gone(error: OSError) -> bool:
    """Return whether `error` tells that the peer has gone."""
    return error.errno in _GONE or is_end_of_tls(error)


def explain_transfer(error: OSError, operation: str) -> RequestFailure:
    """Return k6's words for `error`, raised by a ``read`` or ``write`` on a connection."""
    if isinstance(error, ssl.SSLError):
        return explain_tls(error)
    if error.errno == errno.ECONNRESET:
        return RequestFailure(RESET, f"{operation}: connection reset by peer")
    if error.errno in _BROKEN_PIPE:
        return RequestFailure(BROKEN_PIPE, f"{operation}: broken pipe")
    return RequestFailure(
        UNKNOWN_ERRNO,
        f"{operation}: unknown errno `{error.errno}` with message `{error.strerror}`",
    )
