"""The body of ``PATCH /v1/status``.

Decoded as k6 does where clients see a difference: ``null`` changes nothing,
unknown members are ignored, ``vus`` may be a number in quotes. Not as k6: names
match exactly, and a body whose attributes stand outside of ``data.attributes``
is refused, where k6 answers 200 and changes nothing.

Pure. Source: k6 v1.1.0, ``api/v1/status.go``, ``status_jsonapi.go``.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pytest_k6api.api.messages import INVALID_DATA, decode
from pytest_k6api.model import Command

_IGNORED: Final = "Ignored."

Number = (
    Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[str, Meta(pattern="^([+-]?[0-9]{1,18})?$")]
    | None
)
"""A number of VUs, also in quotes; null and an empty text leave it as it is."""
Flag = bool | None
Ignored = Annotated[str | None, Meta(description=_IGNORED)]


class StatusChangeAttributes(Struct, frozen=True, rename="kebab"):
    """Changes of the load test; null and an absent attribute change nothing."""

    paused: Annotated[Flag, Meta(description="Pause or resume.")] = None
    vus: Annotated[Number, Meta(description="Active VUs; a number may be in quotes.")] = None
    vus_max: Annotated[Number, Meta(description="VUs at most.")] = None
    stopped: Annotated[Flag, Meta(description="true ends the load test.")] = None
    scope: Annotated[
        Literal["test", "session"] | None,
        Meta(description="Whether `stopped` ends the pytest session too."),
    ] = None
    status: Annotated[int, Meta(ge=0, le=2**32 - 1, description=_IGNORED)] | None = None
    running: Annotated[Flag, Meta(description=_IGNORED)] = None
    tainted: Annotated[Flag, Meta(description=_IGNORED)] = None


class StatusChangeData(Struct, frozen=True):
    """The one resource that can be changed."""

    attributes: StatusChangeAttributes | UnsetType | None = UNSET
    type: Ignored = None
    id: Ignored = None


_LEADS_TO_ATTRIBUTES: Final = {
    "if": {
        "type": "object",
        "not": {"properties": {"type": {}, "id": {}}, "additionalProperties": False},
    },
    "then": {"required": ["attributes"]},
}
_LEADS_TO_DATA: Final = {
    "if": {"type": "object", "minProperties": 1},
    "then": {"required": ["data"]},
}


class StatusChangeDocument(Struct, frozen=True):
    """The body of ``PATCH /v1/status``."""

    data: Annotated[
        StatusChangeData | UnsetType | None, Meta(extra_json_schema=_LEADS_TO_ATTRIBUTES)
    ] = UNSET


StatusBody = Annotated[StatusChangeDocument | None, Meta(extra_json_schema=_LEADS_TO_DATA)]


class _Empty(Struct, forbid_unknown_fields=True):
    pass


class _Bare(Struct, forbid_unknown_fields=True):
    type: Ignored = None
    id: Ignored = None


class _BareDocument(Struct):
    data: _Bare


def decode_status_change(body: bytes) -> Command:
    """Return what the body of ``PATCH /v1/status`` asks for.

    Raises:
        ControlError: It cannot be decoded; title and status are k6's.
    """
    document: StatusBody = _decode(body, StatusBody)
    data = document.data if document else None
    if data is UNSET:
        _decode(body, _Empty)  # what else is there stands outside of the envelope
    elif data is not None and data.attributes is UNSET:
        _decode(body, _BareDocument)
    asked = (data.attributes if data else None) or StatusChangeAttributes()
    return Command(
        paused=asked.paused,
        vus=_number(asked.vus),
        vus_max=_number(asked.vus_max),
        stopped=asked.stopped is True,
        whole_session=asked.scope == "session",
    )


def _decode(body: bytes, kind: Any) -> Any:  # as `decode` has them
    example = '{"data":{"attributes":{"paused":true}}}'
    return decode(body, kind, title=INVALID_DATA, example=example)


def _number(value: int | str | None) -> int | None:
    return None if value in (None, "") else int(value)
