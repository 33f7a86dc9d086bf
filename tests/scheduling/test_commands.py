"""Pause, resume, scale: on every executor, all or nothing, and nothing hangs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from pytest_k6api.model import (
    ControlError,
    RunStatus,
    ScenarioOptions,
    ScenarioSnapshot,
    ScenarioState,
)
from pytest_k6api.scheduling import read_segment
from tests.scheduling.loads import Load, scenario
from tests.scheduling.test_scheduler import Script, every_executor
from tests.virtual_time import in_virtual_time


@asynccontextmanager
async def running(load: Load, until: float = 0.0) -> AsyncIterator[Load]:
    """Have `load` run beside the body, which begins `until` seconds after it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(load.run)
        await trio.sleep(until)
        yield load


def only(load: Load) -> ScenarioSnapshot:
    (status,) = load.scheduler.scenarios()
    return status


def begun_between(load: Load, start: float, end: float) -> int:
    return sum(start < each.at < end for each in load.starts)


async def refusal(load: Load, **change: object) -> tuple[int, str, str]:
    """Return status, title and detail of the refusal of a change."""
    with pytest.raises(ControlError) as caught:
        await load.tell(**change)
    return caught.value.status, caught.value.title, caught.value.detail


@every_executor
@in_virtual_time
async def test_a_pause_waits_for_iterations_and_starts_none(options: ScenarioOptions) -> None:
    # No iteration ends, and none is due, in the very moment in which another thing happens.
    async with running(Load([options], iteration=0.77), until=2.03) as load:
        in_flight = load.scheduler.status().vus
        began = load.now
        await load.tell(paused=True)
        waited = load.now - began
        paused = load.scheduler.status()
        started = len(load.starts)
        await trio.sleep(7.01)
        later = load.scheduler.status()

        assert in_flight > 0
        assert 0 < waited < 0.77
        assert (paused.paused, paused.vus, paused.running) == (True, 0, True)
        assert paused.status is RunStatus.RUNNING
        assert paused.elapsed == later.elapsed == pytest.approx(2.03)
        assert len(load.starts) == started == only(load).iterations
        assert only(load).state is ScenarioState.PAUSED
        assert only(load).interrupted == 0

        await load.tell(paused=False)
        assert only(load).state is ScenarioState.RUNNING
        assert load.scheduler.status().paused is False
        load.scheduler.stop()


@every_executor
@in_virtual_time
async def test_a_pause_takes_nothing_off_the_plan(options: ScenarioOptions) -> None:
    iteration = 0.0997 if "iterations" in options.executor.value else 0.01
    load = Load([options], iteration=iteration, teardown=Script())
    undisturbed = Load([options], iteration=iteration)
    lasts = (await undisturbed.run()).elapsed
    async with running(load, until=2.037):
        await load.tell(paused=True)
        await trio.sleep(50)
        await load.tell(paused=False)

    # Looping VUs are as fast as they can, so for them a little more or less is the same.
    assert len(load.starts) == pytest.approx(len(undisturbed.starts), rel=0.01)
    if "arrival" in options.executor.value:
        assert len(load.starts) == len(undisturbed.starts)
        assert load.dropped_samples == []
        # Nothing has piled up: after the pause they come at the same distances.
        due = [round(start.at - 50, 3) for start in load.starts if start.at > 52]
        assert due[0] == pytest.approx(next(s.at for s in undisturbed.starts if s.at > 2.037), 0.01)
    assert load.scheduler.clock.elapsed == pytest.approx(lasts, abs=0.1)


@in_virtual_time
async def test_resume_starts_a_load_test_that_was_started_paused() -> None:
    setup = Script(1)
    async with running(Load([scenario("per-vu-iterations")], setup=setup, paused=True), 3) as load:
        status = load.scheduler.status()
        assert (status.status, status.paused) == (RunStatus.PAUSED_BEFORE_RUN, True)
        assert (status.running, status.vus, status.vus_max, status.elapsed) == (False, 0, 1, 0)
        expected = (500, "Pause error", "execution is already paused")
        assert await refusal(load, paused=True) == expected
        await load.tell(paused=False)

    assert setup.began == [3]
    assert [start.at for start in load.starts] == [4]


