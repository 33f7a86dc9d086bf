"""Turns a user's call into a prepared request: options checked, header fields merged, bytes made."""

import functools
import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from pytest_k6api.model import TRACE_HEADER, OptionError, Tracer, checked_context, read_pairs
from pytest_k6api.protocols.advice import unknown_options
from pytest_k6api.protocols.http.client.routes import Routes
from pytest_k6api.protocols.http.message.bodies import Body, IteratorUpload, encode_body
from pytest_k6api.protocols.http.message.cookies import Cookies
from pytest_k6api.protocols.http.message.headers import (
    Headers,
    HeaderSource,
    checked_field,
    encode_fields,
)
from pytest_k6api.protocols.http.message.prepared import (
    PreparedRequest,
    Route,
    StatusSet,
    request_line,
)
from pytest_k6api.protocols.http.message.request import (
    Auth,
    AuthFunction,
    DigestAuth,
    Request,
    authorization,
)
from pytest_k6api.protocols.http.message.request_options import (
    OPTION_ADVICE,
    ExpectedStatuses,
    RequestOptions,
)
from pytest_k6api.protocols.http.message.urls import add_params

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_KNOWN = frozenset(RequestOptions.__annotations__)


class Defaults(Protocol):
    """What a client adds to all its requests."""

    routes: Routes
    base_url: str
    headers: Headers
    cookies: Cookies
    auth: Auth | None

    @property
    def expected_statuses(self) -> ExpectedStatuses:
        """The statuses that are no failure."""


class Hop(NamedTuple):
    """What a request that follows a redirect or a challenge takes over from the one before.

    Attributes:
        timeout: Nanoseconds that are left.
        is_cross_origin: Whether a redirect has led to another server, which must not
            see the credentials that were meant for the first.
        trace: The trace context of the one before, which stays; ``""`` if it had none.
        is_answer: Whether it answers a challenge, so that another 401 is the last word.
    """

    timeout: int
    is_cross_origin: bool
    trace: str = ""
    is_answer: bool = False


_FIRST = Hop(timeout=0, is_cross_origin=False)


def prepare(
    defaults: Defaults, method: str, url: str, options: RequestOptions, hop: Hop = _FIRST
) -> PreparedRequest:
    """Return the request that is to be sent.

    Args:
        defaults: What to add to the user's options.
        method: As it goes over the wire.
        url: The URL as the user wrote it.
        options: The user's options.
        hop: Which redirect it follows, if it does.

    Raises:
        InvalidURL: Nothing can be requested at `url`.
        OptionError: An option cannot be used as given.
        TypeError: There is no such option.
    """
    if not options.keys() <= _KNOWN:
        raise unknown_options("a request", options.keys() - _KNOWN, _KNOWN, OPTION_ADVICE)
    params = options.get("params")
    routes = defaults.routes
    route = routes.route(
        defaults.base_url, method, url if params is None else add_params(url, params)
    )
    request = PreparedRequest(route, options, timeout=routes.timeout, redirects=routes.redirects)
    request.keeps_body = routes.keeps_bodies
    if options:
        _apply_settings(request, options)
    if hop is not _FIRST:
        request.is_hop, request.timeout = True, hop.timeout
    body = encode_body(options)
    request.trace = hop.trace
    request.wire = _assemble(defaults, route, request, body, is_cross_origin=hop.is_cross_origin)
    if request.digest is not None:
        _allow_challenge(defaults, request, is_answer=hop.is_answer)
    return request


def _allow_challenge(defaults: Defaults, request: PreparedRequest, *, is_answer: bool) -> None:
    if is_answer or request.upload is not None:
        request.digest = None
        return
    expected = defaults.expected_statuses if request.expected is ... else request.expected
    if expected is not None:
        request.expected = read_expected([*_elements(expected), 401])


def _elements(statuses: ExpectedStatuses) -> Iterable[int | range]:
    return statuses if isinstance(statuses, Iterable) else [] if statuses is None else [statuses]


