import math
import random
from typing import Any

import pytest
import trio

from pytest_k6api.model import ScenarioOptions
from pytest_k6api.vu import VU
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import FakeLoadTest


async def _nothing() -> None:
    """Do nothing."""


@in_virtual_time
@pytest.mark.parametrize("wait", ["sleep", "pace"])
@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, "1s", None, True], ids=repr)
async def test_a_wait_is_a_number_of_seconds(wait: str, seconds: Any) -> None:
    vu = FakeLoadTest().user(_nothing).vu

    with pytest.raises(
        ValueError, match=rf"vu.{wait}\(\) takes a number of seconds, 0 or more, got "
    ):
        await getattr(vu, wait)(seconds)


@in_virtual_time
async def test_pace_waits_for_what_is_left_since_the_iteration_began() -> None:
    load = FakeLoadTest()
    began: list[float] = []

    async def browse(vu: VU) -> None:
        began.append(trio.current_time())
        await vu.sleep(vu.iteration)
        await vu.pace(2.5)

    user = load.user(browse)
    for _ in range(5):
        await user.run_iteration()

    # The fourth takes 3 s: it does not wait, and the fifth does not hurry.
    assert [at - began[0] for at in began] == [0, 2.5, 5, 7.5, 10.5]


@in_virtual_time
async def test_pace_in_a_loop_spaces_the_turns_of_the_loop() -> None:
    load = FakeLoadTest()
    turns: list[float] = []

    async def browse(vu: VU) -> None:
        for _ in range(3):
            await vu.sleep(0.25)
            await vu.pace(1)
            turns.append(trio.current_time())

    began = trio.current_time()
    await load.user(browse).run_iteration()

    assert [at - began for at in turns] == [1, 2, 3]


@in_virtual_time
async def test_chance_depends_on_the_seed_and_the_user_only() -> None:
    vu = FakeLoadTest().user(_nothing).vu

    assert isinstance(vu.random, random.Random)
    assert [vu.random.random(), vu.random.random()] == pytest.approx(
        [0.9892911693150237, 0.7198046301007214]
    )


@in_virtual_time
async def test_data_is_remembered_from_iteration_to_iteration() -> None:
    load = FakeLoadTest()
    seen: list[int] = []

    async def browse(vu: VU) -> None:
        vu.data.visits = getattr(vu.data, "visits", 0) + 1
        seen.append(vu.data.visits)

    user = load.user(browse)
    await user.run_iteration()
    await user.run_iteration()

    assert seen == [1, 2]


@in_virtual_time
async def test_a_mistyped_attribute_is_not_silently_made() -> None:
    vu = FakeLoadTest().user(_nothing).vu

    with pytest.raises(AttributeError):
        vu.dat = 1  # type: ignore[attr-defined]  # what is tested


@in_virtual_time
async def test_stop_ends_the_load_test_for_the_reason_given() -> None:
    load = FakeLoadTest()
    vu: Any = load.user(_nothing).vu

    vu.stop()
    vu.stop("sold out")

    assert load.stops == ["", "sold out"]


@in_virtual_time
async def test_a_tag_is_on_every_later_sample_also_in_open_groups() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        vu.check(1, {"before": True})
        with vu.group("home"):
            vu.tags["plan"] = 3
            vu.check(1, {"inside": True})
        vu.check(1, {"outside": True})
        del vu.tags["plan"]
        vu.check(1, {"after": True})

    await load.user(browse).run_iteration()

    assert load.samples("checks", "group", "plan") == [
        (1.0, "", None),
        (1.0, "::home", "3"),
        (1.0, "", "3"),
        (1.0, "", None),
    ]
    assert load.samples("group_duration", "group", "plan") == [(0, "::home", "3")]


@in_virtual_time
async def test_tags_stay_for_the_next_iteration() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        vu.tags.setdefault("visit", str(vu.iteration))

    user = load.user(browse)
    await user.run_iteration()
    await user.run_iteration()

    assert [load.table[row[0]].get("visit") for row in load.iterations()] == ["0", "0"]
    assert dict(user.vu.tags) == {"visit": "0"}


@in_virtual_time
@pytest.mark.parametrize("tag", ["group", "check"])
async def test_tags_that_groups_and_checks_set_are_refused(tag: str) -> None:
    vu = FakeLoadTest().user(_nothing).vu

    with pytest.raises(KeyError, match=f"vu.tags cannot hold the tag '{tag}'"):
        vu.tags[tag] = "x"


@in_virtual_time
async def test_tags_of_the_scenario_are_over_those_of_the_load_test() -> None:
    load = FakeLoadTest(
        ScenarioOptions(name="test_buy", tags={"env": "stage"}), tags={"env": "dev", "run": "7"}
    )

    await load.user(_nothing).run_iteration()

    assert load.table[load.iterations()[0][0]] == {
        "group": "",
        "env": "stage",
        "run": "7",
        "scenario": "test_buy",
    }
