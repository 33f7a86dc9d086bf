"""JSON as Go's ``encoding/json`` writes it, so that clients of k6 see k6's bytes.

Compact, keys in the order given, ``<``, ``>``, ``&`` and the two line separators
of Unicode escaped, floats in their shortest form without ``.0``. A number that
JSON cannot hold (infinity, NaN) is written as ``null``: k6 fails the whole reply
instead, and so loses a list of a hundred metrics to one bad sample.

Pure. Source: Go 1.24, ``encoding/json/encode.go``; k6 v1.1.0, ``api/v1``.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

_ESCAPED: Final = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_TO_ESCAPE: Final = re.compile("[<>&\u2028\u2029]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_STRING_OR_SPACE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[ \t\r\n]+', re.DOTALL)

# Outside these decimal exponents Go switches to scientific notation.
_SMALLEST_PLAIN: Final = 1e-6
_LARGEST_PLAIN: Final = 1e21


class RawJson(str):
    """Text that is JSON already and goes into a document as it is."""

    __slots__ = ()


def to_json(value: object) -> bytes:
    """Return the JSON document of `value`, without a newline at its end.

    Args:
        value: None, a bool, a number, a string, a mapping with string keys, a
            sequence, or `RawJson`, nested as you like.

    Raises:
        TypeError: There is something else in it.
    """
    return _encode(value).encode()


def _encode(value: object) -> str:
    # By exact type first: documents are made of a thousand plain values, and asking
    # an abstract base class takes longer than writing one.
    return (_WRITERS.get(type(value)) or _writer(value))(value)


def _writer(value: object) -> Callable[[Any], str]:
    for kind, writer in ((str, _encode_string), (int, json.dumps), (float, format_float)):
        if isinstance(value, kind):
            return writer
    if isinstance(value, Mapping):
        return _encode_members
    if isinstance(value, Sequence):
        return _encode_items
    raise TypeError(f"cannot write {type(value).__name__} as JSON: {value!r}")


def _encode_members(members: Mapping[str, object]) -> str:
    written = [f"{_encode_string(name)}:{_encode(value)}" for name, value in members.items()]
    return "{" + ",".join(written) + "}"


def _encode_items(items: Sequence[object]) -> str:
    return "[" + ",".join(map(_encode, items)) + "]"


def _encode_string(text: str) -> str:
    return _escape(encode_basestring(_SURROGATE.sub("\ufffd", text)))


def _escape(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], text)


def format_float(value: float) -> str:
    """Return `value` as Go writes a float64 into JSON; ``null`` if it is not finite.

    >>> [format_float(number) for number in (20.0, 0.1, 1e21, 1e-7)]
    ['20', '0.1', '1e+21', '1e-7']
    """
    if not math.isfinite(value):
        return "null"
    shortest = repr(value)
    mantissa, _, exponent = shortest.partition("e")
    if exponent and _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return format(Decimal(shortest), "f")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}" if exponent else mantissa


_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: _encode_string,
    dict: _encode_members,
    list: _encode_items,
    float: format_float,
    int: int.__repr__,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
    RawJson: str.__str__,
}


def compact(text: str) -> RawJson:
    """Return the valid JSON `text` without white space and with Go's escapes.

    Numbers keep their digits, duplicate keys stay, strings keep their escapes.

    Source: Go 1.24, ``encoding/json/indent.go``, ``appendCompact`` with escaping.
    """

    def shorten(found: re.Match[str]) -> str:
        return _escape(found[0]) if found[0].startswith('"') else ""

    return RawJson(_STRING_OR_SPACE.sub(shorten, text))
