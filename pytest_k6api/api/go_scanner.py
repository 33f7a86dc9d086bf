"""Whether a request body is JSON, and if not, why, in the words of Go.

k6's clients show the detail of an error to people, so it is k6's, that is Go's:
``invalid character 'x' after top-level value``. Python's own parser is asked
first because it is fast; this scanner then explains what it refused.

Pure. Source: Go 1.24, ``encoding/json/scanner.go`` and ``decode.go``.
"""

import json
import re
from typing import Final

MAX_DEPTH: Final = 100
"""Arrays and objects inside each other; Go takes 10,000, nobody needs a hundred."""

_END: Final = "unexpected end of JSON input"
_TOO_DEEP: Final = "exceeded max depth"

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRING_BODY: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS: Final = re.compile(rb"[0-9]*")
_LITERALS: Final = {b"t": b"true", b"f": b"false", b"n": b"null"}
_DECIMAL: Final = b"0123456789"
_HEXADECIMAL: Final = b"0123456789abcdefABCDEF"
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")
_NAMED: Final = dict(zip(b"\a\b\t\n\v\f\r\\", "abtnvfr\\", strict=True))
_LAST_CONTROL: Final = 0x9F
_FIRST_BEYOND_ASCII: Final = 0x80
_DELETE: Final = 0x7F
_NO_BREAK_SPACE, _SOFT_HYPHEN = 0xA0, 0xAD


class GoSyntaxError(Exception):
    """The text is not JSON; the message is Go's."""


class JsonNumber(str):
    """A number as it was written."""

    __slots__ = ()


class JsonObject(list[tuple[str, object]]):
    """The members of an object in their order, duplicates included."""

    __slots__ = ()


def parse_json(body: bytes) -> object:
    """Return the value in `body`: None, bool, str, list, `JsonNumber` or `JsonObject`.

    Invalid UTF-8 inside strings is replaced, as Go replaces it.

    Raises:
        GoSyntaxError: `body` is not one JSON value, or nested deeper than `MAX_DEPTH`.
    """
    if _depth(body) > MAX_DEPTH:
        raise GoSyntaxError(_TOO_DEEP)
    try:
        return json.loads(
            body.decode("utf-8", "replace"),
            object_pairs_hook=JsonObject,
            parse_int=JsonNumber,
            parse_float=JsonNumber,
            parse_constant=_refuse_constant,
        )
    except ValueError:
        _Scanner(body).scan()
        raise


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _depth(body: bytes) -> int:
    deepest = depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def quote_byte(byte: int) -> str:
    """Return how Go names a byte in an error, such as ``'x'``."""
    if byte == ord("'"):
        return "'\\''"
    if byte in _NAMED:
        return f"'\\{_NAMED[byte]}'"
    if byte < ord(" ") or byte == _DELETE:
        return f"'\\x{byte:02x}'"
    unprintable = (_NO_BREAK_SPACE, _SOFT_HYPHEN)
    if _FIRST_BEYOND_ASCII <= byte <= _LAST_CONTROL or byte in unprintable:
        return f"'\\u{byte:04x}'"
    return f"'{chr(byte)}'"


class _Scanner:
    """One pass over a text that is not JSON, up to the place where it goes wrong."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def scan(self) -> None:
        """Go through the whole text.

        Raises:
            GoSyntaxError: At the first byte that does not fit.
        """
        self._value()
        self._space()
        if self.at < len(self.body):
            self._fail("after top-level value")

    def _fail(self, context: str) -> None:
        if self.at >= len(self.body):
            raise GoSyntaxError(_END)
        raise GoSyntaxError(f"invalid character {quote_byte(self.body[self.at])} {context}")

    def _peek(self) -> bytes:
        return self.body[self.at : self.at + 1]

    def _take(self, allowed: bytes, context: str) -> bytes:
        byte = self._peek()
        if not byte or byte not in allowed:
            self._fail(context)
        self.at += 1
        return byte

    def _value(self) -> None:
        self._space()
        byte = self._peek()
        if byte == b"{":
            self._object()
        elif byte == b"[":
            self._array()
        elif byte == b'"':
            self._string("looking for beginning of value")
        elif byte in _LITERALS:
            self._literal(_LITERALS[byte])
        elif byte and byte in b"-0123456789":
            self._number()
        else:
            self._fail("looking for beginning of value")

    def _object(self) -> None:
        self.at += 1
        self._space()
        if self._peek() == b"}":
            self.at += 1
            return
        while True:
            self._space()
            self._string("looking for beginning of object key string")
            self._space()
            self._take(b":", "after object key")
            self._value()
            self._space()
            if self._take(b",}", "after object key:value pair") == b"}":
                return

    def _array(self) -> None:
        self.at += 1
        self._space()
        if self._peek() == b"]":
            self.at += 1
            return
        while True:
            self._value()
            self._space()
            if self._take(b",]", "after array element") == b"]":
                return

    def _string(self, context: str) -> None:
        self._take(b'"', context)
        while True:
            self._skip(_STRING_BODY)
            if self._take(b'"\\', "in string literal") == b'"':
                return
            if self._take(b'bfnrt\\/"u', "in string escape code") == b"u":
                for _ in range(4):
                    self._take(_HEXADECIMAL, "in \\u hexadecimal character escape")

    def _literal(self, word: bytes) -> None:
        for expected in word:
            if self._peek() != bytes([expected]):
                self._fail(f"in literal {word.decode()} (expecting {quote_byte(expected)})")
            self.at += 1

    def _number(self) -> None:
        if self._peek() == b"-":
            self.at += 1
        if self._take(_DECIMAL, "in numeric literal") != b"0":
            self._skip(_DIGITS)
        if self._peek() == b".":
            self.at += 1
            self._take(_DECIMAL, "after decimal point in numeric literal")
            self._skip(_DIGITS)
        if self._peek() in {b"e", b"E"}:
            self.at += 1
            if self._peek() in {b"+", b"-"}:
                self.at += 1
            self._take(_DECIMAL, "in exponent of numeric literal")
            self._skip(_DIGITS)

    def _space(self) -> None:
        self._skip(_SPACE)

    def _skip(self, pattern: re.Pattern[bytes]) -> None:
        found = pattern.match(self.body, self.at)
        self.at = found.end() if found else self.at
