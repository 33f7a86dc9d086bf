"""Routes and prepared requests, made once and shared by all virtual users of a load test."""

from weakref import WeakValueDictionary

from pytest_k6api.model import SECRETS, Secrets
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


class Routes:
    """The routes of one load test, and the servers they lead to.

    Attributes:
        timeout: Nanoseconds for a request, unless it says otherwise.
        redirects: How many redirects are followed, unless the request says otherwise.
        keeps_bodies: Whether bodies of responses are kept, unless the request says otherwise.
        secrets: The rule of masking, wherever requests are shown.
    """

    def __init__(
        self,
        *,
        timeout: float,
        redirects: int,
        keeps_bodies: bool = True,
        secrets: Secrets = SECRETS,
    ) -> None:
        self.timeout = round(timeout * 1e9)
        self.redirects = redirects
        self.keeps_bodies = keeps_bodies
        self.secrets = secrets
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
            cache = self._caches[key] = RequestCache()
        return cache

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
