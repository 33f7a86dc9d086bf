"""A request that is ready to be sent: its bytes, and the rules for what comes back.

Pure. `pytest_k6api.protocols.http.client.prepare` makes requests; connections, the client
and responses only read them.
"""

from copy import copy
from types import EllipsisType
from typing import Self

from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.bodies import Upload
from pytest_k6api.protocols.http.message.request import DigestAuth
from pytest_k6api.protocols.http.message.request_options import RequestOptions
from pytest_k6api.protocols.http.message.urls import Target

# Sending one of these twice does what sending it once does (RFC 9110, 9.2.2).
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

StatusSet = frozenset[int] | range | None


class Route:
    """One method and one URL: what all requests to it share.

    Attributes:
        method: As it goes over the wire.
        target: The parts of the URL.
        origin: The server that the connection leads to.
        start: The first bytes of an HTTP/1.1 request: request line and ``Host``.
        key: The part of a sample's tags that depends on the route.
    """

    __slots__ = ("key", "method", "origin", "start", "target")

    def __init__(self, method: str, target: Target, origin: Origin) -> None:
        self.method = method
        self.target = target
        self.origin = origin
        self.start = request_line(method, target) + f"Host: {target.authority}\r\n".encode()
        self.key = f"{method} {target.name}"

    def __repr__(self) -> str:
        return f"<Route {self.key}>"


class PreparedRequest:
    """A request ready to be sent; never changed once it is prepared.

    Virtual users whose header fields are the same share the requests without options.

    Attributes:
        method: As it goes over the wire.
        target: The parts of the URL.
        origin: The server that the connection leads to.
        wire: The HTTP/1.1 bytes: the head and, unless `upload` sends it, the body.
            Empty if nothing can be requested at the URL.
        content: The body, if it is in memory.
        upload: Sends the body, if it is not in memory.
        name: k6's tags ``name`` and ``url``.
        tags: The user's tags for this request.
        key: The part of a sample's tags that is known before the response.
        timeout: Nanoseconds for the whole request.
        expected: The statuses that are no failure, None for no judgement, or
            `...` for the client's.
        redirects: How many more redirects are followed.
        throw: Whether a failure is raised.
        digest: What answers the challenge that a 401 brings; None if a 401 is the last word.
        has_body: Whether a response to it may have a body.
        keeps_body: Whether that is kept.
        is_hop: Whether it follows a redirect.
        is_repeatable: Whether it may be sent again if the server may not have seen it.
        trace: The trace context that it is sent with; ``""`` for none that is known.
        options: The user's options.
    """

    __slots__ = (
        "content", "digest", "expected", "has_body", "is_hop", "is_repeatable", "keeps_body", "key", "method",
        "name", "options", "origin", "redirects", "tags", "target", "throw", "timeout", "trace", "upload",
        "wire",
    )  # fmt: skip

    def __init__(
        self, route: Route, options: RequestOptions, *, timeout: int, redirects: int
    ) -> None:
        self.method = method = route.method
        self.target = route.target
        self.origin = route.origin
        self.wire = self.content = b""
        self.upload: Upload | None = None
        self.name = route.target.name
        self.tags: dict[str, str] | None = None
        self.key: object = route.key
        self.timeout = timeout
        self.expected: StatusSet | EllipsisType = ...
        self.redirects = redirects
        self.throw = self.is_hop = False
        self.has_body = method != "HEAD"
        self.keeps_body = True
        self.digest: DigestAuth | None = None
        self.is_repeatable = method in _IDEMPOTENT
        self.trace = ""
        self.options = options

    def __repr__(self) -> str:
        return f"<PreparedRequest {self.method} {self.name}>"

    def __copy__(self) -> Self:
        # `copy` by itself takes ten times as long, and a loop over the slots four times.
        again = object.__new__(type(self))
        again.method, again.target, again.origin = self.method, self.target, self.origin
        again.wire, again.content, again.upload = self.wire, self.content, self.upload
        again.name, again.tags, again.key = self.name, self.tags, self.key
        again.timeout, again.expected, again.redirects = self.timeout, self.expected, self.redirects
        again.throw, again.digest, again.is_hop = self.throw, self.digest, self.is_hop
        again.has_body, again.keeps_body = self.has_body, self.keeps_body
        again.is_repeatable, again.options, again.trace = (
            self.is_repeatable, self.options, self.trace
        )  # fmt: skip
        return again

    def with_context(self, context: str) -> Self:
        """Return the same request with another trace context, if this one has one in its head."""
        again = copy(self)
        again.trace = context
        again.wire = self.wire.replace(self.trace.encode(), context.encode(), 1)
        return again


def request_line(method: str, target: Target) -> bytes:
    """Return the first line of an HTTP/1.1 request."""
    return f"{method} {target.path} HTTP/1.1\r\n".encode()
