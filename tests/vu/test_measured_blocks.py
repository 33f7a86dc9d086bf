import pytest
import trio

from pytest_k6api.vu import VU
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import FakeLoadTest, Skipped


@in_virtual_time
async def test_a_block_is_recorded_in_microseconds_under_its_name_where_the_user_stands() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.group("cart"), vu.measure("db query"):
            await vu.sleep(0.25)
        with vu.measure("db query", tags={"table": 7, "name": "not this"}):
            await vu.sleep(0.000123)

    await load.user(browse).run_iteration()

    assert load.samples("measured_duration", "name", "group", "table") == [
        (250_000, "db query", "::cart", None),
        (123, "db query", "", "7"),
    ]
    assert load.samples("measured_failed", "name") == [(0.0, "db query"), (0.0, "db query")]


@in_virtual_time
async def test_a_block_that_raises_counts_as_failed_and_its_exception_passes() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.measure("db query"):
            await vu.sleep(0.5)
            raise ValueError("no such table")

    await load.user(browse).run_iteration()

    assert load.samples("measured_duration") == [500_000]
    assert load.samples("measured_failed") == [1.0]
    assert load.the_failure().message == "ValueError: no such table"


@in_virtual_time
async def test_a_skip_is_neither_a_failure_nor_a_measurement() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.measure("db query"):
            raise Skipped

    await load.user(browse).run_iteration()

    assert load.samples("measured_duration") == load.samples("measured_failed") == []


@pytest.mark.parametrize("inside_a_nursery", [False, True])
@in_virtual_time
async def test_an_interrupted_block_records_nothing(inside_a_nursery: bool) -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.measure("db query"):
            if not inside_a_nursery:
                await vu.sleep(10)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(vu.sleep, 10)
                nursery.start_soon(vu.sleep, 20)

    with trio.move_on_after(1):
        await load.user(browse).run_iteration()

    assert load.samples("measured_duration") == load.samples("measured_failed") == []


@in_virtual_time
async def test_tags_that_a_user_gets_later_are_on_what_is_measured_later() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.measure("db query"):
            pass
        vu.tags["customer"] = "new"
        with vu.measure("db query"):
            pass

    await load.user(browse).run_iteration()

    assert load.samples("measured_failed", "customer") == [(0.0, None), (0.0, "new")]