@every_executor
@in_virtual_time
async def test_a_pause_in_setup_holds_what_follows_and_not_the_setup(
    options: ScenarioOptions,
) -> None:
    setup = Script(2)
    async with running(Load([options], iteration=0.77, setup=setup), 1.5) as load:
        not_paused = (500, "Pause error", "test execution wasn't paused")
        assert await refusal(load, paused=False) == not_paused
        await load.tell(paused=True)
        await trio.sleep(20)
        status = load.scheduler.status()
        assert (setup.ended, load.starts) == ([2], [])
        assert (status.status, status.paused) == (RunStatus.RUNNING, True)
        assert (status.vus, status.elapsed) == (0, 1.5)
        await load.tell(paused=False)
        await trio.sleep(3.03)
        load.scheduler.stop()

    assert min(start.at for start in load.starts) >= 21.5


@in_virtual_time
async def test_a_pause_before_the_start_time_puts_it_off() -> None:
    waiting = scenario("externally-controlled", vus=1, duration=9, start_time=1)
    async with running(Load([waiting]), 0.5) as load:
        await load.tell(paused=True)
        await trio.sleep(10)
        await load.tell(paused=False)
        await trio.sleep(0.7)
        load.scheduler.stop()

    assert load.starts[0].at == 11


@in_virtual_time
async def test_a_pause_before_the_first_vus_are_there_is_one_before_the_start() -> None:
    setup = Script(1)
    load = Load([scenario("per-vu-iterations")], setup=setup)
    not_paused = (500, "Pause error", "test execution wasn't paused")
    assert await refusal(load, paused=False) == not_paused
    await load.tell(paused=True)
    async with running(load, 3):
        assert load.scheduler.status().status is RunStatus.PAUSED_BEFORE_RUN
        await load.tell(paused=False)

    assert setup.began == [3]


@in_virtual_time
async def test_pausing_twice_and_resuming_what_runs_are_refused_as_in_k6() -> None:
    async with running(Load([scenario("constant-vus", duration=9)]), 1.05) as load:
        not_paused = (500, "Pause error", "test execution wasn't paused")
        assert await refusal(load, paused=False) == not_paused
        await load.tell(paused=True)
        twice = (500, "Pause error", "test execution was already paused")
        assert await refusal(load, paused=True) == twice
        load.scheduler.stop()


@in_virtual_time
async def test_after_the_end_every_command_is_answered_with_an_error() -> None:
    load = Load([scenario("constant-vus", duration=1)], teardown=Script(1))
    over = (500, "Pause error", "the test execution has ended")
    nothing_left = (
        500,
        "Execution config error",
        "there is no scenario left that could be changed",
    )
    async with running(load, 1.5):
        assert load.scheduler.status().status is RunStatus.TEARDOWN
        assert await refusal(load, paused=True) == over
        assert await refusal(load, vus=1) == nothing_left

    assert await refusal(load, paused=True) == over
    assert await refusal(load, paused=False) == over
    assert await refusal(load, vus=1) == nothing_left
    with pytest.raises(ControlError, match="the scenario 'test_it' has ended"):
        await load.tell(scenario="test_it", vus=1)


@in_virtual_time
async def test_a_scenario_that_ends_while_paused_keeps_the_load_test_waiting() -> None:
    teardown = Script()
    load = Load([scenario("per-vu-iterations")], iteration=2, teardown=teardown)
    async with running(load, 1):
        await load.tell(paused=True)
        await trio.sleep(10)
        assert teardown.began == []
        assert load.scheduler.status().paused
        await load.tell(paused=False)

    assert teardown.began == [12]


@in_virtual_time
async def test_a_pause_in_the_graceful_stop_holds_the_end_up() -> None:
    teardown = Script()
    load = Load([scenario("constant-vus", duration=1)], iteration=3, teardown=teardown)
    async with running(load, 2):
        await load.tell(paused=True)
        assert load.now == 3
        await trio.sleep(10)
        assert only(load).state is ScenarioState.ENDED
        assert (teardown.began, load.scheduler.status().paused) == ([], True)
        await load.tell(paused=False)

    assert teardown.began == [13]
    assert load.scheduler.clock.elapsed == 2


@in_virtual_time
async def test_a_scenario_without_a_share_minds_no_command() -> None:
    mix = [
        scenario("constant-vus", "mine", vus=2, duration=3),
        scenario("constant-vus", "not_mine", vus=1, duration=3, start_time=1),
    ]
    async with running(Load(mix, segment=read_segment("1/2:1")), 0.55) as load:
        await load.tell(paused=True)
        await load.tell(paused=False)
        load.scheduler.finish()
        load.scheduler.stop()

    assert {start.scenario for start in load.starts} == {"mine"}


