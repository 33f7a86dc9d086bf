"""The body of ``PUT /v1/setup``: any JSON, or the envelope that the documentation shows.

k6 stores the whole body, while its documentation shows a JSON:API document and
promises that its inner data is stored. Both forms work here: what looks like
such a document in every respect is unwrapped, all else is stored as it is.

Pure. Source: k6 v1.1.0, ``api/v1/setup_teardown_routes.go``.
"""

import json
import re
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pytest_k6api.api.messages import decode
from pytest_k6api.model import ControlError
from pytest_k6api.vu import DEEPEST_SETUP_DATA, is_too_deep

_TITLE: Final = "Error parsing request body"
_EXAMPLE: Final = 'any JSON, such as {"user":"anna"}'
_LONG_NUMBER: Final = re.compile(rb"[0-9]{4000}")
"""Python reads integers of 4,300 digits at most."""

AnyJson = Any
"""The setup data: any JSON, or the envelope that GET answers with."""


class _Attributes(Struct, forbid_unknown_fields=True):
    data: Raw | UnsetType = UNSET


class _Data(Struct, forbid_unknown_fields=True):
    type: Literal["setupData"]
    attributes: _Attributes
    id: Raw | UnsetType = UNSET


class _Envelope(Struct, forbid_unknown_fields=True):
    data: _Data


def setup_text(body: bytes) -> str | None:
    """Return the setup data in `body` as JSON text; None to remove it.

    Numbers keep their digits and objects their duplicate keys; bytes that are not
    UTF-8 are replaced.

    Raises:
        ControlError: `body` is neither empty nor JSON that Python can read.
    """
    if not body:
        return None
    data: Raw | UnsetType = decode(body, Raw, title=_TITLE, example=_EXAMPLE)
    with suppress(ValueError, RecursionError):  # no envelope: all of it is the data
        data = msgspec.json.decode(body, type=_Envelope).data.attributes.data
    if data is UNSET:
        return None
    text = msgspec.json.format(bytes(data), indent=-1).decode("utf-8", "replace")
    if is_too_deep(text):
        raise ControlError(
            _TITLE, f"the body may be nested {DEEPEST_SETUP_DATA} deep; write flatter data"
        )
    if _LONG_NUMBER.search(body):
        _check_numbers(text)
    return text


def _check_numbers(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        raise ControlError(
            _TITLE, "the body: a number has more than 4,300 digits; write it as a string"
        ) from None
