"""Messages are made of dicts, and dicts of messages, as protobuf's JSON mapping has them."""

from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

pytest.importorskip("grpc_tools")

from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from pytest_k6api.protocols.grpc.schemas import read_proto_files
from pytest_k6api.protocols.grpc.schemas.dicts import packer, unpacker


@cache
def pool() -> DescriptorPool:
    found = DescriptorPool()
    for file in read_proto_files((str(Path(__file__).with_name("kinds.proto")),), ()):
        found.AddSerializedFile(file)
    return found


def descriptor(name: str) -> Any:
    return pool().FindMessageTypeByName(f"kinds.{name}")


# Right, in another spelling, and wrong.
numbers: st.SearchStrategy[Any] = st.one_of(
    st.integers(-3, 3), st.sampled_from(["7", 7.0, 7.5, "x", True, None, 2**40, 2**70, [], {}])
)
texts: st.SearchStrategy[Any] = st.one_of(st.text(max_size=3), st.sampled_from([1, None, "\ud800"]))
prices: st.SearchStrategy[Any] = st.one_of(
    st.floats(), st.sampled_from(["NaN", "1.5", 2, None, "x"])
)
colours = st.sampled_from(["RED", "CRIMSON", "BLUE", 1, 2, 99, "GREEN", None])
truths = st.sampled_from([True, False, None, 1, "true"])


def dicts(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=fields)


def plain(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return dicts(
        small=numbers,
        large=numbers,
        counted=numbers,
        price=prices,
        sold=truths,
        some_name=texts,
        someName=texts,
        colour=colours,
        maybe=numbers,
        words=st.lists(texts, max_size=2),
        colours=st.lists(colours, max_size=2),
        numbers=st.lists(numbers, max_size=2),
        inner=inner,
        others=st.lists(inner, max_size=2),
        unknown=st.none(),
    )


plains = plain(plain(st.none()))
mixed = dicts(
    plain=plains,
    by_name=st.dictionaries(st.text(max_size=2), plains, max_size=2),
    by_number=st.dictionaries(st.sampled_from([1, "2", "x"]), texts, max_size=2),
    text=texts,
    number=numbers,
)
odd = dicts(
    raw=st.sampled_from(["AAE=", b"AAE=", "*", None]),
    ratio=prices,
    when=st.sampled_from(["2026-11-28T00:00:00Z", {"seconds": 1}, "never", None]),
    wrapped=numbers,
)
cases = st.one_of(
    st.tuples(st.just("Plain"), plains),
    st.tuples(st.just("Mixed"), mixed),
    st.tuples(st.just("Odd"), odd),
)


def outcome_of(pack: Any, fields: dict[str, Any]) -> Any:
    """Return the message's bytes, or that there are none."""
    try:
        return pack(fields)
    except (json_format.ParseError, TypeError, ValueError):
        return "refused"


@settings(deadline=None)
@given(cases)
def test_a_dict_that_json_takes_makes_the_same_message(case: tuple[str, dict[str, Any]]) -> None:
    name, fields = case
    make = GetMessageClass(descriptor(name))

    def by_json(fields: dict[str, Any]) -> Any:
        return json_format.ParseDict(fields, make()).SerializeToString()

    def in_order(data: bytes) -> bytes:
        ordered: bytes = make.FromString(data).SerializeToString(deterministic=True)
        return ordered

    packed, expected = (outcome_of(each, fields) for each in (packer(descriptor(name)), by_json))

    if expected != "refused":
        assert in_order(packed) == in_order(expected)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Plain", {"unknown": 1}),
        ("Plain", {"small": "x"}),
        ("Plain", {"small": 1.5}),
        ("Plain", {"small": True}),
        ("Plain", {"some_name": 1}),
        ("Plain", {"colour": "GREEN"}),
        ("Plain", {"inner": {"small": 2**40}}),
        ("Mixed", {"text": "a", "number": 1}),
        ("Odd", {"when": "never"}),
    ],
)
def test_a_dict_with_a_mistake_is_refused(name: str, fields: dict[str, Any]) -> None:
    assert outcome_of(packer(descriptor(name)), fields) == "refused"


@settings(deadline=None)
@given(cases)
def test_a_message_makes_the_dict_that_json_makes(case: tuple[str, dict[str, Any]]) -> None:
    name, fields = case
    data = outcome_of(packer(descriptor(name)), fields)
    if data == "refused":
        return
    message = GetMessageClass(descriptor(name)).FromString(data)
    expected = json_format.MessageToDict(message, preserving_proto_field_name=True)

    assert unpacker(descriptor(name))(data) == expected
