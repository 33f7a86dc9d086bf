"""The opening handshake: what the client asks for, and whether the server's answer is one (RFC 6455).

Pure, but for the random key.
"""

import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import Headers, Response
from pytest_k6api.protocols.websocket.wire.deflate import EXTENSION, OFFER, DeflateTerms, read_terms

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SCHEME = re.compile(r"ws(s?)://", re.IGNORECASE)
_OURS = frozenset(
    {
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
    }
)
_SHOWN = 80  # characters


class BadHandshake(Exception):
    """A response with the status 101 that opens no WebSocket; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the server agreed to.

    Attributes:
        subprotocol: The one that it chose; empty for none.
        deflate: The terms of compression; None without.
    """

    subprotocol: str = ""
    deflate: DeflateTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the client asks for.

    Attributes:
        key: The random key of this handshake.
        subprotocols: Those that it speaks, the best first.
        compresses: Whether it offers permessage-deflate.
    """

    key: str
    subprotocols: tuple[str, ...] = ()
    compresses: bool = False

    def add_to(self, headers: Headers) -> None:
        """Add its fields to `headers`.

        Raises:
            OptionError: `headers` has one of them already.
        """
        for name, _ in headers.fields:
            if name.lower() in _OURS:
                raise OptionError(f"vu.ws.connect() sends the header {name} itself; leave it out")
        headers.add("Connection", "Upgrade")
        headers.add("Upgrade", "websocket")
        headers.add("Sec-WebSocket-Version", "13")
        headers.add("Sec-WebSocket-Key", self.key)
        if self.subprotocols:
            headers["Sec-WebSocket-Protocol"] = ", ".join(self.subprotocols)
        if self.compresses:
            headers.add("Sec-WebSocket-Extensions", OFFER)

    def agreement(self, response: Response) -> Agreement:
        """Return what `response`, whose status is 101, agrees to.

        Raises:
            BadHandshake: It agrees to something else, or to nothing.
        """
        headers = response.headers
        _check_token(headers, "Upgrade", "websocket")
        _check_token(headers, "Connection", "upgrade")
        accept = headers.get("Sec-WebSocket-Accept", "").strip()
        if accept != accepted(self.key):
            raise BadHandshake("the server's Sec-WebSocket-Accept does not match the key")
        subprotocol = headers.get("Sec-WebSocket-Protocol", "").strip()
        if subprotocol and subprotocol not in self.subprotocols:
            raise BadHandshake(
                f"the server chose the subprotocol {subprotocol[:_SHOWN]!r}, which was not offered"
            )
        terms = self._read_extensions(headers.get("Sec-WebSocket-Extensions", ""))
        return Agreement(subprotocol=subprotocol, deflate=terms)

    def _read_extensions(self, text: str) -> DeflateTerms | None:
        extensions = [each.strip() for each in text.split(",") if each.strip()]
        if not extensions:
            return None
        terms = None
        if self.compresses and len(extensions) == 1:
            name, *parameters = (part.strip() for part in extensions[0].split(";"))
            if name == EXTENSION:
                terms = read_terms(_read_parameters(parameters))
        if terms is None:
            raise BadHandshake(
                f"the server agreed to the extension {text.strip()[:_SHOWN]!r}, which was not offered"
            )
        return terms


def new_offer(subprotocols: object, headers: Headers, compression: object) -> Offer:
    """Return the offer of a new handshake.

    Args:
        subprotocols: As the user wrote them; None for those in `headers`, if any.
        headers: The user's header fields.
        compression: ``"deflate"`` or None.

    Raises:
        OptionError: One of them cannot be used as given.
    """
    if compression not in (None, "deflate"):
        raise OptionError(f"compression is 'deflate' or None, got {compression!r}")
    names: list[object]
    if subprotocols is None:
        own = headers.get("Sec-WebSocket-Protocol", "")
        names = [*filter(None, map(str.strip, own.split(",")))]
    elif isinstance(subprotocols, Sequence) and not isinstance(subprotocols, (str, bytes)):
        names = list(subprotocols)
    else:
        raise OptionError(f"subprotocols is a list such as ['chat'], got {subprotocols!r}")
    key = b64encode(os.urandom(16)).decode()
    return Offer(
        key=key, subprotocols=tuple(map(_checked_word, names)), compresses=compression == "deflate"
    )


def _checked_word(name: object) -> str:
    if isinstance(name, str) and _TOKEN.fullmatch(name):
        return name
    raise OptionError(f"a subprotocol is a word such as 'graphql-ws', got {name!r}")


def accepted(key: str) -> str:
    """Return what a server answers to `key`."""
    return b64encode(sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()


def http_url(url: str) -> str:
    """Return `url` with ``http`` for ``ws`` and ``https`` for ``wss``; others as they are.

    >>> http_url("wss://shop.example/chat"), http_url("/chat")
    ('https://shop.example/chat', '/chat')
    """
    return _SCHEME.sub(r"http\1://", url, count=1) if _SCHEME.match(url) else url


def ws_name(name: str) -> str:
    """Return the URL `name` with ``ws`` for ``http``, as k6 tags it."""
    return f"ws{name.removeprefix('http')}" if name.startswith("http") else name


def _read_parameters(parts: Sequence[str]) -> dict[str, str]:
    read: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        # Twice is once too often: it makes them unknown.
        name = name.strip() if name.strip() not in read else f"second {name}"
        read[name] = value.strip().strip('"')
    return read


def _check_token(headers: Mapping[str, str], name: str, token: str) -> None:
    value = headers.get(name, "")
    if token not in (part.strip().lower() for part in value.split(",")):
        raise BadHandshake(f"the server answered 101 without {name}: {token}")