@in_virtual_time
async def test_a_stop_ends_a_pause_and_the_wait_for_it() -> None:
    load = Load([scenario("constant-vus", duration=9)], iteration=5, teardown=Script())
    async with running(load, 1), trio.open_nursery() as nursery:
        nursery.start_soon(partial(load.tell, paused=True))
        await trio.sleep(1)
        load.scheduler.stop()

    assert load.now == 2


@in_virtual_time
async def test_a_pause_after_a_stop_is_refused_and_holds_nothing_up() -> None:
    ended = (500, "Pause error", "the test execution has ended")
    load = Load([scenario("constant-vus", duration=9)], iteration=5)
    async with running(load, 1):
        load.scheduler.finish()
        assert await refusal(load, paused=True) == ended
        with pytest.raises(ControlError, match="the test execution has ended"):
            await load.tell(scenario="test_it", paused=True)
    assert load.now == 5

    early = Load([scenario("constant-vus", duration=9)])
    early.scheduler.stop()
    assert await refusal(early, paused=True) == ended
    await early.run()
    assert early.starts == []


@in_virtual_time
async def test_a_stop_leaves_it_to_be_seen_that_there_was_a_pause_as_in_k6() -> None:
    async with running(Load([scenario("constant-vus", duration=9)]), 1.05) as load:
        await load.tell(paused=True)
        load.scheduler.stop()
        assert load.scheduler.status().paused is True

    assert load.scheduler.status().paused is True
    assert load.scheduler.status().running is False


@in_virtual_time
async def test_a_resume_ends_the_wait_for_its_pause() -> None:
    load = Load([scenario("constant-vus", duration=9)], iteration=5)
    answered = []

    async def pause() -> None:
        await load.tell(paused=True)
        answered.append(load.now)

    async with running(load, 1), trio.open_nursery() as nursery:
        nursery.start_soon(pause)
        await trio.sleep(1)
        await load.tell(paused=False)

    assert answered == [2]


@every_executor
@in_virtual_time
async def test_vus_are_scaled_up_at_once_and_down_again(options: ScenarioOptions) -> None:
    is_arrival = "arrival" in options.executor.value
    iteration = 4.13 if is_arrival else 0.77
    vus_max = 5 if options.executor.value == "externally-controlled" else None
    async with running(Load([options], iteration=iteration), 2.03) as load:
        await load.tell(vus=5, vus_max=vus_max)
        await trio.sleep(0.5 if not is_arrival else 2.5)
        scaled = load.scheduler.status()
        assert (scaled.vus, scaled.vus_max) == (5, 5)
        assert only(load).overrides == {"vus": 5}
        assert only(load).vus_max == 5

        await load.tell(vus=1)
        await trio.sleep(4.3)
        assert load.scheduler.status().vus <= 1
        assert len(load.closed) == 4
        assert load.cut == (4 if options.executor.value == "externally-controlled" else 0)
        load.scheduler.stop()


@every_executor
@in_virtual_time
async def test_nothing_runs_at_zero_vus_until_there_are_some_again(
    options: ScenarioOptions,
) -> None:
    async with running(Load([options], iteration=0.33), 2.03) as load:
        await load.tell(vus=0)
        await trio.sleep(2)
        assert begun_between(load, 2.03, 5) == 0
        assert load.scheduler.status().vus == 0
        await load.tell(vus=2)
        await trio.sleep(2)
        assert begun_between(load, 4, 7) > 3
        load.scheduler.stop()


@in_virtual_time
async def test_vus_that_are_taken_away_have_the_graceful_ramp_down() -> None:
    ramp = scenario("ramping-vus", start_vus=3, stages=[("60s", 3)], graceful_ramp_down=2)
    async with running(Load([ramp], iteration=5), 1) as load:
        await load.tell(vus=1)
        await trio.sleep(1.9)
        assert (load.scheduler.status().vus, load.cut) == (3, 0)
        await trio.sleep(0.2)
        assert (load.scheduler.status().vus, load.cut) == (1, 2)
        load.scheduler.stop()


@in_virtual_time
async def test_an_override_holds_over_stages_until_it_is_given_back() -> None:
    stages = [("4s", 0), ("0s", 8), ("9s", 8)]
    ramp = scenario("ramping-vus", start_vus=4, stages=stages)
    async with running(Load([ramp], iteration=0.1), 1.55) as load:
        await load.tell(vus=6)
        await trio.sleep(2)
        assert (only(load).vus, only(load).overrides) == (6, {"vus": 6})
        await load.tell(scenario="test_it", give_back=frozenset({"vus"}))
        await trio.sleep(0.2)
        assert (only(load).vus, only(load).overrides) == (1, {})
        await trio.sleep(1)
        assert only(load).vus == 8
        load.scheduler.stop()


