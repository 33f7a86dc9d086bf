"""From what a user asks for to the bytes that are sent."""

import functools
import math
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from pytest_k6api.model import OptionError, read_pairs
from pytest_k6api.protocols.http.client.routes import Expected, Plan, Routes, request_line
from pytest_k6api.protocols.http.message.auth import Auth, AuthFunction, authorization
from pytest_k6api.protocols.http.message.bodies import Body, encode_body
from pytest_k6api.protocols.http.message.cookies import Cookies
from pytest_k6api.protocols.http.message.headers import (
    Headers,
    HeaderSource,
    checked_field,
    encode_fields,
)
from pytest_k6api.protocols.http.message.request import Request
from pytest_k6api.protocols.http.message.request_options import ExpectedStatuses, RequestOptions
from pytest_k6api.protocols.http.message.uploads import IteratorUpload
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


def prepare(
    defaults: Defaults, method: str, url: str, options: RequestOptions, *, is_foreign: bool = False
) -> tuple[Plan, bytes]:
    """Return the plan for a request, and the bytes to send for it.

    Args:
        defaults: What to add to what the user said.
        method: As it goes over the wire.
        url: The URL as the user wrote it.
        options: What the user said.
        is_foreign: Whether a redirect leads to another server, which is not told
            the credentials that were meant for the first.

    Raises:
        InvalidURL: Nothing can be requested at `url`.
        OptionError: An option cannot be used as given.
        TypeError: There is no such option.
    """
    if not options.keys() <= _KNOWN:
        unknown = ", ".join(sorted(options.keys() - _KNOWN))
        raise TypeError(f"a request takes no {unknown}; it takes {', '.join(sorted(_KNOWN))}")
    params = options.get("params")
    route = defaults.routes.plan(
        defaults.base_url, method, url if params is None else add_params(url, params)
    )
    defaults.headers.seal()
    plan = route.variant()
    plan.options = options
    _apply_settings(plan, options)
    body = encode_body(options)
    return plan, _assemble(defaults, plan, body, is_foreign=is_foreign)


def prepare_broken(defaults: Defaults, method: str, url: str, options: RequestOptions) -> Plan:
    """Return the plan to tell of a request that cannot be made, because of its URL."""
    plan = defaults.routes.broken(method, url)
    plan.options = options
    _apply_settings(plan, options)
    plan.redirects = 0
    return plan


def _apply_settings(plan: Plan, options: RequestOptions) -> None:
    tags = _read_tags(options["tags"]) if options.get("tags") else {}
    name = options.get("name") or tags.get("name")
    if name is not None:
        plan.name = str(name)
        plan.key = f"{plan.method} {name}"
    if tags:
        plan.tags = {key: str(value) for key, value in tags.items()}
        plan.key = (plan.key, frozenset(plan.tags.items()))
    timeout = options.get("timeout")
    if timeout is not None:
        plan.timeout = _nanoseconds(timeout)
    if "expected_statuses" in options:
        plan.expected = read_expected(options["expected_statuses"])
    if "max_redirects" in options:
        plan.redirects = _redirects(options["max_redirects"])
    if not options.get("follow_redirects", True):
        plan.redirects = 0
    plan.throw = options.get("throw", False)


def _read_tags(tags: object) -> Mapping[str, object]:
    return tags if isinstance(tags, Mapping) else dict(read_pairs("tags", tags))


def _redirects(count: object) -> int:
    if isinstance(count, int) and count >= 0:
        return count
    raise OptionError(f"max_redirects is a whole number, 0 or more, got {count!r}")


def _nanoseconds(timeout: object) -> int:
    if not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise OptionError(f"timeout is a number of seconds above 0, got {timeout!r}")
    return round(timeout * 1e9)


def read_expected(value: ExpectedStatuses) -> Expected:
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


def _assemble(defaults: Defaults, plan: Plan, body: Body, *, is_foreign: bool) -> bytes:
    own = _own_headers(plan.options.get("headers"))
    start, block, names = _merge(defaults.headers, plan, own, is_foreign=is_foreign)
    extra = _body_fields(plan, body, names)
    cookies = _cookie_header(defaults, plan, is_foreign=is_foreign)
    if cookies and "cookie" not in names:
        extra += encode_fields([checked_field("Cookie", cookies)])
    signer = _signer(defaults, plan, names, is_foreign=is_foreign)
    if isinstance(signer, str):
        extra += encode_fields([checked_field("Authorization", signer)])
    elif signer is not None:
        return _sign(signer, plan, start + block + extra)
    return b"%b%b%b\r\n%b" % (start, block, extra, plan.content)


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
    common: Headers, plan: Plan, own: Headers | None, *, is_foreign: bool
) -> tuple[bytes, bytes, frozenset[str]]:
    """Return the first bytes, the block of fields and their names in lower case."""
    if own is None and not is_foreign:
        names = common.names
        start = plan.start if "host" not in names else request_line(plan.method, plan.target)
        return start, common.block, names
    own = own or Headers()
    secret = {"authorization", "cookie", "proxy-authorization", "host"} if is_foreign else set()
    hidden = own.names | secret
    if hidden.isdisjoint(common.names):
        shared = common
    else:
        shared = Headers(field for field in common.fields if field[0].lower() not in hidden)
    if not secret.isdisjoint(own.names):
        own = Headers(field for field in own.fields if field[0].lower() not in secret)
    names = shared.names | own.names
    start = plan.start if "host" not in names else request_line(plan.method, plan.target)
    return start, shared.block + own.block, names


def _body_fields(plan: Plan, body: Body, names: frozenset[str]) -> bytes:
    content = body.content
    is_framed = "content-length" in names or "transfer-encoding" in names
    if body.chunks is not None:
        plan.upload = IteratorUpload(body.chunks, is_chunked="content-length" not in names)
        plan.is_repeatable = False
        return b"" if is_framed else b"Transfer-Encoding: chunked\r\n"
    if content is None:
        if plan.method in ("POST", "PUT", "PATCH") and not is_framed:
            return b"Content-Length: 0\r\n"
        return b""
    plan.content = content
    length = b"" if is_framed else b"Content-Length: %d\r\n" % len(content)
    if body.content_type is None or "content-type" in names:
        return length
    return b"%bContent-Type: %b\r\n" % (length, body.content_type.encode())


def _cookie_header(defaults: Defaults, plan: Plan, *, is_foreign: bool) -> str:
    own = plan.options.get("cookies")
    if not defaults.cookies and not own:
        return ""
    target = plan.target
    header = defaults.cookies.header(target.host, target.path, is_tls=target.is_tls)
    if own and not is_foreign:
        extra = "; ".join(f"{name}={value}" for name, value in Cookies(own).items())
        header = f"{header}; {extra}" if header else extra
    return header


def _signer(
    defaults: Defaults, plan: Plan, names: frozenset[str], *, is_foreign: bool
) -> str | AuthFunction | None:
    auth = plan.options.get("auth", defaults.auth)
    if auth is not None and not is_foreign:
        return authorization(auth)
    if plan.target.credentials is not None and "authorization" not in names:
        return authorization(plan.target.credentials)
    return None


def _sign(sign: AuthFunction, plan: Plan, head: bytes) -> bytes:
    """Let a function of the user's change the headers; return the bytes to send."""
    request = Request(plan.method, plan.target.url, Headers.from_head(head), plan.content)
    request = sign(request) or request
    start = request_line(plan.method, plan.target)
    return b"%b%b\r\n%b" % (start, request.headers.block, plan.content)


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
