"""Requests and replies as the handlers of the API see them: no server, no framework."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pytest_k6api.api.documents import error_document
from pytest_k6api.api.go_json import to_json
from pytest_k6api.api.ports import LoadTestPort, SessionPort

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came in, its body read.

    Attributes:
        method: As it was sent.
        target: The raw request target, escapes and query included.
        headers: By lower-case name; equal names joined by ``", "``.
        body: All of it.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler is called with.

    Attributes:
        session: The pytest session.
        load_test: The load test that the request is about.
        parameters: The values of the path's parameters.
        query: The query's parameters; of equal names the last.
        body: The request's body.
    """

    session: SessionPort
    load_test: LoadTestPort
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered.

    Attributes:
        status: The HTTP status.
        body: All of the body, or its parts as they come.
        content_type: None sends none.
        headers: Further headers.
    """

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Reply]]


def json_reply(document: object, *, status: int = 200, content_type: str = JSON) -> Reply:
    """Return a reply with `document` as JSON."""
    return Reply(status=status, body=to_json(document), content_type=content_type)


def error_reply(status: int, title: str, detail: str, *, content_type: str = JSON) -> Reply:
    """Return a reply with k6's error document."""
    document = error_document(status, title, detail)
    return json_reply(document, status=status, content_type=content_type)
