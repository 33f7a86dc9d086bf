"""The body of ``PATCH /v1/scenarios/{name}``, which is ours and therefore strict.

k6 ignores what it does not know; here a misspelt member is an error, so that
nobody believes a rate was changed that was not.

Pure.
"""

import math
from collections.abc import Mapping
from typing import Final, NoReturn

from pytest_k6api.api.go_scanner import GoSyntaxError, JsonNumber, JsonObject, parse_json
from pytest_k6api.api.ports import ScenarioChange
from pytest_k6api.api.status_change import INVALID_DATA
from pytest_k6api.model import ControlError

SCENARIO_BODY: Final[Mapping[str, object]] = {
    "type": "object",
    "required": ["data"],
    "additionalProperties": False,
    "properties": {
        "data": {
            "type": "object",
            "required": ["attributes"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "scenarios"},
                "id": {"type": "string", "description": "Is not looked at."},
                "attributes": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "paused": {"type": "boolean"},
                        "vus": {
                            "type": ["integer", "null"],
                            "minimum": 0,
                            "maximum": 1_000_000,
                            "description": "null gives the number back to the plan.",
                        },
                        "rate": {
                            "type": ["number", "null"],
                            "minimum": 0,
                            "maximum": 1_000_000_000,
                            "description": "Iterations per second; null gives the rate back"
                            " to the plan.",
                        },
                    },
                },
            },
        }
    },
}
"""The JSON schema of the body."""

_MOST_VUS: Final = 1_000_000
_HIGHEST_RATE: Final = 1_000_000_000


def decode_scenario_change(body: bytes) -> ScenarioChange:
    """Return what the body asks for; ``null`` gives a number back to the plan.

    Raises:
        ControlError: It is not JSON, or holds anything but what is described above.
    """
    try:
        document = parse_json(body)
    except GoSyntaxError as error:
        raise ControlError(INVALID_DATA, str(error)) from None
    data = _members(_members(document, "the body", {"data"}).get("data"), "data", _DATA)
    if data.get("type", "scenarios") != "scenarios":
        _refuse("data.type is 'scenarios' or left out")
    if type(data.get("id", "")) is not str:
        _refuse("data.id is a string or left out")
    attributes = _members(data.get("attributes"), "data.attributes", _ATTRIBUTES)
    given_back = {name for name in ("vus", "rate") if attributes.get(name, 0) is None}
    return ScenarioChange(
        paused=_flag(attributes),
        vus=_whole_number(attributes),
        rate=_rate(attributes),
        give_back=frozenset(given_back),
    )


_DATA: Final = {"type", "id", "attributes"}
_ATTRIBUTES: Final = {"paused", "vus", "rate"}


def _refuse(detail: str) -> NoReturn:
    raise ControlError(INVALID_DATA, detail)


def _members(value: object, place: str, allowed: set[str]) -> dict[str, object]:
    if not isinstance(value, JsonObject):
        _refuse(f"{place} must be an object")
    members = dict(value)
    unknown = sorted(set(members) - allowed)
    if unknown:
        _refuse(f"{place} does not take {unknown[0]!r}; it takes {', '.join(sorted(allowed))}")
    return members


def _flag(attributes: dict[str, object]) -> bool | None:
    value = attributes.get("paused")
    if "paused" in attributes and not isinstance(value, bool):
        _refuse("paused must be true or false")
    return value if isinstance(value, bool) else None


def _whole_number(attributes: dict[str, object]) -> int | None:
    number = _number(attributes, "vus", _MOST_VUS)
    if number is not None and not number.is_integer():
        _refuse(f"vus must be a whole number, got {attributes['vus']}")
    return None if number is None else int(number)


def _rate(attributes: dict[str, object]) -> float | None:
    return _number(attributes, "rate", _HIGHEST_RATE)


def _number(attributes: dict[str, object], name: str, most: int) -> float | None:
    value = attributes.get(name)
    if value is None:
        return None
    number = float(value) if isinstance(value, JsonNumber) else math.nan
    if not 0 <= number <= most:
        _refuse(f"{name} must be null or a number from 0 to {most}")
    return number
