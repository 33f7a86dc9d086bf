"""What is the same for every request to one URL, made once and shared by all virtual users."""

from types import EllipsisType

from pytest_k6api.model import SECRETS, Secrets
from pytest_k6api.protocols.http.message.request_options import RequestOptions
from pytest_k6api.protocols.http.message.uploads import Upload
from pytest_k6api.protocols.http.message.urls import Target, join_base

# More different URLs than a load test should name; beyond it the cache starts
# anew, so that generated URLs (ids, search words) do not fill the memory.
_MOST_ROUTES = 4096

# Sending one of these twice does what sending it once does (RFC 9110, 9.2.2).
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

Expected = frozenset[int] | range | None


class Origin:
    """A server that connections lead to. One object for each, so identity is equality."""

    __slots__ = ("host", "is_tls", "port")

    def __init__(self, *, is_tls: bool, host: str, port: int) -> None:
        self.is_tls = is_tls
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        """Its URL, with the port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Origin {self.url}>"


class Plan:
    """How one request is made: a route, and what the user said beyond it.

    A request without options uses the plan of its route, which all virtual users
    share; options make a plan of their own (`pytest_k6api.protocols.http.client.prepare`).

    Attributes:
        method: As it goes over the wire.
        target: The parts of the URL.
        origin: Where the connection leads.
        start: The request's first bytes: request line and ``Host``.
        name: k6's tags ``name`` and ``url``.
        tags: The user's tags for this request.
        key: What, beside the outcome, the tags of its samples depend on.
        timeout: Nanoseconds for the whole request.
        expected: The statuses that are no failure, None for no judgement, or
            `...` for what the client says.
        redirects: How many more redirects are followed.
        throw: Whether a failure is raised.
        has_body: Whether a response to it may have a body.
        is_hop: Whether it follows a redirect, so that somebody waits to go on from it.
        is_repeatable: Whether it may be sent again when it may have met nobody.
        content: The body, if it is in memory.
        upload: What sends the body, if it is not in memory.
        options: What the user said.
    """

    __slots__ = (
        "content", "expected", "has_body", "is_hop", "is_repeatable", "key", "method", "name",
        "options", "origin", "redirects", "start", "tags", "target", "throw", "timeout", "upload",
    )  # fmt: skip

    def __init__(
        self, method: str, target: Target, origin: Origin, *, timeout: int, redirects: int
    ) -> None:
        self.method = method
        self.target = target
        self.origin = origin
        self.start = request_line(method, target) + f"Host: {target.authority}\r\n".encode()
        self.name = target.name
        self.tags: dict[str, str] | None = None
        self.key: object = f"{method} {target.name}"
        self.timeout = timeout
        self.expected: Expected | EllipsisType = ...
        self.redirects = redirects
        self.throw = False
        self.is_hop = False
        self.has_body = method != "HEAD"
        self.is_repeatable = method in _IDEMPOTENT
        self.content = b""
        self.upload: Upload | None = None
        self.options: RequestOptions = {}

    def variant(self) -> "Plan":
        """Return a plan of its own, equal to this one until it is changed."""
        twin = object.__new__(Plan)
        # Not a loop over the slots: every request with options comes here.
        twin.content, twin.upload, twin.options = self.content, self.upload, self.options
        twin.expected, twin.throw, twin.timeout = self.expected, self.throw, self.timeout
        twin.has_body, twin.is_hop, twin.is_repeatable = (
            self.has_body,
            self.is_hop,
            self.is_repeatable,
        )
        twin.key, twin.name, twin.tags = self.key, self.name, self.tags
        twin.method, twin.target, twin.origin = self.method, self.target, self.origin
        twin.start, twin.redirects = self.start, self.redirects
        return twin

    def __repr__(self) -> str:
        return f"<Plan {self.method} {self.name}>"


def request_line(method: str, target: Target) -> bytes:
    """Return the first line of a request."""
    return f"{method} {target.path} HTTP/1.1\r\n".encode()


class Routes:
    """The plans of requests without options, and the servers they go to.

    Attributes:
        secrets: What is masked wherever requests are shown.
    """

    def __init__(self, *, timeout: float, redirects: int, secrets: Secrets = SECRETS) -> None:
        self.secrets = secrets
        self._timeout = round(timeout * 1e9)
        self._redirects = redirects
        self._plans: dict[tuple[str, str], dict[str, Plan]] = {}
        self._origins: dict[tuple[bool, str, int], Origin] = {}

    def below(self, base_url: str, method: str) -> dict[str, Plan]:
        """Return the plans that exist for `method`, by the URL as users write it.

        Only for looking up; `plan` makes what is missing.
        """
        return self._plans.setdefault((base_url, method), {})

    def plan(self, base_url: str, method: str, url: str) -> Plan:
        """Return the plan for `url` below `base_url`.

        Raises:
            InvalidURL: Nothing can be requested there.
        """
        plans = self.below(base_url, method)
        plan = plans.get(url)
        if plan is None:
            target = Target(join_base(base_url, url), self.secrets)
            plan = Plan(
                method,
                target,
                self._origin(target),
                timeout=self._timeout,
                redirects=self._redirects,
            )
            if len(plans) >= _MOST_ROUTES:
                plans.clear()
            if target.credentials is None:  # else it takes more than its first bytes
                plans[url] = plan
        return plan

    def broken(self, method: str, url: str) -> Plan:
        """Return a plan to tell of a request that cannot be made."""
        target = Target.broken(url, self.secrets)
        return Plan(method, target, self._origin(target), timeout=self._timeout, redirects=0)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The servers that were asked for so far."""
        return tuple(self._origins.values())

    def _origin(self, target: Target) -> Origin:
        key = (target.is_tls, target.host, target.port)
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = Origin(
                is_tls=target.is_tls, host=target.host, port=target.port
            )
        return origin
