"""Messages as dicts, by protobuf's JSON mapping, and quicker where that makes no difference.

A message's constructor and `ListFields` take a fraction of the time of `json_format`; what
they cannot do, or do otherwise, is left to that: for each type it is found out once.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

_AS_TEXT = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_OF_JSON = "google.protobuf."  # types that have a form of their own there

Convert = Callable[[Any], Any]


def packer(descriptor: Descriptor) -> Callable[[Mapping[str, Any]], bytes]:
    """Return what makes the bytes of a message from a dict.

    It raises what `google.protobuf.json_format.ParseDict` does, and takes what that takes; also
    bytes for texts, and 0 and 1 for truths.
    """
    make = GetMessageClass(descriptor)

    def pack_anything(fields: Mapping[str, Any]) -> bytes:
        data: bytes = json_format.ParseDict(dict(fields), make()).SerializeToString()
        return data

    def pack(fields: Mapping[str, Any]) -> bytes:
        try:
            data: bytes = make(**fields).SerializeToString()
        except (TypeError, ValueError):  # another spelling, or a mistake
            return pack_anything(fields)
        return data

    return pack if all(map(_is_made_alike, _types(descriptor))) else pack_anything


def unpacker(descriptor: Descriptor) -> Callable[[bytes], dict[str, Any]]:
    """Return what makes a dict from the bytes of a message; default values are left out."""
    read = GetMessageClass(descriptor).FromString
    if all(map(_is_read_alike, _types(descriptor))):
        convert = _reader(descriptor, {})
        return lambda data: convert(read(data))
    return lambda data: json_format.MessageToDict(read(data), preserving_proto_field_name=True)


def _types(descriptor: Descriptor) -> Iterator[Descriptor]:
    """Yield a type and all that its fields lead to."""
    found, left = {descriptor.full_name}, [descriptor]
    while left:
        each = left.pop()
        yield each
        inner = [field.message_type for field in each.fields if field.message_type is not None]
        new = {kind.full_name: kind for kind in inner if kind.full_name not in found}
        found |= new.keys()
        left += new.values()


def _is_made_alike(descriptor: Descriptor) -> bool:
    """Return whether the constructor makes the same of each dict that it takes."""
    if descriptor.full_name.startswith(_OF_JSON):
        return False
    # Of several fields of a union the constructor takes the last, and of bytes it takes them raw.
    is_union = any(len(union.fields) > 1 for union in descriptor.oneofs)
    return not is_union and all(field.type != field.TYPE_BYTES for field in descriptor.fields)


def _is_read_alike(descriptor: Descriptor) -> bool:
    """Return whether `_reader` knows all fields."""
    if descriptor.full_name.startswith(_OF_JSON) or descriptor.is_extendable:
        return False
    return not any(
        field.type == field.TYPE_BYTES
        or field.cpp_type == field.CPPTYPE_FLOAT
        or (field.message_type is not None and field.message_type.GetOptions().map_entry)
        or (field.enum_type is not None and _has_own_names(field.enum_type))
        for field in descriptor.fields
    )


def _has_own_names(enum: EnumDescriptor) -> bool:
    return enum.full_name.startswith(_OF_JSON) or any(value.has_options for value in enum.values)


def _reader(descriptor: Descriptor, known: dict[str, Convert]) -> Convert:
    """Return what makes a dict of a message.

    Args:
        descriptor: Its type.
        known: Readers that were begun, by type: messages may contain their like.
    """
    found = known.get(descriptor.full_name)
    if found is not None:
        return found
    converters: dict[str, Convert | None] = {}

    def read(message: Any) -> dict[str, Any]:
        result = {}
        for field, value in message.ListFields():
            name = field.name
            convert = converters[name]
            result[name] = value if convert is None else convert(value)
        return result

    known[descriptor.full_name] = read
    for field in descriptor.fields:
        convert = _converter(field, known)
        converters[field.name] = _of_each(convert) if field.default_value == [] else convert
    return read


def _converter(field: FieldDescriptor, known: dict[str, Convert]) -> Convert | None:
    """Return what makes one value of `field` JSON's; None if it is."""
    kind = field.cpp_type
    if kind == field.CPPTYPE_MESSAGE:
        return _reader(field.message_type, known)
    if kind == field.CPPTYPE_ENUM:
        by_number = field.enum_type.values_by_number  # of two names for one number, the first
        names = {each.number: by_number[each.number].name for each in field.enum_type.values}
        return lambda value: names.get(value, value)
    if kind == field.CPPTYPE_DOUBLE:
        return _double
    return str if kind in _AS_TEXT else None


def _of_each(convert: Convert | None) -> Convert:
    if convert is None:
        return list
    return lambda values: [convert(value) for value in values]


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
