"""The body of ``PUT /v1/setup``: any JSON, or the envelope that the documentation shows.

k6 stores the whole body, while its documentation shows a JSON:API document and
promises that its inner data is stored. Both forms work here: what looks like
such a document in every respect is unwrapped, all else is stored as it is.

Pure. Source: k6 v1.1.0, ``api/v1/setup_teardown_routes.go``.
"""

from typing import Final

from pytest_k6api.api.go_json import RawJson, compact, to_json
from pytest_k6api.api.go_scanner import JsonNumber, JsonObject, parse_json

_DATA_MEMBERS: Final = {"type", "id", "attributes"}


def setup_text(body: bytes) -> str | None:
    """Return the setup data in `body` as JSON text; None to remove it.

    Numbers keep their digits and objects their duplicate keys.

    Raises:
        GoSyntaxError: `body` is neither empty nor JSON.
    """
    if not body:
        return None
    document = parse_json(body)
    attributes = _attributes(document)
    if attributes is None:
        return compact(body.decode("utf-8", "replace"))
    if "data" not in attributes:
        return None
    return to_json(_writable(attributes["data"])).decode()


def _attributes(document: object) -> dict[str, object] | None:
    """Return the attributes of a setup document; None if it is none."""
    data = _members(document, {"data"}).get("data")
    members = _members(data, _DATA_MEMBERS)
    if members.get("type") != "setupData" or "attributes" not in members:
        return None
    attributes = members["attributes"]
    found = _members(attributes, {"data"})
    return found if found or attributes == JsonObject() else None


def _members(value: object, allowed: set[str]) -> dict[str, object]:
    """Return the members of an object that has no others than `allowed`; else none."""
    if not isinstance(value, JsonObject):
        return {}
    members = dict(value)
    return members if set(members) <= allowed and len(members) == len(value) else {}


def _writable(value: object) -> object:
    """Turn a parsed value into one that `to_json` writes as it was read."""
    match value:
        case JsonNumber():
            return RawJson(value)
        case JsonObject():
            inner = ",".join(
                f"{to_json(key).decode()}:{to_json(_writable(item)).decode()}"
                for key, item in value
            )
            return RawJson(f"{{{inner}}}")
        case list():
            return [_writable(item) for item in value]
    return value
