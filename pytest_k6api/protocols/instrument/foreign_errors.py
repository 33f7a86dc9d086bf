"""Failures of other HTTP clients, in k6's codes and words.

httpx and httpx2 name their exceptions alike, and chain them to the operating system's;
urllib3's connections raise those of the operating system and of the standard library. So no
library is imported here.

Source: k6 v1.1.0, ``lib/netext/httpext/error_codes.go``, by way of `errors`.
"""

import http.client
import re
import ssl
from collections.abc import Iterator
from enum import Enum

from pytest_k6api.protocols.http.message.errors import (
    CLOSED_EARLY,
    CLOSED_MIDWAY,
    DIAL_TIMED_OUT,
    GENERIC,
    INVALID_URL,
    TIMED_OUT,
    RequestFailure,
    explain_dial,
    explain_tls,
    explain_transfer,
)

# By the name of a class among the exception's own and its bases; the first that fits counts.
_BY_CLASS = (
    ("ConnectTimeout", DIAL_TIMED_OUT),
    ("TimeoutException", TIMED_OUT),
)
# By how the text of a broken protocol begins.
_BY_TEXT = (
    ("Server disconnected", CLOSED_EARLY),
    ("peer closed connection", CLOSED_MIDWAY),
)
# What a text begins with, up to what it quotes: it becomes the value of a tag, so it is to be
# one of few, and is not to hold what the server sent.
_GENERAL = re.compile(r"[A-Za-z][A-Za-z ,\-]{0,59}(?<![ ,\-])")


def explain_httpx(error: Exception) -> RequestFailure:
    """Return the failure that `error`, raised by a transport of httpx or httpx2, stands for."""
    classes = {kind.__name__ for kind in type(error).__mro__}
    text = str(error)
    for name, failure in _BY_CLASS:
        if name in classes:
            return failure
    for start, failure in _BY_TEXT:
        if text.startswith(start):
            return failure
    if classes & {"UnsupportedProtocol", "InvalidURL"}:
        return RequestFailure(INVALID_URL, f"invalid URL{_general(text)}")
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno is not None:
            return _explain_system(cause, classes)
    return RequestFailure(GENERIC, f"{type(error).__name__}{_general(text)}")


class Step(Enum):
    """A step of a connection at which an error was raised."""

    DIAL = "dial"
    WRITE = "write"
    READ = "read"


def explain_connection(error: Exception, step: Step) -> RequestFailure:
    """Return the failure that `error`, raised by a connection of urllib3 at `step`, stands for."""
    if isinstance(error, http.client.RemoteDisconnected):
        return CLOSED_EARLY
    if isinstance(error, http.client.IncompleteRead):
        return CLOSED_MIDWAY
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return explain_tls(cause)
        if isinstance(cause, OSError) and cause.errno is not None:
            is_dial = step is Step.DIAL
            return explain_dial(cause) if is_dial else explain_transfer(cause, step.value)
    if isinstance(error, http.client.HTTPException):
        return RequestFailure(GENERIC, type(error).__name__)  # its text quotes the server
    # Last, for urllib3 makes every failure to connect a timeout by its class.
    if any(kind.__name__ == "TimeoutError" for kind in type(error).__mro__):
        return DIAL_TIMED_OUT if step is Step.DIAL else TIMED_OUT
    return RequestFailure(GENERIC, f"{type(error).__name__}{_general(str(error))}")


def _general(text: str) -> str:
    start = _GENERAL.match(text)
    return f": {start[0]}" if start else ""


def _explain_system(cause: OSError, classes: set[str]) -> RequestFailure:
    if isinstance(cause, ssl.SSLError):
        return explain_tls(cause)
    if "ConnectError" in classes:
        return explain_dial(cause)
    return explain_transfer(cause, "write" if "WriteError" in classes else "read")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and all that led to it, nearest first; of a group, all its members."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _causes(member)
    earlier = error.__cause__ or error.__context__
    if earlier is not None:
        yield from _causes(earlier)