@in_virtual_time
async def test_what_per_vu_iterations_were_taken_away_is_dropped_at_the_end() -> None:
    options = scenario("per-vu-iterations", vus=3, iterations=10)
    async with running(Load([options], iteration=0.3), 1) as load:
        await load.tell(vus=2)

    assert only(load).iterations == 24
    assert load.dropped_samples == [6]


@in_virtual_time
async def test_per_vu_iterations_that_were_taken_away_can_be_had_again() -> None:
    options = scenario("per-vu-iterations", vus=3, iterations=10)
    async with running(Load([options], iteration=0.3), 1) as load:
        await load.tell(vus=1)
        await trio.sleep(1)
        await load.tell(vus=4)

    assert only(load).iterations == 40
    assert only(load).progress == 1
    assert load.dropped_samples == []


@in_virtual_time
async def test_vus_that_were_given_up_show_in_the_status_until_their_iterations_end() -> None:
    async with running(
        Load([scenario("constant-vus", vus=3, duration=9)], iteration=1), 0.1
    ) as load:
        await load.tell(vus=4)
        await trio.sleep(0.1)
        await load.tell(vus=0)
        await load.tell(vus_max=3)
        status = load.scheduler.status()
        assert (status.vus, status.vus_max) == (4, 4)
        await trio.sleep(1.1)
        status = load.scheduler.status()
        assert (status.vus, status.vus_max) == (0, 3)
        load.scheduler.stop()


@in_virtual_time
async def test_an_iteration_handed_to_a_vu_that_is_still_in_use_makes_no_active_vu() -> None:
    options = scenario("constant-arrival-rate", rate=9, duration=5, pre_allocated_vus=2, max_vus=5)
    async with running(Load([options], iteration=0.431), 0.01) as load:
        await load.tell(vus=0)
        await trio.sleep(0.01)
        await load.tell(vus=2)
        await trio.sleep(0.22)
        status = load.scheduler.status()
        assert (status.vus, status.vus_max) == (2, 2)
        await trio.sleep(0.3)
        assert load.scheduler.status().vus == 2
        load.scheduler.stop()


@in_virtual_time
async def test_the_rate_of_a_constant_arrival_rate_is_set_and_given_back() -> None:
    options = scenario("constant-arrival-rate", rate=10, duration=9, pre_allocated_vus=9)
    async with running(Load([options], iteration=0.01), 2.05) as load:
        await load.tell(scenario="test_it", rate=4)
        await trio.sleep(2)
        assert begun_between(load, 2.05, 4.05) == 8
        assert (only(load).rate, only(load).overrides) == (4, {"rate": 4})
        await load.tell(scenario="test_it", rate=0)
        await trio.sleep(2)
        assert begun_between(load, 4.05, 6.05) == 0
        await load.tell(scenario="test_it", give_back=frozenset({"rate"}))
        await trio.sleep(1)
        assert begun_between(load, 6.05, 7.05) == 10
        assert (only(load).rate, only(load).overrides) == (10, {})
        load.scheduler.stop()


@in_virtual_time
async def test_the_rate_of_a_ramp_goes_on_where_the_stages_are_by_then() -> None:
    options = scenario("ramping-arrival-rate", stages=[("10s", 100)], pre_allocated_vus=9)
    async with running(Load([options], iteration=0.01), 2.003) as load:
        assert only(load).rate == pytest.approx(20, abs=0.1)
        await load.tell(scenario="test_it", rate=1)
        await trio.sleep(5)
        assert begun_between(load, 2.003, 7.003) == 5
        await load.tell(scenario="test_it", give_back=frozenset({"rate"}))
        assert only(load).rate == pytest.approx(70, abs=0.1)

    assert begun_between(load, 7.003, 11) == 500 - int(5 * 7.003**2)


@in_virtual_time
async def test_a_higher_rate_does_not_start_two_at_once_nor_a_lower_one_too_soon() -> None:
    options = scenario("constant-arrival-rate", rate=1, duration=60, pre_allocated_vus=9)
    async with running(Load([options], iteration=0.01), 3.7) as load:
        await load.tell(scenario="test_it", rate=2)
        await trio.sleep(0.9)
        await load.tell(scenario="test_it", rate=0.25)
        await trio.sleep(5)
        load.scheduler.stop()

    assert [round(start.at, 3) for start in load.starts] == [0, 1, 2, 3, 3.7, 4.2, 8.2]


