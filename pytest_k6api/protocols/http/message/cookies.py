"""A cookie jar for one virtual user, after RFC 6265.

It knows domains, paths, expiry and ``Secure``. It has no list of public
suffixes, as k6's has none: a server may set a cookie for all of ``.co.uk``.
"""

import re
import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Union

from pytest_k6api.model import MASK, OptionError, read_pairs

CookieSource = Union["Cookies", Mapping[str, str], None]

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")
_LONGEST_AGE = 12  # characters: 3,000 years or more
_FORBIDDEN = frozenset(map(chr, range(32))) | {"\x7f", ";"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie.

    Attributes:
        domain: The host it belongs to; ``""`` is every host, as for cookies set
            by hand.
        is_host_only: Whether subdomains of `domain` do not get it.
        path: It goes to this path and what is below.
        expires: Seconds since the epoch, or None to keep it.
        is_secure: Whether it goes over TLS only.
    """

    name: str
    value: str = field(repr=False)
    domain: str = ""
    is_host_only: bool = True
    path: str = "/"
    expires: float | None = None
    is_secure: bool = False

    def matches(self, host: str, path: str, *, is_tls: bool) -> bool:
        """Return whether the cookie goes with a request."""
        return (
            (is_tls or not self.is_secure)
            and _path_matches(path, self.path)
            and (
                not self.domain
                or host == self.domain
                or (not self.is_host_only and host.endswith("." + self.domain))
            )
        )


class Cookies(MutableMapping[str, str]):
    """Cookies by name, with domains and paths behind it (httpx's interface)."""

    __slots__ = ("by_key",)

    def __init__(self, cookies: CookieSource = None) -> None:
        self.by_key: dict[tuple[str, str, str], Cookie] = {}
        if isinstance(cookies, Cookies):
            self.by_key.update(cookies.by_key)
        elif cookies:
            for name, value in read_pairs("cookies", cookies):
                self.set(name, value)

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Put a cookie in; without `domain` it goes to every host.

        Raises:
            OptionError: The name or value would break the header.
        """
        name, value = _checked(name, value)
        domain = domain.lower()
        cookie = Cookie(
            name=name,
            value=value,
            domain=domain.lstrip("."),
            is_host_only=not domain.startswith("."),
            path=path,
        )
        self.by_key[cookie.domain, path, name] = cookie

    def delete(self, name: str, domain: str | None = None, path: str | None = None) -> None:
        """Take out the cookies called `name`; nothing happens if there are none."""
        for key in [key for key in self.by_key if _selected(key, name, domain, path)]:
            del self.by_key[key]

    def header(self, host: str, path: str, *, is_tls: bool) -> str:
        """Return the value of the header ``Cookie`` for a request; ``""`` for none.

        Cookies with longer paths come first (RFC 6265, section 5.4).
        """
        self._drop_expired()
        plain_path = path.partition("?")[0]
        matching = [
            cookie
            for cookie in self.by_key.values()
            if cookie.matches(host, plain_path, is_tls=is_tls)
        ]
        if len(matching) > 1:
            matching.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join([f"{cookie.name}={cookie.value}" for cookie in matching])

    def store(self, header: str, host: str, path: str) -> None:
        """Keep what one ``Set-Cookie`` of a response from `host` says.

        What RFC 6265 says to ignore is ignored: no name, a foreign domain.
        """
        cookie = parse_set_cookie(header, host, path, now=time.time())
        if cookie is None:
            return
        key = (cookie.domain, cookie.path, cookie.name)
        if cookie.expires is not None and cookie.expires <= time.time():
            self.by_key.pop(key, None)
        else:
            self.by_key[key] = cookie

    def _drop_expired(self) -> None:
        now = time.time()
        expired = [
            key
            for key, cookie in self.by_key.items()
            if cookie.expires is not None and cookie.expires <= now
        ]
        for key in expired:
            del self.by_key[key]

    def jar(self) -> list[Cookie]:
        """Return all cookies with their domains, paths and expiry."""
        return list(self.by_key.values())

    def __getitem__(self, name: str) -> str:
        for cookie in reversed(self.by_key.values()):
            if cookie.name == name:
                return cookie.value
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.delete(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(cookie.name for cookie in self.by_key.values()))

    def __len__(self) -> int:
        return len({cookie.name for cookie in self.by_key.values()})

    def __bool__(self) -> bool:
        return bool(self.by_key)

    def clear(self) -> None:
        """Take all cookies out."""
        self.by_key.clear()

    def __repr__(self) -> str:
        cookies = ", ".join(
            f"{cookie.name}={MASK} for {cookie.domain or '*'}{cookie.path}"
            for cookie in self.by_key.values()
        )
        return f"<Cookies {cookies}>"


def _checked(name: object, value: object) -> tuple[str, str]:
    if isinstance(value, (int, float)):
        value = str(value)
    if not (isinstance(name, str) and isinstance(value, str)):
        kinds = f"{type(name).__name__} and {type(value).__name__}"
        raise OptionError(f"a cookie has a name and a value that are text, got {kinds}")
    if not name or "=" in name or not _FORBIDDEN.isdisjoint(name + value):
        raise OptionError(
            f"cannot send the cookie {name!r} with its value, which is not shown; leave out line"
            " ends and ';', and '=' in the name"
        )
    return name, value


def parse_set_cookie(header: str, host: str, path: str, *, now: float) -> Cookie | None:
    """Return the cookie that `header` sets, or None if it is to be ignored."""
    pair, *attributes = header.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name or not _FORBIDDEN.isdisjoint(name + value):
        return None
    # The last of repeated attributes wins (RFC 6265, section 5.3).
    said = {}
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        said[key.strip().lower()] = text.strip()
    domain = said.get("domain", "").lower().lstrip(".")
    if domain and not _may_set(host, domain):
        return None
    said_path = said.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        is_host_only=not domain or (domain == host and _is_address(host)),
        path=said_path if said_path.startswith("/") else _default_path(path),
        expires=_expiry(said, now),
        is_secure="secure" in said,
    )


def _may_set(host: str, domain: str) -> bool:
    return host == domain or (host.endswith("." + domain) and not _is_address(host))


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _expiry(said: Mapping[str, str], now: float) -> float | None:
    max_age = said.get("max-age", "")
    if _WHOLE_NUMBER.fullmatch(max_age):
        # Beyond a few digits it is for ever, and Python refuses to read thousands.
        seconds = float(max_age[:_LONGEST_AGE])
        return now + seconds if seconds > 0 else 0.0
    if "expires" not in said:
        return None
    try:
        moment = parsedate_to_datetime(said["expires"])
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ArithmeticError, LookupError, OSError, TypeError, ValueError):
        return None  # whatever the text made the library stumble over


def _default_path(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[0] or "/"


def _path_matches(path: str, cookie_path: str) -> bool:
    if not path.startswith(cookie_path):
        return False
    return (
        len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"
    )


def _selected(key: tuple[str, str, str], name: str, domain: str | None, path: str | None) -> bool:
    return (
        key[2] == name
        and (domain is None or key[0] == domain.lower().lstrip("."))
        and (path is None or key[1] == path)
    )
