"""The body of ``PATCH /v1/status``, decoded as k6's Go structs decode it.

From bytes to a `StatusChange`, or to the error that k6 shows. What Go's decoder
does is kept where clients see it: keys match in any case, the last of two
equal keys wins, ``null`` leaves a value alone, unknown members are ignored, and
``vus`` may be a number in quotes. Not kept: objects such as
``{"Int64": 3, "Valid": true}`` for ``vus``, a leak of k6's Go types.

Pure. Source: k6 v1.1.0, ``api/v1/status.go``, ``status_jsonapi.go``; Go 1.24,
``encoding/json/decode.go``; guregu/null v3, ``int.go``, ``bool.go``.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_k6api.api.go_scanner import GoSyntaxError, JsonNumber, JsonObject, parse_json
from pytest_k6api.api.ports import StatusChange
from pytest_k6api.model import ControlError

INVALID_DATA: Final = "Invalid data"
"""k6's title for a body that cannot be decoded."""

_INT64: Final = range(-(2**63), 2**63)
_UINT32: Final = range(2**32)
_INTEGER: Final = re.compile(r"-?[0-9]+")
_SIGNED_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_LONGEST_INTEGER: Final = len(str(_INT64.start))


class _MismatchError(Exception):
    """A value has another type than k6's struct; Go decodes on and reports the first."""


class _RefusedError(Exception):
    """k6's own unmarshalers refuse a value; that ends the decoding at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A member of a struct.

    Attributes:
        read: Turns the JSON value into ours. It is told how Go calls the member.
        takes_null: Whether `read` sees ``null``; else ``null`` changes nothing.
    """

    read: Callable[[object, str], object]
    takes_null: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Struct:
    """A Go struct: its name in errors about members, its type in errors about itself."""

    name: str
    go_type: str
    members: Mapping[str, "_Value | _Struct"]


def decode_status_change(body: bytes) -> StatusChange:
    """Return what the body of ``PATCH /v1/status`` asks for.

    Raises:
        ControlError: It cannot be decoded; title, detail and status are k6's.
    """
    try:
        values = _decode(parse_json(body))
    except (GoSyntaxError, _RefusedError, _MismatchError) as error:
        raise ControlError(INVALID_DATA, str(error)) from None
    paused, vus, vus_max = (values.get(name) for name in ("paused", "vus", "vus-max"))
    return StatusChange(
        paused=paused if isinstance(paused, bool) else None,
        vus=vus if isinstance(vus, int) else None,
        vus_max=vus_max if isinstance(vus_max, int) else None,
        stopped=values.get("stopped") is True,
        whole_session=values.get("scope") == "session",
    )


def _decode(document: object) -> dict[str, object]:
    values: dict[str, object] = {}
    mismatches: list[_MismatchError] = []
    if isinstance(document, JsonObject):
        _fill(_DOCUMENT, document, "", values, mismatches)
    elif document is not None:
        mismatches.append(_mismatch(document, "value", _DOCUMENT.go_type))
    if mismatches:
        raise mismatches[0]
    return values


def _fill(
    struct: _Struct,
    found: JsonObject,
    path: str,
    values: dict[str, object],
    mismatches: list[_MismatchError],
) -> None:
    for key, value in found:
        name = _fold(key)
        member = struct.members.get(name)
        place = f"struct field {struct.name}.{path}{name}"
        try:
            if isinstance(member, _Value) and (value is not None or member.takes_null):
                values[name] = member.read(value, place)
            elif isinstance(member, _Struct) and isinstance(value, JsonObject):
                _fill(member, value, f"{path}{name}.", values, mismatches)
            elif isinstance(member, _Struct) and value is not None:
                raise _mismatch(value, place, member.go_type)
        except _MismatchError as mismatch:
            mismatches.append(mismatch)


def _fold(key: str) -> str:
    # Go folds two letters beyond ASCII into ASCII: the long s and the Kelvin sign,
    # of which `lower` knows the second.
    return key.replace("\u017f", "s").lower()


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case JsonNumber():
            return "number"
        case str():
            return "string"
        case JsonObject():
            return "object"
    return "array"


def _mismatch(value: object, place: str, go_type: str, *, shown: str = "") -> _MismatchError:
    what = f"{_kind(value)}{shown}"
    return _MismatchError(f"json: cannot unmarshal {what} into Go {place} of type {go_type}")


def _read_text(value: object, place: str) -> str:
    if _kind(value) != "string":
        raise _mismatch(value, place, "string")
    return str(value)


def _read_flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(value, place, "bool")
    return value


def _read_lifecycle(value: object, place: str) -> int:
    if isinstance(value, JsonNumber) and _is_integer_in(value, _UINT32):
        return int(value)
    shown = f" {value}" if isinstance(value, JsonNumber) else ""
    raise _mismatch(value, place, "lib.ExecutionStatus", shown=shown)


def _is_integer_in(digits: str, numbers: range) -> bool:
    # The length first: Python refuses to convert thousands of digits.
    short = len(digits) <= _LONGEST_INTEGER
    return short and _INTEGER.fullmatch(digits) is not None and int(digits) in numbers


def _read_null_int(value: object, place: str) -> int | None:
    if isinstance(value, JsonNumber):
        if _is_integer_in(value, _INT64):
            return int(value)
        go_type = "float64" if math.isinf(float(value)) else "int64"
        raise _RefusedError(str(_mismatch(value, place, go_type, shown=f" {value}")))
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _parse_int(value)
    raise _no_null_type(value, "null.Int")


def _parse_int(text: str) -> int:
    """Read `text` as Go's ``strconv.ParseInt`` does."""
    quoted = json.dumps(text, ensure_ascii=False)
    if not _SIGNED_INTEGER.fullmatch(text):
        raise _RefusedError(f"strconv.ParseInt: parsing {quoted}: invalid syntax")
    digits = text.lstrip("+-").lstrip("0") or "0"
    signed = f"-{digits}" if text.startswith("-") else digits
    if not _is_integer_in(signed, _INT64):
        raise _RefusedError(f"strconv.ParseInt: parsing {quoted}: value out of range")
    return int(signed)


def _read_null_bool(value: object, _place: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise _no_null_type(value, "null.Bool")


def _no_null_type(value: object, go_type: str) -> _RefusedError:
    # Go's reflection calls every number float64 and has no name for an array.
    name = {"number": "float64", "array": ""}.get(_kind(value), _kind(value))
    return _RefusedError(f"json: cannot unmarshal {name} into Go value of type {go_type}")


def _read_scope(value: object, _place: str) -> object:
    if value in ("test", "session"):
        return value
    raise _RefusedError(f'the scope of a stop is "test" or "session", got a JSON {_kind(value)}')


_DOCUMENT: Final = _Struct(
    name="StatusJSONAPI",
    go_type="v1.StatusJSONAPI",
    members={
        "data": _Struct(
            name="statusData",
            go_type="v1.statusData",
            members={
                "type": _Value(read=_read_text),
                "id": _Value(read=_read_text),
                "attributes": _Struct(
                    name="Status",
                    go_type="v1.Status",
                    members={
                        "status": _Value(read=_read_lifecycle),
                        "paused": _Value(read=_read_null_bool, takes_null=True),
                        "vus": _Value(read=_read_null_int, takes_null=True),
                        "vus-max": _Value(read=_read_null_int, takes_null=True),
                        "stopped": _Value(read=_read_flag),
                        "running": _Value(read=_read_flag),
                        "tainted": _Value(read=_read_flag),
                        "scope": _Value(read=_read_scope),
                    },
                ),
            },
        )
    },
)
"""What k6 decodes; ``scope`` is ours."""
