import math
import time
from typing import Any

import pytest
import trio

from pytest_k6api.model import ControlError, OptionError
from pytest_k6api.vu import VU, FailureKind, StopRequest, SyncVU, current_vu
from tests.virtual_time import in_real_time, in_virtual_time
from tests.vu.fake_load_test import FakeLoadTest, Skipped


@in_virtual_time
async def test_what_setup_returns_is_the_setup_data_and_teardown_gets_a_copy() -> None:
    load = FakeLoadTest()
    seen: list[Any] = []

    async def setup() -> object:
        return {"größe": [1, 2.5, None, True]}

    async def teardown(setup_data: Any) -> None:
        seen.append(setup_data)

    setup_teardown = load.setup_teardown(setup, teardown)
    text = await setup_teardown.run_setup()
    await setup_teardown.run_teardown()

    assert text == setup_teardown.data == '{"größe":[1,2.5,null,true]}'
    assert seen == [{"größe": [1, 2.5, None, True]}]


@in_virtual_time
async def test_setup_has_the_user_0_in_a_group_of_its_own_and_no_scenario() -> None:
    load = FakeLoadTest(tags={"run": "7"})
    seen: list[Any] = []

    async def setup(vu: Any) -> None:
        seen.append((vu.id, vu.iteration, vu.scenario))
        with vu.group("login"):
            vu.check(await vu.http.load(), {"is 200": lambda status: status == 200})

    await load.setup_teardown(setup).run_setup()

    assert seen == [(0, 0, "")]
    assert load.samples("checks", "group", "scenario", "run") == [
        (1.0, "::setup::login", None, "7")
    ]
    (row,) = load.iterations()
    assert load.table[row[0]] == {"group": "::setup", "run": "7"}
    assert row[1:] == (None, None, 100, 900)
    assert load.clients[0].is_closed
    assert current_vu.get(None) is None


@in_virtual_time
async def test_setup_that_returns_nothing_leaves_no_data() -> None:
    async def setup() -> None:
        """Return nothing."""

    setup_teardown = FakeLoadTest().setup_teardown(setup)
    setup_teardown.replace("[1]")

    assert await setup_teardown.run_setup() is None
    assert setup_teardown.data is None


@in_virtual_time
async def test_without_setup_the_data_stays_as_it_is() -> None:
    setup_teardown = FakeLoadTest().setup_teardown()
    setup_teardown.replace("1.50")

    assert await setup_teardown.run_setup() == "1.50"
    await setup_teardown.run_teardown()


@in_virtual_time
async def test_replaced_data_keeps_its_digits_and_goes_to_teardown() -> None:
    seen: list[Any] = []

    async def teardown(setup_data: Any) -> None:
        seen.append(setup_data)

    setup_teardown = FakeLoadTest().setup_teardown(teardown=teardown)
    setup_teardown.replace("[1.50]")
    await setup_teardown.run_teardown()
    setup_teardown.replace(None)
    await setup_teardown.run_teardown()

    assert seen == [[1.5], None]


@in_virtual_time
async def test_setup_that_raises_is_a_control_error_and_a_failure() -> None:
    load = FakeLoadTest()

    async def setup() -> None:
        raise ValueError("no shop")

    setup_teardown = load.setup_teardown(setup)
    setup_teardown.replace("[1]")
    with pytest.raises(ControlError) as raised:
        await setup_teardown.run_setup()

    assert (raised.value.status, raised.value.title) == (500, "Error executing setup")
    assert raised.value.detail.startswith("ValueError: no shop (tests/vu/test_setup_teardown.py:")
    assert (load.the_failure().kind, load.the_failure().scenario) == (FailureKind.SETUP, "")
    assert setup_teardown.data == "[1]"


@in_virtual_time
async def test_teardown_that_takes_too_long_is_cut_off() -> None:
    load = FakeLoadTest()

    async def teardown() -> None:
        await trio.sleep(100)

    setup_teardown = load.setup_teardown(teardown=teardown, teardown_timeout=2)
    with pytest.raises(ControlError) as raised:
        await setup_teardown.run_teardown()

    assert raised.value.title == "Error executing teardown"
    assert raised.value.detail == "teardown() execution timed out after 2 seconds"
    assert load.the_failure().kind is FailureKind.TEARDOWN


@in_virtual_time
@pytest.mark.parametrize("value", [{1, 2}, math.nan, object()], ids=["set", "nan", "object"])
async def test_setup_data_is_what_json_can_hold(value: object) -> None:
    load = FakeLoadTest()

    async def setup() -> object:
        return value

    with pytest.raises(
        ControlError, match=r"error marshaling setup\(\) data to JSON: .*; setup may"
    ):
        await load.setup_teardown(setup).run_setup()

    assert load.the_failure().kind is FailureKind.SETUP


@in_virtual_time
async def test_setup_data_that_is_nested_too_deeply_for_virtual_users_is_refused() -> None:
    def nested(depth: int) -> list[Any]:
        data: list[Any] = ["[" * 600]  # in a string, where it is text
        for _ in range(depth - 1):
            data = [data]
        return data

    async def setup_500() -> object:
        return nested(500)

    async def setup_501() -> object:
        return nested(501)

    assert str(await FakeLoadTest().setup_teardown(setup_500).run_setup()).startswith("[[[")
    with pytest.raises(
        ControlError, match=r"setup\(\) data may be nested 500 deep; return flatter data"
    ):
        await FakeLoadTest().setup_teardown(setup_501).run_setup()


@in_virtual_time
async def test_a_skip_in_setup_is_passed_on() -> None:
    load = FakeLoadTest()

    async def setup() -> None:
        raise Skipped

    with pytest.raises(Skipped):
        await load.setup_teardown(setup).run_setup()

    assert load.failures.snapshot() == ()


@in_virtual_time
async def test_setup_may_find_that_there_is_nothing_to_do() -> None:
    load = FakeLoadTest()

    async def setup() -> None:
        raise StopRequest("nothing on sale")

    assert await load.setup_teardown(setup).run_setup() is None
    assert load.finishes == ["nothing on sale"]


@in_virtual_time
async def test_an_interruption_passes_setup() -> None:
    async def setup() -> None:
        await trio.sleep(100)

    with trio.move_on_after(1) as scope:
        await FakeLoadTest().setup_teardown(setup).run_setup()

    assert scope.cancelled_caught


@in_virtual_time
async def test_setup_cannot_ask_for_what_it_makes() -> None:
    async def setup(setup_data: object) -> None:
        """Ask for too much."""

    load = FakeLoadTest()
    with pytest.raises(OptionError, match="setup=setup asks for 'setup_data', which it makes"):
        load.setup_teardown(setup)


@in_virtual_time
async def test_both_may_run_again_in_any_phase() -> None:
    runs: list[str] = []

    async def setup(vu: VU) -> int:
        await vu.sleep(1)
        runs.append("setup")
        return len(runs)

    async def teardown() -> None:
        runs.append("teardown")

    setup_teardown = FakeLoadTest().setup_teardown(setup, teardown)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup_teardown.run_setup)
        await trio.sleep(0.5)
        await setup_teardown.run_teardown()
        await setup_teardown.run_setup()

    assert runs == ["teardown", "setup", "setup"]
    assert setup_teardown.data == "3"


@in_real_time
async def test_setup_may_be_an_ordinary_function_that_blocks() -> None:
    load = FakeLoadTest()

    def setup(vu: SyncVU) -> int:
        time.sleep(0.001)
        vu.check(1, {"is there": True})
        return vu.id

    assert await load.setup_teardown(setup).run_setup() == "0"
    assert load.samples("checks", "group") == [(1.0, "::setup")]
