"""JSON schemas made from the types of the API's documents.

Understands what those types are made of: `TypedDict` (generic, too), lists,
mappings, unions, literals and the plain types.

Pure.
"""

import types
from collections.abc import Mapping, Sequence
from typing import (
    Any,
    Final,
    Literal,
    NotRequired,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = dict[str, object]

_PLAIN: Final[Mapping[object, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    object: {},
}


class SchemaBook:
    """Collects the schemas of all types asked for, each under its name.

    Attributes:
        components: The schemas by name, for ``#/components/schemas``.
    """

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def schema(self, annotation: Any) -> Schema:
        """Return the schema of a type; of a `TypedDict` without parameters, a reference.

        Raises:
            TypeError: It is made of something else than described above.
        """
        origin, arguments = get_origin(annotation), get_args(annotation)
        if annotation in _PLAIN:
            return dict(_PLAIN[annotation])
        if is_typeddict(annotation):
            return self._reference(annotation)
        if is_typeddict(origin):
            return self._object(origin, dict(zip(origin.__parameters__, arguments, strict=True)))
        if origin is Literal:
            return {"enum": list(arguments)}
        return self._compound(annotation, origin, [self.schema(a) for a in arguments])

    def _compound(self, annotation: object, origin: object, parts: list[Schema]) -> Schema:
        if origin in (Union, types.UnionType):
            return {"anyOf": parts}
        if origin in (list, Sequence):
            return {"type": "array", "items": parts[0]}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": parts[1]}
        raise TypeError(f"no JSON schema for {annotation!r}")

    def _reference(self, kind: Any) -> Schema:
        name = kind.__name__
        if name not in self.components:
            self.components[name] = {}  # for types that contain themselves
            self.components[name] = self._object(kind, {})
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any, parameters: Mapping[TypeVar, object]) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        required = [name for name in hints if name in kind.__required_keys__]
        members = {name: self.schema(_plain_hint(hint, parameters)) for name, hint in hints.items()}
        schema: Schema = {"type": "object", "properties": members, "additionalProperties": False}
        return {**schema, "required": required} if required else schema


def _plain_hint(hint: Any, parameters: Mapping[TypeVar, object]) -> Any:
    if get_origin(hint) is NotRequired:
        (hint,) = get_args(hint)
    return parameters.get(hint, hint) if isinstance(hint, TypeVar) else hint
