"""Routes and prepared requests, made once and shared by all virtual users of a load test."""

from weakref import WeakValueDictionary

from pytest_k6api.model import SECRETS, TRACE_HEADER, Secrets, Tracer
from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.prepared import PreparedRequest, Route
from pytest_k6api.protocols.http.message.urls import Target, join_base

# More different URLs than a load test should name; beyond it a cache starts
# anew, so that generated URLs (ids, search words) do not fill the memory.
_MOST_ROUTES = 4096
# Half a kilobyte each. They are more than routes where virtual users differ in
# their header fields, in a token for instance.
_MOST_REQUESTS = 65_536


class RequestCache(dict[str, PreparedRequest]):
    """GET requests without options, by the URL as users write it.

    The clients that have one base URL and the same header fields share a cache.
    """

    __slots__ = ("__weakref__",)


class TracedRequests(RequestCache):
    """The same with a new trace context for each request that is taken out."""

    __slots__ = ("_tracer",)

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    def get(self, url: str, _default: object = None) -> PreparedRequest | None:  # type: ignore[override]
        """Return a request of its own for the caller; None if there is none at `url`."""
        known = super().get(url)
        return None if known is None else known.with_context(self._tracer.new_context())


class Routes:
    """The routes of one load test, and the servers they lead to.

    Attributes:
        timeout: Nanoseconds for a request, unless it says otherwise.
        redirects: How many redirects are followed, unless the request says otherwise.
        keeps_bodies: Whether bodies of responses are kept, unless the request says otherwise.
        secrets: The rule of masking, wherever requests are shown.
        tracer: Makes the trace contexts of requests; None if they are not traced.
    """

    def __init__(
        self,
        *,
        timeout: float,
        redirects: int,
        keeps_bodies: bool = True,
        secrets: Secrets = SECRETS,
        tracer: Tracer | None = None,
    ) -> None:
        self.timeout = round(timeout * 1e9)
        self.redirects = redirects
        self.keeps_bodies = keeps_bodies
        self.secrets = secrets
        self.tracer = tracer
        self._routes: dict[tuple[str, str], dict[str, Route]] = {}
        self._origins: dict[tuple[bool, str, int], Origin] = {}
        # A cache lives as long as a client uses it.
        self._caches: WeakValueDictionary[tuple[str, bytes], RequestCache] = WeakValueDictionary()
        self._cached = 0

    def route(self, base_url: str, method: str, url: str) -> Route:
        """Return the route of `url` below `base_url`.

        Raises:
            InvalidURL: Nothing can be requested there.
        """
        routes = self._routes.setdefault((base_url, method), {})
        route = routes.get(url)
        if route is None:
            target = Target(join_base(base_url, url), self.secrets)
            route = Route(method, target, self._origin(target))
            if len(routes) >= _MOST_ROUTES:
                routes.clear()
            routes[url] = route
        return route

    def broken(self, method: str, url: str) -> Route:
        """Return a route that stands for a URL that cannot be requested, in reports."""
        target = Target.broken(url, self.secrets)
        return Route(method, target, self._origin(target))

    def cache(self, base_url: str, fields: bytes) -> RequestCache:
        """Return the requests below `base_url` with `fields`, which are header fields in wire form."""
        key = (base_url, fields)
        cache = self._caches.get(key)
        if cache is None:
            cache = self._caches[key] = self._new_cache(fields)
        return cache

    def _new_cache(self, fields: bytes) -> RequestCache:
        if self.tracer is None or f"\n{TRACE_HEADER}:".encode() in b"\n" + fields.lower():
            return RequestCache()
        return TracedRequests(self.tracer)

    def remember(self, cache: RequestCache, url: str, request: PreparedRequest) -> None:
        """Put `request` into `cache`, in bounded memory."""
        if url in cache:
            return
        if self._cached >= _MOST_REQUESTS:
            self._cached = 0
            for full in self._caches.values():
                full.clear()
        self._cached += 1
        cache[url] = request

    def _origin(self, target: Target) -> Origin:
        key = (target.is_tls, target.host, target.port)
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = Origin(
                is_tls=target.is_tls, host=target.host, port=target.port
            )
        return origin
