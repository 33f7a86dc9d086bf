"""URLs: what a request needs of one, and the text that users see.

Pure: no lookup happens here. Text is split as RFC 3986 says, which never fails;
what `urllib.parse` refuses, drops (tabs, an empty query) or looks up in a cache
of its own stays as it was written.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple
from urllib.parse import quote, unquote, urlencode

from pytest_k6api.model import SECRETS, OptionError, Secrets, read_pairs, storable
from pytest_k6api.protocols.http.message.authority import (
    InvalidURL,
    read_authority,
    read_credentials,
)
from pytest_k6api.protocols.http.message.errors import GENERIC

Primitive = str | int | float | bool | None
QueryParams = (
    Mapping[str, Primitive | Iterable[Primitive]]
    | Iterable[tuple[str, Primitive]]
    | str
    | bytes
    | None
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARTS = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.\-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL
)
_SHOWN = 40  # characters of a scheme, in a tag
_LONGEST_NAME = 4000  # characters of a URL that are masked for a tag, which keeps fewer
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair: has no UTF-8
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSAFE = re.compile(r"[^!#$%&'()*+,/:;=?@\[\]~\-._0-9A-Za-z]")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_SAFE = "!#$%&'()*+,/:;=?@[]~-._"
# What users write is a whole URL if it begins so; `items:cancel` is a path.
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://|https?:", re.IGNORECASE)


class _Split(NamedTuple):
    """The parts of a URL as they are written; None for what is not there at all."""

    scheme: str | None
    authority: str | None
    path: str
    query: str | None
    fragment: str | None


def _split(text: str) -> _Split:
    found = _PARTS.fullmatch(text)
    assert found is not None  # every text matches
    return _Split(*found.groups())


class URL(str):  # noqa: SLOT000 - `cached_property` needs a dictionary
    """A URL as text, with its parts as attributes; equal to the same text.

    Its ``repr`` has user, password and secret parameters masked; ``str`` is the URL as it is.

    >>> url = URL("http://example.com:8080/a?b=1#c")
    >>> url.host, url.port, url.path, url.query, url.fragment
    ('example.com', 8080, '/a', b'b=1', 'c')
    """

    @cached_property
    def _split(self) -> _Split:
        return _split(self)

    @cached_property
    def _place(self) -> tuple[str, int | None]:
        try:
            authority = read_authority(self._split.authority or "", -1)
        except InvalidURL:
            return "", None
        return authority.host, None if authority.port < 0 else authority.port

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return (self._split.scheme or "").lower()

    @property
    def host(self) -> str:
        """The host in lower case and ASCII, an IPv6 address without brackets; ``""`` for none."""
        return self._place[0]

    @property
    def port(self) -> int | None:
        """The port if one is written, else None."""
        return self._place[1]

    @property
    def path(self) -> str:
        """The path, decoded; ``/`` if there is none."""
        return unquote(self._split.path) or "/"

    @property
    def query(self) -> bytes:
        """The query as it goes over the wire, without ``?``."""
        return (self._split.query or "").encode("ascii", "replace")

    @property
    def fragment(self) -> str:
        """What follows ``#``."""
        return unquote(self._split.fragment or "")

    def join(self, url: str) -> "URL":  # type: ignore[override]  # httpx has it so
        """Return `url` resolved against this one (RFC 3986, section 5)."""
        reference = _split(url)
        if reference.scheme is not None:
            return URL(url)
        base, path = self._split, reference.path
        start = f"{base.scheme}:" if base.scheme is not None else ""
        if reference.authority:
            return URL(f"{start}{url}")
        query = reference.query
        if reference.authority is not None:  # three slashes: an empty host is no host
            path = f"//{path}"
        elif not path:
            path = base.path
            query = base.query if query is None else query
        elif not path.startswith("/"):
            path = f"{base.path.rpartition('/')[0]}/{path}"
        path = _without_dots(path)
        if base.authority is not None:
            start += f"//{base.authority}"
        return URL(start + path + _marked("?", query) + _marked("#", reference.fragment))

    def __repr__(self) -> str:
        return f"URL({SECRETS.mask_url(self)!r})"


