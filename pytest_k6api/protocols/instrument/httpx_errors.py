"""Failures of httpx and httpx2, in k6's codes and words.

httpx and its successor name their exceptions alike, and chain them to what the
operating system said, so neither needs to be imported here. Pure.

Source: k6 v1.1.0, ``lib/netext/httpext/error_codes.go``, by way of `errors`.
"""

import re
import ssl
from collections.abc import Iterator

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