@pytest.mark.parametrize("rate", [-1, float("inf"), float("nan")])
@in_virtual_time
async def test_rates_that_make_no_sense_are_refused(rate: float) -> None:
    options = scenario("constant-arrival-rate", rate=1, duration=60, pre_allocated_vus=9)
    async with running(Load([options]), 1.5) as load:
        with pytest.raises(ControlError) as caught:
            await load.tell(scenario="test_it", rate=rate)
        assert f"the iteration rate can't be {rate}" in caught.value.detail
        load.scheduler.stop()


@in_virtual_time
async def test_an_arrival_rate_may_be_allowed_more_vus() -> None:
    options = scenario("constant-arrival-rate", rate=10, duration=9, pre_allocated_vus=1)
    async with running(Load([options], iteration=20), 1.05) as load:
        assert only(load).vus == 1
        await load.tell(vus_max=3)
        await trio.sleep(1)
        assert (only(load).vus, only(load).vus_max) == (3, 3)
        assert load.scheduler.status().vus_max == 3
        detail = (
            "invalid configuration supplied: the number of active VUs (3) must be less than or"
            " equal to the number of maxVUs (2)"
        )
        assert await refusal(load, vus_max=2) == (400, "Config update error", detail)
        load.scheduler.stop()


@in_virtual_time
async def test_looping_vus_have_no_rate() -> None:
    async with running(Load([scenario("constant-vus", duration=9)]), 1.05) as load:
        with pytest.raises(ControlError) as caught:
            await load.tell(scenario="test_it", rate=5)
        assert caught.value.detail == (
            "constant-vus executor 'test_it' has no iteration rate; set its vus"
        )
        load.scheduler.stop()


EXTERNAL = scenario("externally-controlled", vus=2, max_vus=5, duration=0)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (
            {"vus": 6},
            "invalid configuration supplied: the number of active VUs (6) must be less than or"
            " equal to the number of maxVUs (5)",
        ),
        ({"vus": -1}, "invalid configuration supplied: the number of VUs can't be negative"),
        (
            {"vus_max": 1},
            "invalid configuration supplied: the number of active VUs (2) must be less than or"
            " equal to the number of maxVUs (1)",
        ),
        (
            {"vus": 1, "vus_max": 4},
            "the new number of max VUs cannot be lower than the starting number of max VUs (5)",
        ),
        ({"vus_max": 10**9}, "the number of max VUs (1000000000) can't be more than 1000000"),
    ],
)
@in_virtual_time
async def test_numbers_that_do_not_go_together_are_refused_as_in_k6(
    change: dict[str, int], detail: str
) -> None:
    async with running(Load([EXTERNAL]), 1.05) as load:
        assert await refusal(load, **change) == (400, "Config update error", detail)
        assert (only(load).vus, only(load).vus_max) == (2, 5)
        load.scheduler.stop()


@in_virtual_time
async def test_an_externally_controlled_scenario_follows_k6s_exchanges() -> None:
    async with running(Load([EXTERNAL], iteration=0.1), 1.05) as load:
        change = load.tell

        def numbers() -> tuple[int, int]:
            status = load.scheduler.status()
            return status.vus, status.vus_max

        assert numbers() == (2, 5)
        for wanted, expected in (
            ({"vus": 4}, (4, 5)),
            ({"vus_max": 8}, (4, 8)),
            ({"vus": 7, "vus_max": 9}, (7, 9)),
            ({"vus": 1, "vus_max": 5}, (1, 5)),
            ({"vus": 0}, (0, 5)),
            ({"paused": True}, (0, 5)),
            ({"vus": 5}, (0, 5)),
            ({"paused": False}, (5, 5)),
            ({"paused": True, "vus": 4}, (0, 5)),
            ({"paused": False, "vus": 3}, (3, 5)),
        ):
            await change(**wanted)
            assert numbers() == expected, wanted
        load.scheduler.stop()


@in_virtual_time
async def test_more_vus_for_iterations_that_are_all_taken_find_nothing_to_do() -> None:
    load = Load([scenario("shared-iterations", vus=2, iterations=4)], iteration=1)
    async with running(load, 1.5):
        await load.tell(vus=4)

    assert (only(load).iterations, len(load.closed)) == (4, 2)
    assert load.now == 2


