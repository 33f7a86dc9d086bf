"""Which request belongs to which route, by the rules of k6's server.

k6's rules are Go's, and no Python router follows them: a path is cleaned by
redirecting, escapes are read segment by segment (``/v1%2Fstatus`` is not
``/v1/status``), the method is judged before the id, HEAD is a method like any
other, and whatever is not below ``/v1/`` answers ``ok``.

Pure: targets in, decisions out.
Source: Go 1.24, ``net/http/server.go``; k6 v1.1.0, ``internal/api/server.go``,
``api/v1/routes.go``.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

Handler = TypeVar("Handler")

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARAMETER: Final = re.compile(r"\{(\w+)(\.\.\.)?\}")


@dataclass(frozen=True, slots=True)
class Match(Generic[Handler]):
    """A route and the values of its parameters."""

    handler: Handler
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """The target's clean form is elsewhere."""

    location: str


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """The path is known, the method is not one of `allowed`."""

    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is nothing at this path below ``/v1/``."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The path is not the API's: k6 answers ``ok``."""


@dataclass(frozen=True, slots=True)
class BadTarget:
    """The target cannot be read, such as a percent sign that escapes nothing."""


Decision = Match[Handler] | Redirect | WrongMethod | Unknown | Outside | BadTarget


@dataclass(frozen=True, slots=True)
class _Pattern(Generic[Handler]):
    expression: re.Pattern[str]
    handlers: dict[str, Handler]


class Router(Generic[Handler]):
    """Routes by their templates: ``/v1/metrics``, ``/v1/groups/{id}``, ``/v1/metrics/{id...}``.

    A parameter is one segment; with dots it is all the rest, slashes included, and
    may be empty. The first template that fits wins.
    """

    def __init__(self, routes: Iterable[tuple[str, str, Handler]]) -> None:
        patterns: dict[str, _Pattern[Handler]] = {}
        for method, template, handler in routes:
            if template not in patterns:
                patterns[template] = _Pattern(_compile(template), {})
            patterns[template].handlers[method] = handler
        self._patterns = tuple(patterns.values())

    def decide(self, method: str, target: str) -> Decision[Handler]:
        """Return what is to be done with a request for the raw `target`."""
        try:
            path, _, query = _origin_form(target).partition("?")
        except ValueError:
            return BadTarget()
        if _BAD_ESCAPE.search(path):
            return BadTarget()
        if not path.startswith("/"):  # the asterisk of OPTIONS
            return Outside()
        clean = clean_path(path)
        if clean == "/v1":
            clean = "/v1/"
        if clean != path:
            return Redirect(f"{clean}?{query}" if query else clean)
        return self._match(method, path)

    def _match(self, method: str, path: str) -> Decision[Handler]:
        # Segment by segment, so that an escaped slash stays inside its segment.
        for pattern in self._patterns:
            found = pattern.expression.fullmatch(_decode_fixed(path))
            if found is None:
                continue
            if method not in pattern.handlers:
                return WrongMethod(tuple(pattern.handlers))
            values = {name: _decode(value) for name, value in found.groupdict().items()}
            return Match(pattern.handlers[method], values)
        return Unknown() if path.startswith("/v1/") else Outside()


def _compile(template: str) -> re.Pattern[str]:
    expression = ""
    end = 0
    for found in _PARAMETER.finditer(template):
        expression += re.escape(template[end : found.start()])
        expression += f"(?P<{found[1]}>.*)" if found[2] else f"(?P<{found[1]}>[^/]*)"
        end = found.end()
    return re.compile(expression + re.escape(template[end:]), re.DOTALL)


def _origin_form(target: str) -> str:
    """Return the path and query of any target; ``http://host/path`` is ``/path``."""
    if target.startswith("/"):
        return target
    parts = urlsplit(target)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def absolute_host(target: str) -> str | None:
    """Return the host of a target in absolute form, which overrides the Host header."""
    if target.startswith("/") or "://" not in target:
        return None
    return target.partition("://")[2].partition("/")[0]


def clean_path(path: str) -> str:
    """Return `path` without empty, ``.`` and ``..`` segments; a slash at its end stays.

    >>> clean_path("//v1/./x/../metrics//")
    '/v1/metrics/'
    """
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _decode_fixed(path: str) -> str:
    """Decode the escapes of letters and digits that a template may be written in."""
    return re.sub(r"%([0-9A-Fa-f]{2})", _decode_letter, path)


def _decode_letter(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character.isascii() and character.isalnum() else found[0]


def _decode(value: str) -> str:
    return unquote_to_bytes(value).decode("utf-8", "replace")
