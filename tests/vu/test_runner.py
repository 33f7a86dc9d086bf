from typing import Any

import pytest
import trio

from pytest_k6api.model import ScenarioOptions
from pytest_k6api.vu import VU, FailureKind, StopRequest, VirtualUser
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import Exit, Failed, FakeLoadTest, Skipped


@in_virtual_time
async def test_an_iteration_records_its_duration_and_bytes() -> None:
    load = FakeLoadTest()

    async def browse(vu: Any) -> None:
        await vu.http.load(0.25)

    await load.user(browse).run_iteration()

    (row,) = load.iterations()
    assert load.table[row[0]] == {"scenario": "test_buy", "group": ""}
    assert row[1:] == (250_000, 0, 100, 900)


@in_virtual_time
async def test_bytes_are_counted_anew_in_each_iteration() -> None:
    load = FakeLoadTest()

    async def browse(vu: Any) -> None:
        await vu.http.load()

    user = load.user(browse)
    await user.run_iteration()
    await user.run_iteration()

    assert [row[3:] for row in load.iterations()] == [(100, 900), (100, 900)]


@in_virtual_time
async def test_a_vu_knows_its_number_and_its_iteration() -> None:
    load = FakeLoadTest(ScenarioOptions(name="test_buy", env={"SHOP": "local"}))
    seen = []

    async def browse(vu: VU) -> None:
        seen.append((vu.id, vu.iteration, vu.scenario, vu.env["SHOP"]))

    user = load.user(browse)
    await user.run_iteration()
    await user.run_iteration()

    assert seen == [(1, 0, "test_buy", "local"), (1, 1, "test_buy", "local")]


@in_virtual_time
async def test_fixture_values_are_handed_to_the_function() -> None:
    load = FakeLoadTest()
    seen = []

    async def browse(catalogue: list[int], *, limit: int = 5) -> None:
        seen.append((catalogue, limit))

    await load.user(browse, catalogue=[1, 2]).run_iteration()

    assert seen == [([1, 2], 5)]


@in_virtual_time
async def test_an_iteration_that_raises_is_a_whole_iteration_and_a_failure() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        await vu.sleep(0.5)
        raise ValueError("no shop")

    await load.user(browse).run_iteration()

    (row,) = load.iterations()
    assert row[1:3] == (500_000, 1)
    failure = load.the_failure()
    assert (failure.kind, failure.message) == (FailureKind.ITERATION, "ValueError: no shop")


@in_virtual_time
async def test_a_failure_that_is_no_exception_counts_like_any_other() -> None:
    load = FakeLoadTest()

    async def browse() -> None:
        raise Failed("pytest.fail")

    await load.user(browse).run_iteration()

    assert load.the_failure().message == "Failed: pytest.fail"


@in_virtual_time
async def test_a_skip_ends_the_iteration_and_is_counted_apart() -> None:
    load = FakeLoadTest()

    async def browse() -> None:
        raise Skipped

    await load.user(browse).run_iteration()

    (row,) = load.iterations()
    assert row[2] == 0
    assert load.samples("iterations_skipped") == [1.0]
    assert load.failures.snapshot() == ()


@in_virtual_time
@pytest.mark.parametrize("error", [KeyboardInterrupt(), Exit("enough")], ids=repr)
async def test_what_ends_the_session_passes_through(error: BaseException) -> None:
    load = FakeLoadTest()

    async def browse() -> None:
        raise error

    with pytest.raises(type(error)):
        await load.user(browse).run_iteration()

    assert load.failures.snapshot() == ()


@in_virtual_time
async def test_a_failure_inside_a_nursery_is_told_without_the_wrapping() -> None:
    load = FakeLoadTest()

    async def fail() -> None:
        raise ValueError("no shop")

    async def browse() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)

    await load.user(browse).run_iteration()

    assert load.the_failure().message == "ValueError: no shop"


@in_virtual_time
async def test_asking_to_stop_ends_the_load_test_and_is_no_failure() -> None:
    load = FakeLoadTest()

    async def browse() -> None:
        raise StopRequest("no more data")

    await load.user(browse).run_iteration()

    assert load.finishes == ["no more data"]
    assert load.samples("iterations_skipped") == [1.0]
    assert load.failures.snapshot() == ()


