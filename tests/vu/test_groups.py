from typing import Any

import pytest
import trio

from pytest_k6api.model import GroupError
from pytest_k6api.vu import VU
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import FakeLoadTest


async def _nothing() -> None:
    """Do nothing."""


@in_virtual_time
async def test_a_group_records_its_duration_under_its_own_path() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.group("outer"):
            await vu.sleep(1)
            with vu.group("inner"):
                await vu.sleep(0.5)

    await load.user(browse).run_iteration()

    assert load.samples("group_duration", "group") == [
        (500_000, "::outer::inner"),
        (1_500_000, "::outer"),
    ]


@in_virtual_time
async def test_samples_in_a_group_are_tagged_with_it_and_later_ones_are_not() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.group("home"):
            vu.check(1, {"inside": True})
        vu.check(1, {"outside": True})

    await load.user(browse).run_iteration()

    assert load.samples("checks", "group", "check") == [
        (1.0, "::home", "inside"),
        (1.0, "", "outside"),
    ]


@in_virtual_time
async def test_a_group_is_recorded_when_an_exception_leaves_it() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.group("home"):
            raise ValueError

    await load.user(browse).run_iteration()

    assert load.samples("group_duration", "group") == [(0, "::home")]


@in_virtual_time
async def test_an_interrupted_group_is_not_recorded() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.group("slow"):
            await trio.sleep(9)

    with trio.move_on_after(1):
        await load.user(browse).run_iteration()

    assert load.samples("group_duration") == []


@in_virtual_time
async def test_a_group_can_be_used_again() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        home = vu.group("home")
        for seconds in (1, 2):
            with home:
                await vu.sleep(seconds)

    await load.user(browse).run_iteration()

    assert load.samples("group_duration") == [1_000_000, 2_000_000]


@in_virtual_time
async def test_groups_of_tasks_beside_each_other_end_in_any_order() -> None:
    load = FakeLoadTest()

    async def step(vu: VU, name: str, seconds: float) -> None:
        with vu.group(name):
            await vu.sleep(seconds)

    async def browse(vu: VU) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(step, vu, "slow", 2)
            await trio.sleep(1)
            with vu.group("late"):
                await vu.sleep(3)

    user = load.user(browse)
    await user.run_iteration()

    assert sorted(load.samples("group_duration")) == [2_000_000, 3_000_000]
    assert load.iterations()[0][3] == 0


@in_virtual_time
@pytest.mark.parametrize(
    "enter", [lambda vu: vu.group("a::b").__enter__(), lambda vu: vu.check(1, {"a::b": True})]
)
async def test_a_name_with_the_separator_is_refused(enter: Any) -> None:
    load = FakeLoadTest()

    with pytest.raises(GroupError, match="a group or check name may not contain '::', got 'a::b'"):
        enter(load.user(_nothing).vu)
