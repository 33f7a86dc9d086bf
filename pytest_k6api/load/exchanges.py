"""A request and its response as text for a report, with secrets masked."""

import re
from collections.abc import Mapping
from typing import Protocol

BODY_LIMIT = 1000
"""Bytes of a response's body that are shown."""

_MASK = "***"
_SECRET = re.compile(
    r"authorization|cookie|token|secret|password|passwd|api[-_]?key", re.IGNORECASE
)
_SECRET_PARAMETER = re.compile(
    r"([?&][^=&#]*(?:token|secret|password|passwd|api[-_]?key|signature)[^=&#]*=)[^&#]*",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@?#]+@")


class SentRequest(Protocol):
    """What is shown of a request."""

    @property
    def method(self) -> str:
        """Such as ``GET``."""

    @property
    def url(self) -> object:
        """The URL; its ``str`` is shown."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers as sent."""


class ReceivedResponse(Protocol):
    """What is shown of a response, and of a request that got none."""

    @property
    def request(self) -> SentRequest:
        """What it answers."""

    @property
    def status_code(self) -> int:
        """The status; 0 if the request failed."""

    @property
    def error(self) -> object:
        """Why the request failed; None or empty if it did not."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers as received."""

    @property
    def content(self) -> bytes:
        """The decoded body."""

    @property
    def timings(self) -> object:
        """The phases; their ``str`` is shown."""


def describe_exchange(response: ReceivedResponse) -> str:
    """Return the request, the status, the phases, all headers and the start of the body."""
    request = response.request
    lines = [f"> {request.method} {mask_url(str(request.url))}"]
    lines += [f"> {line}" for line in _header_lines(request.headers)]
    lines.append(f"< {response.error or response.status_code} ({response.timings})")
    lines += [f"< {line}" for line in _header_lines(response.headers)]
    body = _start_of(response.content)
    if body:
        lines.append(body)
    return "\n".join(lines)


def mask_url(url: str) -> str:
    """Return `url` without credentials and without the values of secret parameters."""
    return _SECRET_PARAMETER.sub(rf"\1{_MASK}", _CREDENTIALS.sub(f"{_MASK}@", url))


def _header_lines(headers: Mapping[str, str]) -> list[str]:
    return [
        f"{name}: {_MASK if _SECRET.search(name) else value}" for name, value in headers.items()
    ]


def _start_of(body: bytes) -> str:
    text = body[:BODY_LIMIT].decode("utf-8", "replace")
    return f"{text}… ({len(body)} bytes)" if len(body) > BODY_LIMIT else text
