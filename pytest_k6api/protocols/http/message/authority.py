"""The part of a URL between ``//`` and the path, user, host and port, and the origin it names.

Decides which hosts can be requested, and in which form the resolver takes them: a
name in ASCII (IDNA 2008, by the library ``idna``), or an address. Pure: no lookup
happens here.

Source: k6 v1.1.0 on the same texts for codes and outcomes; its words without the text
itself, which may hold a password and would make each error a time series of its own.
"""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote

import idna

from pytest_k6api.protocols.http.message.errors import DIAL, GENERIC, INVALID_URL, NO_SUCH_HOST

_PARTS = re.compile(r"(?:(.*)@)?(\[[^\]]*\]|[^:]*)(?::(.*))?", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#/?@\[\]\\^`{|}%:]")
_ZONE = re.compile(r"[A-Za-z0-9._~\-]+")
_PORT = re.compile(r"[0-9]*")
_HIGHEST_PORT = 65_535
_LONGEST_LABEL = 63
_LONGEST_NAME = 253


class InvalidURL(ValueError):
    """A text that is no URL of a request; the message says why, without quoting it.

    Attributes:
        code: k6's error code: 1020 for what cannot be read, another for what can be
            read but not requested.
    """

    def __init__(self, text: str, code: int = INVALID_URL) -> None:
        super().__init__(f"invalid URL: {text}" if code == INVALID_URL else text)
        self.code = code
        self.reason = text


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


class Authority(NamedTuple):
    """User, host and port as a URL has them.

    Attributes:
        host: The host as the resolver takes it: ASCII in lower case, no brackets, an
            IPv6 address with its zone behind ``%``.
        port: The port, the scheme's own if none is written.
        header: The header ``Host``: without zone, and the port only if it is not the scheme's.
        userinfo: What is written before ``@``, or None.
    """

    host: str
    port: int
    header: str
    userinfo: str | None


def read_authority(text: str, default_port: int) -> Authority:
    """Read `text`.

    Raises:
        InvalidURL: No request can go there.
    """
    parts = _PARTS.fullmatch(text)
    if parts is None or "\\" in text:
        raise InvalidURL("invalid character in host name")
    userinfo, written, port_text = parts.groups()
    if not written:
        raise InvalidURL("http: no Host in request URL", GENERIC)
    host = shown = _read_name(written)
    if host[0] == "[":
        host = _read_address(written[1:-1])
        shown = f"[{host.partition('%')[0]}]"
    port = _read_port(port_text, default_port)
    header = shown if port == default_port else f"{shown}:{port}"
    return Authority(host, port, header, userinfo)


def read_credentials(userinfo: str) -> tuple[str, str]:
    """Return user and password, decoded."""
    user, _, password = userinfo.partition(":")
    return unquote(user), unquote(password)


def _read_name(name: str) -> str:
    if name[0] == "[" and name[-1] == "]":
        return name
    if _FORBIDDEN.search(name):
        raise InvalidURL("invalid character in host name")
    if len(name) > _LONGEST_NAME:
        raise _no_such_host()
    name = name.lower() if name.isascii() else _encode(name)
    labels = name.removesuffix(".").split(".")
    if len(name) > _LONGEST_NAME or not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise _no_such_host()
    return name


def _encode(name: str) -> str:
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise _no_such_host() from None


def _read_address(text: str) -> str:
    address, percent, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        raise _no_such_host() from None
    if not percent:
        return address.lower()
    # RFC 6874 has the percent sign itself encoded; people also write it as it is.
    zone = zone.removeprefix("25") or zone
    if not _ZONE.fullmatch(zone):
        raise InvalidURL("invalid zone of an IPv6 address")
    return f"{address.lower()}%{zone}"


def _read_port(text: str | None, default: int) -> int:
    if not text:
        return default
    if not _PORT.fullmatch(text):
        raise InvalidURL("invalid port after host")
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(_HIGHEST_PORT)) or int(digits) > _HIGHEST_PORT:
        raise InvalidURL("dial: invalid port", DIAL)
    return int(digits)


def _no_such_host() -> InvalidURL:
    return InvalidURL("lookup: no such host", NO_SUCH_HOST)
