"""URLs: what a request needs of one, and the text that users see.

Pure: no lookup happens here.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit

from pytest_k6api.model import OptionError

Primitive = str | int | float | bool | None
QueryParams = (
    Mapping[str, Primitive | Iterable[Primitive]]
    | Iterable[tuple[str, Primitive]]
    | str
    | bytes
    | None
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[^!#$%&'()*+,/:;=?@\[\]~\-._0-9A-Za-z]")
_HOST = re.compile(r"[^\x00-\x20/?#@\\%]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_SAFE = "!#$%&'()*+,/:;=?@[]~-._"


class InvalidURL(ValueError):
    """A text that is no URL of a request; the message says why.

    Attributes:
        code: k6's error code: 1020 for what cannot be read, 1000 for what can be
            read but not requested.
    """

    def __init__(self, text: str, code: int = 1020) -> None:
        super().__init__(text)
        self.code = code


class URL(str):  # noqa: SLOT000 - `cached_property` needs a dictionary
    """A URL as text, with its parts as attributes; equal to the same text.

    >>> url = URL("http://example.com:8080/a?b=1#c")
    >>> url.host, url.port, url.path, url.query, url.fragment
    ('example.com', 8080, '/a', b'b=1', 'c')
    """

    @cached_property
    def _split(self) -> SplitResult:
        return urlsplit(self)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return self._split.scheme

    @property
    def host(self) -> str:
        """The host in lower case, an IPv6 address without brackets."""
        return self._split.hostname or ""

    @property
    def port(self) -> int | None:
        """The port if one is written, else None."""
        return self._split.port

    @property
    def path(self) -> str:
        """The path, decoded; ``/`` if there is none."""
        return unquote(self._split.path) or "/"

    @property
    def query(self) -> bytes:
        """The query as it goes over the wire, without ``?``."""
        return self._split.query.encode("ascii", "replace")

    @property
    def fragment(self) -> str:
        """What follows ``#``."""
        return unquote(self._split.fragment)

    def join(self, url: str) -> "URL":  # type: ignore[override]  # httpx has it so
        """Return `url` resolved against this one."""
        return URL(urljoin(self, url))


class Target:
    """The parts of a URL that a request is made of.

    Attributes:
        url: The whole URL, percent-encoded.
        name: The URL with its credentials masked, k6's tags ``name`` and ``url``.
        is_tls: Whether the scheme is https.
        host: The host as the resolver takes it: ASCII, no brackets.
        port: The port, the scheme's own if none is written.
        authority: The header ``Host``: the port only if it is not the scheme's.
        path: Path and query as the request line has them.
        credentials: User and password written in the URL, or None.
    """

    __slots__ = ("authority", "credentials", "host", "is_tls", "name", "path", "port", "url")

    def __init__(self, text: str) -> None:
        """Read `text`.

        Raises:
            InvalidURL: It is not an absolute URL with http or https and a host.
        """
        parts = _split(text.strip())
        self.is_tls = parts.scheme == "https"
        self.host = _ascii_host(parts, text)
        default_port = _DEFAULT_PORTS[parts.scheme]
        self.port = _port(parts, text) or default_port
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.authority = shown if self.port == default_port else f"{shown}:{self.port}"
        encoded = _percent_encode(parts.path)
        query = f"?{_percent_encode(parts.query)}" if parts.query else ""
        self.path = (encoded or "/") + query
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        userinfo, at, written = parts.netloc.rpartition("@")
        base = written if written.isascii() else self.authority
        self.url = URL(f"{parts.scheme}://{userinfo}{at}{base}{encoded}{query}{fragment}")
        masked = _mask(userinfo) + at
        self.name = f"{parts.scheme}://{masked}{base}{encoded}{query}{fragment}"
        self.credentials = _credentials(parts)

    @classmethod
    def broken(cls, text: str) -> "Target":
        """Return what stands for `text`, which cannot be requested, in reports."""
        target = object.__new__(cls)
        target.url = URL(text)
        target.name = text
        target.is_tls = False
        target.host = target.authority = target.path = ""
        target.port = 0
        target.credentials = None
        return target


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise InvalidURL(f"invalid URL: {text!r}: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidURL(f'unsupported protocol scheme "{parts.scheme}"', 1000)
    if not parts.hostname:
        raise InvalidURL("http: no Host in request URL", 1000)
    return parts


def _ascii_host(parts: SplitResult, text: str) -> str:
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) and not parts.netloc.rpartition("@")[2].startswith("["):
        raise InvalidURL(f"invalid URL: {text!r}: invalid character in host name")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidURL(f"invalid URL: {text!r}: {error}") from None


def _port(parts: SplitResult, text: str) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise InvalidURL(f"invalid URL: {text!r}: {error}") from None


def _percent_encode(text: str) -> str:
    # Most URLs need nothing, and a search is much cheaper than quoting.
    return quote(text, safe=_SAFE) if _UNSAFE.search(text) else text


def _mask(userinfo: str) -> str:
    if not userinfo:
        return ""
    return "****:****" if ":" in userinfo else "****"


def _credentials(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def join_base(base_url: str, url: str) -> str:
    """Return `url` as an absolute URL: itself, or what it says below `base_url`.

    ``/items`` and ``items`` are both put after the whole of `base_url`, path
    included, as httpx does.

    Raises:
        OptionError: `url` is relative and there is no `base_url`.
    """
    if "://" in url[:8]:
        return url
    if _SCHEME.match(url):
        return url
    if not base_url:
        raise OptionError(
            f"cannot request {url!r} without a base URL; write the whole URL, or give"
            " base_url= to the scenario or --k6-base-url on the command line"
        )
    if url.startswith(("?", "#")) or not url:
        return base_url + url
    return f"{base_url.rstrip('/')}/{url.removeprefix('/')}"


def add_params(url: str, params: QueryParams) -> str:
    """Return `url` with `params` appended to its query.

    Lists give one parameter for each element, None an empty value, and booleans
    are ``true`` and ``false``, as in httpx; unlike there, a query that the URL
    already has stays.
    """
    if params is None:
        return url
    if isinstance(params, bytes):
        query = params.decode("ascii")
    elif isinstance(params, str):
        query = params.removeprefix("?")
    else:
        query = encode_form(params)
    if not query:
        return url
    base, mark, fragment = url.partition("#")
    return f"{base}{'&' if '?' in base else '?'}{query}{mark}{fragment}"


def encode_form(
    data: Mapping[str, Primitive | Iterable[Primitive]] | Iterable[tuple[str, Primitive]],
) -> str:
    """Return `data` as ``application/x-www-form-urlencoded``."""
    pairs: list[tuple[str, str]] = []
    for name, value in data.items() if isinstance(data, Mapping) else data:
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            pairs.append((name, primitive_text(value)))
        else:
            pairs.extend((name, primitive_text(element)) for element in value)
    return urlencode(pairs)


def primitive_text(value: object) -> str:
    """Return `value` as a query or form has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode() if isinstance(value, bytes) else str(value)
