"""Values of fixtures that travel to workers, as bytes.

What travels is data: None, truth values, numbers, texts, bytes, paths, and lists, tuples,
sets and dictionaries of these. Each type comes back as itself. Nothing is pickled: what a
worker executes is the suite alone. Pure.
"""

from pathlib import Path, PurePath
from typing import Any

import msgspec

# JSON-like: scalars, and lists of a letter and items.
_Form = Any

_LARGE = 2**63
_SEQUENCES: dict[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
_TYPES = {letter: kind for kind, letter in _SEQUENCES.items()}


class StaysHomeError(Exception):
    """A value is more than data, and cannot travel."""


def pack_value(value: object) -> bytes:
    """Return `value` as bytes.

    Raises:
        StaysHomeError: It cannot travel, or something in it cannot.
    """
    try:
        return msgspec.msgpack.encode(_form(value))
    except (RecursionError, UnicodeEncodeError):
        raise StaysHomeError from None


def unpack_value(data: bytes) -> object:
    """Return the value that `pack_value` made `data` of."""
    return _value(msgspec.msgpack.decode(data))


def _form(value: object) -> _Form:
    kind = type(value)
    if kind is int:
        assert isinstance(value, int)
        return value if abs(value) < _LARGE else ["i", str(value)]
    if value is None or kind in (bool, float, str, bytes):
        return value
    if letter := _SEQUENCES.get(kind):
        assert isinstance(value, (list, tuple, set, frozenset))
        return [letter, *map(_form, value)]
    if kind is dict:
        assert isinstance(value, dict)
        return ["d", *([_form(key), _form(each)] for key, each in value.items())]
    if isinstance(value, PurePath) and kind is type(Path()):
        return ["p", str(value)]
    raise StaysHomeError


def _value(form: _Form) -> Any:
    if not isinstance(form, list):
        return form
    letter, *items = form
    match letter:
        case "i":
            return int(items[0])
        case "d":
            return {_value(key): _value(each) for key, each in items}
        case "p":
            return Path(items[0])
    return _TYPES[letter](map(_value, items))