async def _interrupt(user: VirtualUser, *, after: float) -> None:
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(user.run_iteration)
            await trio.sleep(after)
            user.interrupt()
            scope.cancel()


@in_virtual_time
async def test_an_interrupted_iteration_leaves_only_its_bytes() -> None:
    load = FakeLoadTest()

    async def browse(vu: Any) -> None:
        try:
            with vu.group("slow"):
                await vu.http.load(9)
        finally:
            vu.check(1, {"too late": True})

    await _interrupt(load.user(browse), after=1)

    (row,) = load.iterations()
    assert row[1:] == (None, None, 100, 0)
    assert load.context.buffer.samples == []


@in_virtual_time
async def test_an_iteration_that_ends_after_the_cut_is_interrupted_too() -> None:
    load = FakeLoadTest()

    async def browse(vu: Any) -> None:
        await vu.http.load()
        user.interrupt()
        raise ValueError("too late")

    user = load.user(browse)
    await user.run_iteration()

    (row,) = load.iterations()
    assert row[1:] == (None, None, 100, 900)
    assert load.failures.snapshot() == ()


@in_virtual_time
async def test_the_iteration_after_a_cut_one_counts_again() -> None:
    load = FakeLoadTest()

    async def browse(vu: Any) -> None:
        vu.check(1, {"counts": True})
        await vu.http.load(9)

    user = load.user(browse)
    await _interrupt(user, after=1)
    await user.run_iteration()

    assert [row[1] for row in load.iterations()] == [None, 9_000_000]
    assert load.samples("checks") == [1.0, 1.0]


@in_virtual_time
async def test_an_iteration_that_was_due_earlier_tells_how_late_it_was() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        await vu.sleep(0.5)

    due_at = trio.current_time()
    await trio.sleep(0.02)
    await load.user(browse).run_iteration(due_at)

    assert load.samples("iteration_lateness") == [20_000]
    assert load.samples("response_time_from_due") == [520_000]


@in_virtual_time
async def test_iterations_without_a_due_time_are_not_late() -> None:
    load = FakeLoadTest()

    async def browse() -> None:
        """Do nothing."""

    await load.user(browse).run_iteration()

    assert load.samples("iteration_lateness") == []


@in_virtual_time
async def test_each_user_has_a_copy_of_the_setup_data_of_its_first_iteration() -> None:
    load = FakeLoadTest()
    load.setup_data = '{"stock": [1]}'
    seen: list[Any] = []

    async def browse(setup_data: dict[str, list[int]]) -> None:
        setup_data["stock"].append(2)
        seen.append([*setup_data["stock"]])

    user, other = load.user(browse), load.user(browse)
    await user.run_iteration()
    load.setup_data = '{"stock": [9]}'
    await user.run_iteration()
    await other.run_iteration()

    assert seen == [[1, 2], [1, 2, 2], [9, 2]]


@in_virtual_time
async def test_without_setup_data_there_is_none() -> None:
    load = FakeLoadTest()
    seen: list[Any] = []

    async def browse(setup_data: object) -> None:
        seen.append(setup_data)

    await load.user(browse).run_iteration()

    assert seen == [None]


@in_virtual_time
async def test_closing_a_user_closes_its_connections_and_drops_what_comes_later() -> None:
    load = FakeLoadTest()
    kept: list[VU] = []

    async def browse(vu: VU) -> None:
        kept.append(vu)

    user = load.user(browse)
    await user.run_iteration()
    await user.close()
    kept[0].check(1, {"too late": True})

    assert load.clients[0].is_closed
    assert load.samples("checks") == []


@in_virtual_time
async def test_a_group_left_open_does_not_reach_into_the_next_iteration() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        vu.check(1, {"is first": True})
        vu.group("open").__enter__()

    user = load.user(browse)
    await user.run_iteration()
    await user.run_iteration()

    assert load.samples("checks", "group") == [(1.0, ""), (1.0, "")]