def _without_dots(path: str) -> str:
    """Return an absolute `path` without its segments ``.`` and ``..``."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _marked(mark: str, part: str | None) -> str:
    return "" if part is None else mark + part


class Target:
    """The parts of a URL that a request is made of.

    Attributes:
        url: The whole URL, percent-encoded.
        name: The same with what is secret in it masked: k6's tags ``name`` and ``url``.
        is_tls: Whether the scheme is https.
        host: The host as the resolver takes it; see `Authority`.
        port: The port, the scheme's own if none is written.
        authority: The header ``Host``: the port only if it is not the scheme's.
        path: Path and query as the request line has them.
        credentials: User and password written in the URL, or None.
        secrets: What was masked in `name`, and is to be wherever the request is shown.
    """

    __slots__ = (
        "authority", "credentials", "host", "is_tls", "name", "path", "port", "secrets", "url",
    )  # fmt: skip

    def __init__(self, text: str, secrets: Secrets = SECRETS) -> None:
        """Read `text`.

        Raises:
            InvalidURL: It is not an absolute URL with http or https and a host.
        """
        text = text.strip()
        if _CONTROL.search(text):
            raise InvalidURL("invalid control character in URL")
        parts = _split(encodable(text))
        scheme = (parts.scheme or "").lower()
        if scheme not in _DEFAULT_PORTS:
            raise InvalidURL(f'unsupported protocol scheme "{scheme[:_SHOWN]}"', GENERIC)
        self.is_tls = scheme == "https"
        written = parts.authority or ""
        self.host, self.port, self.authority, userinfo = read_authority(
            written, _DEFAULT_PORTS[scheme]
        )
        encoded = _percent_encode(parts.path)
        query = _percent_encode(_marked("?", parts.query))
        self.path = (encoded or "/") + query
        fragment = _percent_encode(_marked("#", parts.fragment))
        base = written
        if not written.isascii():
            base = self.authority if userinfo is None else f"{userinfo}@{self.authority}"
        self.url = URL(f"{scheme}://{base}{encoded}{query}{fragment}")
        self.secrets = secrets
        self.name = secrets.mask_url_start(self.url, _LONGEST_NAME)
        self.credentials = None if userinfo is None else read_credentials(userinfo)

    @classmethod
    def broken(cls, text: str, secrets: Secrets = SECRETS) -> "Target":
        """Return what stands for `text`, which cannot be requested, in reports."""
        target = object.__new__(cls)
        target.url = URL(text)
        target.secrets = secrets
        target.name = storable(secrets.mask_url_start(text, _LONGEST_NAME))
        target.is_tls = False
        target.host = target.authority = target.path = ""
        target.port = 0
        target.credentials = None
        return target


def _percent_encode(text: str) -> str:
    # Most URLs need nothing, and a search is much cheaper than quoting.
    return quote(text, safe=_SAFE) if _UNSAFE.search(text) else text


def resolve_location(base: URL, location: str) -> URL:
    """Return where a redirect from `base` leads; the fragment of `base` stays (RFC 9110, 10.2.2).

    Args:
        base: The URL that was redirected.
        location: The header ``Location``, in latin-1 as all heads are read.

    Raises:
        InvalidURL: It cannot be read.
    """
    if _CONTROL.search(location):
        raise InvalidURL("invalid control character in URL")
    parts = _split(location)
    if parts.scheme is None and parts.authority is None and ":" in parts.path.partition("/")[0]:
        raise InvalidURL("first path segment in URL cannot contain colon")
    wire = location.encode("latin-1")
    try:
        text = wire.decode()
    except UnicodeDecodeError:  # not UTF-8: the server's own encoding goes back to it
        text = _BEYOND_ASCII.sub(lambda byte: f"%{ord(byte[0]):02X}".encode(), wire).decode()
    url = base.join(text)
    fragment = base._split.fragment
    return url if fragment is None or "#" in url else URL(f"{url}#{fragment}")


def join_base(base_url: str, url: object) -> str:
    """Return `url` as an absolute URL: itself, or what it says below `base_url`.

    ``/items`` and ``items`` are both put after the whole of `base_url`, path
    included, as httpx does.

    Raises:
        OptionError: `url` is no text, or relative and there is no `base_url`.
    """
    if not isinstance(url, str):
        if url is None:
            raise OptionError('a URL is text, got None; write one, such as "/" for the base URL')
        raise OptionError(f"a URL is text, got {type(url).__name__}; write str(url)")
    url = url.strip()
    if _WHOLE.match(url):
        return url
    if not base_url:
        raise OptionError(
            f"cannot request {SECRETS.mask_url(url)!r} without a base URL; write the whole URL, or give"
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
        query = quote(params, safe=f"{_SAFE}%")
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
    pairs: list[tuple[str, str | bytes]] = []
    items = data.items() if isinstance(data, Mapping) else read_pairs("a query or form", data)
    for name, value in items:
        if isinstance(value, (str, bytes, int)) or not isinstance(value, Iterable):
            pairs.append((encodable(str(name)), _form_value(value)))
        else:
            pairs.extend((encodable(str(name)), _form_value(element)) for element in value)
    return urlencode(pairs)


def _form_value(value: object) -> str | bytes:
    return value if isinstance(value, bytes) else primitive_text(value)


def encodable(text: str) -> str:
    """Return `text` with U+FFFD for halves of surrogate pairs, which have no UTF-8, as k6 does it."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def primitive_text(value: object) -> str:
    """Return `value` as a query or form has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else encodable(str(value))