def prepare_broken(
    defaults: Defaults, method: str, url: str, options: RequestOptions, *, is_hop: bool = False
) -> PreparedRequest:
    """Return what stands for a request that cannot be sent, because of its URL."""
    route = defaults.routes.broken(method, url)
    request = PreparedRequest(route, options, timeout=defaults.routes.timeout, redirects=0)
    _apply_settings(request, options)
    request.redirects, request.is_hop = 0, is_hop
    return request


def _apply_settings(request: PreparedRequest, options: RequestOptions) -> None:
    tags = _read_tags(options["tags"]) if options.get("tags") else {}
    name = options.get("name") or tags.get("name")
    if name is not None:
        request.name = str(name)
        request.key = f"{request.method} {name}"
    if tags:
        request.tags = {key: str(value) for key, value in tags.items()}
        request.key = (request.key, frozenset(request.tags.items()))
    timeout = options.get("timeout")
    if timeout is not None:
        request.timeout = nanoseconds("timeout", timeout)
    if "expected_statuses" in options:
        request.expected = read_expected(options["expected_statuses"])
    if "max_redirects" in options:
        request.redirects = _redirects(options["max_redirects"])
    if not options.get("follow_redirects", True):
        request.redirects = 0
    request.throw = options.get("throw", False)
    request.keeps_body = not options.get("discard_response_body", not request.keeps_body)


def _read_tags(tags: object) -> Mapping[str, object]:
    return tags if isinstance(tags, Mapping) else dict(read_pairs("tags", tags))


def _redirects(count: object) -> int:
    if isinstance(count, int) and count >= 0:
        return count
    raise OptionError(f"max_redirects is a whole number, 0 or more, got {count!r}")


def nanoseconds(option: str, seconds: object) -> int:
    """Return the time that `option` gives in seconds.

    Raises:
        OptionError: It is no number above 0.
    """
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise OptionError(f"{option} is a number of seconds above 0, got {seconds!r}")
    return round(seconds * 1e9)


def read_expected(value: ExpectedStatuses) -> StatusSet:
    """Return the statuses that `value` stands for.

    Raises:
        OptionError: It is no status, no range, and no collection of them.
    """
    if value is None or isinstance(value, range):
        return value
    if isinstance(value, int):
        return frozenset((value,))
    statuses: set[int] = set()
    elements: object = value
    for element in elements if isinstance(elements, Iterable) else [elements]:
        if isinstance(element, range):
            statuses.update(element)
        elif isinstance(element, int):
            statuses.add(element)
        else:  # a text, for one, or a float
            raise OptionError(
                f"expected_statuses takes a status, a range, a collection of them or None,"
                f" got {value!r}; write 404, or [range(200, 300), 404]"
            )
    return frozenset(statuses)


def _assemble(
    defaults: Defaults, route: Route, request: PreparedRequest, body: Body, *, is_cross_origin: bool
) -> bytes:
    own = _own_headers(request.options.get("headers"))
    start, block, names = _merge(defaults.headers, route, own, is_cross_origin=is_cross_origin)
    extra = _body_fields(request, body, names)
    cookies = _cookie_header(defaults, request, is_cross_origin=is_cross_origin)
    if cookies and "cookie" not in names:
        extra += encode_fields([checked_field("Cookie", cookies)])
    if (tracer := defaults.routes.tracer) is not None:
        given = _value_of(TRACE_HEADER, own, defaults.headers) if TRACE_HEADER in names else None
        extra += _trace_field(request, tracer, given)
    signer = _signer(defaults, request, names, is_cross_origin=is_cross_origin)
    if isinstance(signer, str):
        extra += encode_fields([checked_field("Authorization", signer)])
    elif signer is not None:
        return _sign(signer, request, start + block + extra)
    return b"%b%b%b\r\n%b" % (start, block, extra, request.content)


@functools.lru_cache(maxsize=1024)
def _headers_of(items: tuple[tuple[str, str], ...]) -> Headers:
    return Headers(items)


def _own_headers(source: HeaderSource) -> Headers | None:
    if not source:
        return None
    if isinstance(source, Headers):
        return source
    # Users write the same headers again and again; reading them once is enough.
    # Treated as read-only from here on.
    if isinstance(source, Mapping):
        items = tuple(source.items())
    else:
        items = tuple(read_pairs("headers", source))
    try:
        return _headers_of(items)
    except TypeError:  # something unhashable; the error for it is better
        return Headers(items)