@in_virtual_time
async def test_what_is_told_before_the_start_is_used_at_the_start() -> None:
    options = scenario("externally-controlled", vus=1, max_vus=4, duration=9)
    async with running(Load([options], setup=Script(1), paused=True), 1) as load:
        await load.tell(vus=3)
        await load.tell(vus_max=6)
        assert load.scheduler.status().vus_max == 4
        detail = (
            "invalid configuration supplied: the number of active VUs (9) must be less than or"
            " equal to the number of maxVUs (6)"
        )
        assert await refusal(load, vus=9) == (400, "Config update error", detail)
        await load.tell(paused=False, vus=4)
        await trio.sleep(0.5)
        await load.tell(vus=2)
        await trio.sleep(1)
        status = load.scheduler.status()
        assert (status.vus, status.vus_max) == (2, 6)

    assert load.scheduler.status().vus_max == 4


@in_virtual_time
async def test_a_change_is_carried_out_as_a_whole_or_not_at_all() -> None:
    async with running(Load([EXTERNAL]), 1.05) as load:
        title = (await refusal(load, paused=True, vus=99))[1]
        assert title == "Config update error"
        assert load.scheduler.status().paused is False
        title = (await refusal(load, paused=False, vus=1))[1]
        assert title == "Pause error"
        assert only(load).vus == 2
        load.scheduler.stop()


def mix() -> Sequence[ScenarioOptions]:
    return [
        scenario("constant-vus", "b", vus=1, duration=3),
        scenario("constant-vus", "a", vus=1, duration=9, start_time=1),
        scenario("externally-controlled", "z", vus=1, max_vus=4, duration=5, start_time=2),
    ]


@in_virtual_time
async def test_without_a_name_the_first_live_scenario_is_scaled_external_ones_first() -> None:
    async with running(Load(mix()), 1.55) as load:

        def vus() -> dict[str, int]:
            return {status.name: status.vus for status in load.scheduler.scenarios()}

        await load.tell(vus=2)
        await trio.sleep(1)
        assert vus() == {"b": 1, "a": 1, "z": 2}
        await trio.sleep(2.8)
        await load.tell(vus=3)
        assert vus() == {"b": 0, "a": 1, "z": 3}
        await trio.sleep(2)
        await load.tell(vus=4)
        assert vus() == {"b": 0, "a": 4, "z": 0}
        await load.tell(vus=5, scenario="a")
        assert vus() == {"b": 0, "a": 5, "z": 0}
        load.scheduler.stop()


@in_virtual_time
async def test_one_scenario_can_be_paused_alone() -> None:
    pair = [scenario("constant-vus", name, duration=4) for name in ("a", "b")]
    async with running(Load(pair), 1.05) as load:
        await load.tell(scenario="a", paused=True)
        await trio.sleep(2)
        first, second = load.scheduler.scenarios()
        assert (first.state, first.vus) == (ScenarioState.PAUSED, 0)
        assert (second.state, second.vus) == (ScenarioState.RUNNING, 1)
        assert first.progress == pytest.approx(1.05 / 4)
        assert load.scheduler.status().paused is False
        with pytest.raises(ControlError, match="the scenario 'a' was already paused"):
            await load.tell(scenario="a", paused=True)
        with pytest.raises(ControlError, match="the scenario 'b' wasn't paused"):
            await load.tell(scenario="b", paused=False)
        await load.tell(scenario="a", paused=False)

    assert load.scheduler.clock.elapsed == pytest.approx(6.05, abs=0.1)
    assert {start.scenario for start in load.starts if start.at > 4.1} == {"a"}


@in_virtual_time
async def test_a_scenario_that_has_not_started_cannot_be_paused_alone() -> None:
    async with running(Load([scenario("constant-vus", duration=4, start_time=5)]), 1) as load:
        with pytest.raises(ControlError) as caught:
            await load.tell(scenario="test_it", paused=True)
        assert caught.value.detail == "cannot pause the scenario 'test_it' before it has started"
        with pytest.raises(KeyError):
            await load.tell(scenario="unknown", paused=True)
        load.scheduler.stop()


@in_virtual_time
async def test_a_start_time_waits_out_a_pause() -> None:
    pair = [
        scenario("constant-vus", "now", duration=5),
        scenario("per-vu-iterations", "late", start_time=3),
        scenario("per-vu-iterations", "then", after="late"),
    ]
    async with running(Load(pair), 2.05) as load:
        await load.tell(paused=True)
        await trio.sleep(10)
        await load.tell(paused=False)

    late = next(start.at for start in load.starts if start.scenario == "late")
    assert late == pytest.approx(13.05, abs=0.1)
    assert [start.scenario for start in load.starts].count("then") == 1
