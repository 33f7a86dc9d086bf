"""Tag sets, the places where virtual users stand, and the ids of groups and checks."""

import pytest

from pytest_k6api.model import GroupError, TagContext, TagTable, check_path, group_path, path_id


def test_the_same_tags_are_one_number_in_any_order():
    table = TagTable()

    assert table.intern({"a": "1", "b": "2"}) == table.intern({"b": "2", "a": "1"})
    assert table.intern({"a": "1"}) != table.intern({"a": "1", "b": "2"})
    assert [dict(tags) for tags in table] == [{"a": "1", "b": "2"}, {"a": "1"}]


def test_groups_nest_and_the_same_place_is_one_object():
    root = TagContext(TagTable(), {"scenario": "s"})
    inner = root.enter_group("outer").enter_group("inner")

    assert inner.group == "::outer::inner"
    assert dict(inner.tags) == {"scenario": "s", "group": "::outer::inner"}
    assert root.enter_group("outer").enter_group("inner") is inner


def test_the_paths_are_k6s():
    assert group_path("", "") == ""
    assert group_path("", "a") == "::a"
    assert group_path("::a", "b") == "::a::b"
    assert check_path("", "") == "::"
    assert check_path("::a", "is 200") == "::a::is 200"


def test_the_ids_are_k6s():
    assert path_id("") == "d41d8cd98f00b204e9800998ecf8427e"
    assert path_id("::outer::inner") == "b6c425bc7b9e3d21a2d56ce7a6de3614"
    assert path_id("::outer::inner::is 200") == "6725000f84f8fcff6a87227bb109b94d"


def test_two_colons_in_a_name_are_refused():
    root = TagContext(TagTable(), {})

    with pytest.raises(GroupError, match="may not contain '::', got 'a::b'"):
        root.enter_group("a::b")
    with pytest.raises(GroupError, match="may not contain '::', got 'a::b'"):
        root.check_id("a::b")


def test_more_tags_make_another_place_in_the_same_group():
    place = TagContext(TagTable(), {"scenario": "s"}).enter_group("g")

    assert dict(place.with_tags({"user": "x"}).tags) == {
        "scenario": "s",
        "group": "::g",
        "user": "x",
    }
    assert place.with_tags({}) is place
    assert place.table[place.check_id("ok")] == {"scenario": "s", "group": "::g", "check": "ok"}