def _merge(
    common: Headers, route: Route, own: Headers | None, *, is_cross_origin: bool
) -> tuple[bytes, bytes, frozenset[str]]:
    """Return the first bytes, the block of fields and their names in lower case."""
    if own is None and not is_cross_origin:
        names = common.names
        start = route.start if "host" not in names else request_line(route.method, route.target)
        return start, common.block, names
    own = own or Headers()
    secret = (
        {"authorization", "cookie", "proxy-authorization", "host"} if is_cross_origin else set()
    )
    hidden = own.names | secret
    if hidden.isdisjoint(common.names):
        shared = common
    else:
        shared = Headers(field for field in common.fields if field[0].lower() not in hidden)
    if not secret.isdisjoint(own.names):
        own = Headers(field for field in own.fields if field[0].lower() not in secret)
    names = shared.names | own.names
    start = route.start if "host" not in names else request_line(route.method, route.target)
    return start, shared.block + own.block, names


def _body_fields(request: PreparedRequest, body: Body, names: frozenset[str]) -> bytes:
    content = body.content
    is_framed = "content-length" in names or "transfer-encoding" in names
    if body.chunks is not None:
        request.upload = IteratorUpload(body.chunks, is_chunked="content-length" not in names)
        request.is_repeatable = False
        return b"" if is_framed else b"Transfer-Encoding: chunked\r\n"
    if content is None:
        if request.method in ("POST", "PUT", "PATCH") and not is_framed:
            return b"Content-Length: 0\r\n"
        return b""
    request.content = content
    length = b"" if is_framed else b"Content-Length: %d\r\n" % len(content)
    if body.content_type is None or "content-type" in names:
        return length
    return b"%bContent-Type: %b\r\n" % (length, body.content_type.encode())


def _cookie_header(defaults: Defaults, request: PreparedRequest, *, is_cross_origin: bool) -> str:
    own = request.options.get("cookies")
    if not defaults.cookies and not own:
        return ""
    target = request.target
    header = defaults.cookies.header(target.host, target.path, is_tls=target.is_tls)
    if own and not is_cross_origin:
        extra = "; ".join(f"{name}={value}" for name, value in Cookies(own).items())
        header = f"{header}; {extra}" if header else extra
    return header


def _trace_field(request: PreparedRequest, tracer: Tracer, given: str | None) -> bytes:
    """Set the trace context of `request`; return its field, unless the user has `given` one."""
    if given is not None:
        request.trace = checked_context(given)
        return b""
    request.trace = request.trace or tracer.new_context()
    return f"{TRACE_HEADER}: {request.trace}\r\n".encode()


def _value_of(name: str, own: Headers | None, common: Headers) -> str:
    """Return the value of the field `name`, which one of both has."""
    return own[name] if own is not None and name in own.names else common[name]


def _signer(
    defaults: Defaults, request: PreparedRequest, names: frozenset[str], *, is_cross_origin: bool
) -> str | AuthFunction | None:
    auth = request.options.get("auth", defaults.auth)
    if isinstance(auth, DigestAuth) and not is_cross_origin:
        request.digest = auth
        return auth.answer(request.method, request.target.path, request.content)
    if auth is not None and not is_cross_origin:
        return authorization(auth)
    if request.target.credentials is not None and "authorization" not in names:
        return authorization(request.target.credentials)
    return None


def _sign(sign: AuthFunction, request: PreparedRequest, head: bytes) -> bytes:
    """Let a function of the user's change the headers; return the bytes to send."""
    shown = Request(request.method, request.target.url, Headers.from_head(head), request.content)
    signed = sign(shown) or shown
    start = request_line(request.method, request.target)
    return b"%b%b\r\n%b" % (start, signed.headers.block, request.content)


def checked_method(method: object) -> str:
    """Return `method` in upper case.

    Raises:
        OptionError: It is no token (RFC 9110, section 5.6.2).
    """
    if not isinstance(method, str) or not _TOKEN.fullmatch(method):
        raise OptionError(
            f"an HTTP method is made of letters, digits and any of !#$%&'*+-.^_`|~, got {method!r};"
            " write 'GET', say"
        )
    return method.upper()
