"""JSON as the standard library writes and reads it, several times faster where orjson is installed.

Of a request with a kilobyte of JSON in each direction the standard library's codec
takes more than all else together (``benchmarks/compare.py``, workload b). orjson is
optional, so what it would do otherwise goes the standard way: NaN, integers beyond 64
bits, keys that are no text, whatever it refuses. Only its floats look different
(``1e16``), and it also writes UUIDs and enumerations. Pure.
"""

import json
from types import ModuleType
from typing import Any

try:
    import orjson
except ImportError:  # it is an extra
    _orjson: ModuleType | None = None
else:
    _orjson = orjson

# What `json.dumps` would make anew for each request.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
# orjson would read integers of more digits as floats. A translation and a search for
# one text find them in a tenth of the time that a regular expression takes.
_DIGITS_AS_ZEROS = bytes(ord("0") if chr(code).isdecimal() else 32 for code in range(256))
_TOO_LONG = b"0" * 19


def encode_json(value: object) -> bytes:
    """Return `value` as JSON in UTF-8.

    Raises:
        TypeError: It contains something that JSON has not.
        ValueError: It contains NaN, an infinity, itself, or half a character.
    """
    if _orjson is not None:
        try:
            data: bytes = _orjson.dumps(
                value, option=_orjson.OPT_PASSTHROUGH_DATACLASS | _orjson.OPT_PASSTHROUGH_DATETIME
            )
        except TypeError:  # the standard library may be able to, or has the usual error
            pass
        else:
            if b"null" not in data:  # which it writes for NaN, too
                return data
    return _encode(value).encode()


def decode_json(data: bytes, **kwargs: Any) -> Any:
    """Return what the JSON `data` says; `kwargs` are those of ``json.loads``.

    Raises:
        ValueError: It is no JSON.
    """
    if _orjson is not None and not kwargs and _TOO_LONG not in data.translate(_DIGITS_AS_ZEROS):
        try:
            return _orjson.loads(data)
        except ValueError:  # another encoding, NaN, or no JSON at all
            pass
    return json.loads(data, **kwargs)
