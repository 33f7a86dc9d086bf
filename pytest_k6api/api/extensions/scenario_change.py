"""The body of ``PATCH /v1/scenarios/{name}``.

Strict, unlike k6's bodies: an unknown member is an error, not ignored.

Pure.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pytest_k6api.api.messages import INVALID_DATA, decode
from pytest_k6api.model import Command

_EXAMPLE: Final = '{"data":{"attributes":{"vus":5}}}, with any of paused, vus and rate'

# A float, because JSON does not tell 5 and 5.0 apart.
NewVUs = Annotated[float, Meta(ge=0, le=1_000_000, multiple_of=1)] | None | UnsetType
NewRate = Annotated[float, Meta(ge=0, le=1_000_000_000)] | None | UnsetType


class ScenarioChangeAttributes(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of the scenario; null gives a number back to the plan."""

    paused: bool | UnsetType = UNSET
    vus: NewVUs = UNSET
    rate: Annotated[NewRate, Meta(description="Iterations per second.")] = UNSET


class ScenarioChangeData(Struct, frozen=True, forbid_unknown_fields=True):
    """The scenario; its name stands in the path."""

    attributes: ScenarioChangeAttributes
    type: Literal["scenarios"] | UnsetType = UNSET
    id: Annotated[str | UnsetType, Meta(description="Ignored.")] = UNSET


class ScenarioChangeDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``PATCH /v1/scenarios/{name}``."""

    data: ScenarioChangeData


def decode_scenario_change(name: str, body: bytes) -> Command:
    """Return the command to the scenario `name`; ``null`` gives a number back to the plan.

    Raises:
        ControlError: It is not JSON, or holds anything but what is described above.
    """
    document: ScenarioChangeDocument = decode(
        body, ScenarioChangeDocument, title=INVALID_DATA, example=_EXAMPLE
    )
    asked = document.data.attributes
    numbers = {"vus": asked.vus, "rate": asked.rate}
    return Command(
        scenario=name,
        paused=None if asked.paused is UNSET else asked.paused,
        vus=int(asked.vus) if isinstance(asked.vus, float) else None,
        rate=asked.rate if isinstance(asked.rate, float) else None,
        give_back=frozenset(name for name, number in numbers.items() if number is None),
    )
