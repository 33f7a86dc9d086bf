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
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

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
    match value:
        case Mapping():
            members = (f"{_encode_string(str(k))}:{_encode(v)}" for k, v in value.items())
            return "{" + ",".join(members) + "}"
        case str():
            return str(value) if isinstance(value, RawJson) else _encode_string(value)
        case Sequence():
            return "[" + ",".join(map(_encode, value)) + "]"
        case float():
            return format_float(value)
        case None | int():
            return json.dumps(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON: {value!r}")


def _encode_string(text: str) -> str:
    plain = _SURROGATE.sub("\ufffd", text)
    return _escape(json.dumps(plain, ensure_ascii=False))


def _escape(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], text)


def format_float(value: float) -> str:
    """Return `value` as Go writes a float64 into JSON; ``null`` if it is not finite.

    >>> [format_float(number) for number in (20.0, 0.1, 1e21, 1e-7)]
    ['20', '0.1', '1e+21', '1e-7']
    """
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        plain = format(Decimal(repr(value)), "f")
        return plain.removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:  # Python writes it plainly where Go does not
        mantissa, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].lstrip('0')}"


def compact(text: str) -> RawJson:
    """Return the valid JSON `text` without white space and with Go's escapes.

    Numbers keep their digits, duplicate keys stay, strings keep their escapes.

    Source: Go 1.24, ``encoding/json/indent.go``, ``appendCompact`` with escaping.
    """

    def shorten(found: re.Match[str]) -> str:
        return _escape(found[0]) if found[0].startswith('"') else ""

    return RawJson(_STRING_OR_SPACE.sub(shorten, text))
