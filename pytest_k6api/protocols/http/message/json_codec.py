"""JSON as the standard library writes and reads it, several times faster.

Of a request with a kilobyte of JSON in each direction the standard library's codec
takes more than all else together (``benchmarks/compare.py``, workload b). msgspec does
the same work in a fifth of the time. What it would do otherwise goes the standard way:
NaN, keys that are neither text nor integers, floats with an exponent, types that JSON
has not, other encodings than UTF-8, lone surrogates, numbers beyond a float. So
values, bytes and errors are those of ``json``. Pure.
"""

import gc
import json
import math
import re
from typing import Any

import msgspec

# What `json.dumps` would make anew for each request.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_encode_quickly = msgspec.json.Encoder().encode
_decode_quickly = msgspec.json.Decoder().decode

# msgspec also encodes bytes, sets, dates, dataclasses and more, which `json` refuses.
_CONTAINERS = frozenset({dict, list, tuple})
_TYPES = _CONTAINERS | {str, int, float, bool, type(None)}
# Floats of which `repr` has another form: 1e+16, 1e-05. A translation and a search for one text
# find most bodies without them in a tenth of the time that a regular expression takes.
_DIGITS_AS_ZEROS = bytes(
    ord("0") if 48 <= code <= 57 else code if code in b"e" else 32 for code in range(256)
)
_EXPONENT = re.compile(rb'(?:^|[\[:,"])-?[0-9.]+e')
_SMALL = re.compile(rb'(?:^|[\[:,"])-?0\.0000')


def encode_json(value: object) -> bytes:
    """Return `value` as JSON in UTF-8.

    Raises:
        TypeError: It contains something that JSON has not.
        ValueError: It contains NaN, an infinity, itself, or half a character.
    """
    try:
        data = _encode_quickly(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # the standard library may be able to, or has the usual error
    else:
        if _looks_usual(value, data):
            return data
    return _encode(value).encode()


def _looks_usual(value: object, data: bytes) -> bool:
    """Return whether `data` is what `json` makes of `value`."""
    types: set[type] = set()
    level: list[object] = [value]
    while True:
        found = set(map(type, level))
        if not found <= _TYPES:
            return False
        types |= found
        if found.isdisjoint(_CONTAINERS):
            break
        # What the garbage collector visits: of dictionaries, lists and tuples all that they
        # hold, for any of it may be part of a cycle. Half the time of a walk.
        level = gc.get_referents(*level)
    return float not in types or _has_usual_floats(value, data)


def _has_usual_floats(value: object, data: bytes) -> bool:
    if b"0e" in data.translate(_DIGITS_AS_ZEROS) and _EXPONENT.search(data):
        return False
    if b"0.0000" in data and _SMALL.search(data):
        return False
    # What is written for NaN and the infinities, and for other values.
    if b"null" in data or b'"nan":' in data or b'inf":' in data:
        return _is_finite(value)
    return True


def _is_finite(value: object) -> bool:
    level: list[object] = [value]
    while level:
        if not all(math.isfinite(item) for item in level if isinstance(item, float)):
            return False
        level = gc.get_referents(*level)
    return True


def decode_json(data: bytes, **kwargs: Any) -> Any:
    """Return what the JSON `data` says; `kwargs` are those of ``json.loads``.

    Raises:
        ValueError: It is no JSON.
    """
    if not kwargs:
        try:
            return _decode_quickly(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # another encoding, NaN, a lone surrogate, or no JSON at all
    return json.loads(data, **kwargs)
