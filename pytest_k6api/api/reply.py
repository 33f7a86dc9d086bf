"""Requests, routes and replies as the handlers see them: no server, no framework."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

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
        api: What the API knows about itself.
        parameters: The values of the path's parameters.
        query: The query's parameters; of equal names the last.
        body: The request's body.
    """

    session: SessionPort
    load_test: LoadTestPort
    api: "Api"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parameter of a route's query.

    Attributes:
        name: Its name.
        description: What it does.
        example: A value that works.
    """

    name: str
    description: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path, with what the OpenAPI document and the index say about it.

    Attributes:
        method: The HTTP method.
        path: The template; see `Router`.
        handler: What answers; its docstring's first line is the summary.
        answers: The type of the document in the reply; None for an empty or other body.
        media: The content type of the reply; JSON documents are of `JSON` or like it.
        error_media: The content type of errors.
        errors: The statuses of errors, beside those that any request can get.
        body: The JSON schema of the request's body; None if it takes none.
        body_required: Whether an empty body is an error.
        queries: The parameters of its query.
        example: What follows ``curl``, in the API's index.
        each_test: Whether it is also there below ``/v1/tests/{test}``.
    """

    method: str
    path: str
    handler: Handler
    answers: object = None
    media: str = JSON
    error_media: str = JSON
    errors: tuple[int, ...] = ()
    body: Mapping[str, object] | None = None
    body_required: bool = True
    queries: tuple[Query, ...] = ()
    example: str = ""
    each_test: bool = False

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""
        return (self.handler.__doc__ or "").strip().splitlines()[0]

    def below_tests(self) -> "Route":
        """Return the same for one load test of the session."""
        path = self.path.replace("/v1/", "/v1/tests/{test}/", 1)
        errors = tuple(sorted({*self.errors, 404}))
        return replace(self, path=path, errors=errors, each_test=False, example="")


class Events(Protocol):
    """Where events come from."""

    def subscribe(self) -> AsyncIterator[bytes]:
        """Return the events from now on, as server-sent events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the API knows about itself.

    Attributes:
        routes: All of them.
        asks_token: Whether requests must show a token.
        events: Where events come from.
    """

    routes: Sequence[Route]
    asks_token: bool
    events: Events


def json_reply(document: object, *, status: int = 200, content_type: str = JSON) -> Reply:
    """Return a reply with `document` as JSON."""
    return Reply(status=status, body=to_json(document), content_type=content_type)


def error_reply(status: int, title: str, detail: str, *, content_type: str = JSON) -> Reply:
    """Return a reply with k6's error document."""
    document = error_document(status, title, detail)
    return json_reply(document, status=status, content_type=content_type)
