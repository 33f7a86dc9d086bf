"""Requests, replies and endpoints as handlers see them: no server, no framework."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Protocol, TypeVar, get_args, get_type_hints

import msgspec

from pytest_k6api.api.ports import LoadTestPort, SessionPort
from pytest_k6api.model import ControlError

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
INVALID_DATA: Final = "Invalid data"
"""k6's title for a body that cannot be decoded."""
_LONGEST_PROBLEM: Final = 200

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request, as handlers get it.

    Attributes:
        session: The pytest session.
        load_test: The load test that the request concerns.
        api: Endpoints, token and events of the API itself.
        parameters: The values of the path's parameters.
        query: The query's parameters.
        body: The request's body.
    """

    session: SessionPort
    load_test: LoadTestPort
    api: "Api"
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply(Generic[Body]):
    """The reply to a request.

    Attributes:
        body: A document; or the bytes, or an iterator of parts; None is an empty body.
        status: The HTTP status.
        headers: Headers beside Content-Type.
    """

    body: Body
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Reply[Any]]]  # Any: of each handler another document
Stream = AsyncIterator[bytes]


async def _not_found(_: Call) -> Reply[None]:
    raise ControlError("Not Found", "nothing answers here", status=404)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parameter of an endpoint's query, with a value that works as `example`.

    A `most` above 0 makes it a whole number from 1 to that.
    """

    name: str
    description: str
    example: str
    most: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path; the decorator of the handler that answers there.

    Attributes:
        method: The HTTP method.
        path: The template: ``{name}`` is one segment, ``{name...}`` all the rest, which
            may have slashes and may be empty.
        media: The content type of the reply, and of errors if it is JSON.
        errors: The statuses of errors, beside those that any request can get.
        takes: The type of the request's body; None if it takes none.
        body_required: Whether an empty body is an error.
        queries: The parameters of its query.
        example: The arguments of ``curl`` that show it; of a plain GET they are known.
        each_test: Whether it is also there below ``/v1/tests/{test}``.
        handler: Its docstring's first line is the summary; its annotation says what the
            body of the reply is.
    """

    method: str
    path: str
    media: str = field(default=JSON, kw_only=True)
    errors: tuple[int, ...] = field(default=(), kw_only=True)
    takes: Any = field(default=None, kw_only=True)  # a type, as msgspec takes them
    body_required: bool = field(default=True, kw_only=True)
    queries: tuple[Query, ...] = field(default=(), kw_only=True)
    example: str = field(default="", kw_only=True)
    each_test: bool = field(default=False, kw_only=True)
    handler: Handler = field(default=_not_found, kw_only=True)

    def __call__(self, handler: Handler) -> "Endpoint":
        """Return the endpoint with its handler."""
        is_plain = self.method == "GET" and "{" not in self.path
        example = self.example or ("{url}" + self.path if is_plain else "")
        return replace(self, handler=handler, example=example)

    @property
    def summary(self) -> str:
        """Its summary, in one sentence."""
        return (self.handler.__doc__ or "").strip().splitlines()[0]

    @property
    def answers(self) -> Any:
        """The type of the reply's body."""
        return get_args(get_type_hints(self.handler)["return"])[0]

    @property
    def error_media(self) -> str:
        """The content type of errors."""
        return self.media if self.media.startswith(JSON) else JSON

    def below_tests(self) -> "Endpoint":
        """Return the same for one load test of the session."""
        path = self.path.replace("/v1/", "/v1/tests/{test}/", 1)
        errors = tuple(sorted({*self.errors, 404}))
        return replace(self, path=path, errors=errors, each_test=False, example="")


class Events(Protocol):
    """A source of events."""

    def subscribe(self, names: frozenset[str] = ..., /) -> Stream:
        """Return the events from now on, as server-sent events; those of `names` if it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Endpoints, token and events of the API itself.

    Attributes:
        endpoints: All of them.
        asks_token: Whether requests must show a token.
        events: The source of events.
        sign_in: Returns a header ``Set-Cookie`` for the token, or raises `ControlError`.
    """

    endpoints: Sequence[Endpoint]
    asks_token: bool
    events: Events
    sign_in: Callable[[str], str]


def decode(body: bytes, kind: Any, *, title: str, example: str) -> Any:
    """Return the JSON in `body` as a `kind`. Takes linear time, 10 ms for 4 MiB.

    Args:
        body: The body of a request.
        kind: A type as msgspec takes them, unions included, which `type` does not cover.
        title: The title of the error.
        example: A body that works, shown when `body` does not.

    Raises:
        ControlError: `body` is not JSON, or no `kind`.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        problem = _explain(error, body)
    if len(problem) > _LONGEST_PROBLEM:
        problem = problem[:_LONGEST_PROBLEM] + "…"
    raise ControlError(title, f"{problem}; write {example}")


def _explain(error: Exception, body: bytes) -> str:
    if not body.strip():
        return "the body is empty"
    if isinstance(error, msgspec.ValidationError):
        problem, _, place = str(error).partition(" - at `$")
        place = place.strip(".`") or "the body"
        return f"{place}: {problem[:1].lower()}{problem[1:]}".replace("`", "'")
    if isinstance(error, RecursionError):
        return "the body is nested too deeply"
    if str(error) == "Input data was truncated":
        return "the body is not JSON: it ends too early"
    return f"the body is not JSON: {str(error).removeprefix('JSON is malformed: ')}"
