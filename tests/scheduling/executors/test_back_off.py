"""VUs whose iterations fail at once, again and again, wait between two attempts."""

from itertools import pairwise

import pytest

from pytest_k6api.scheduling.executors.back_off import BackOff
from tests.scheduling.loads import Load, scenario

AT_ONCE = 0.00095


def always(_vu: int, _iteration: int) -> bool:
    return True


def series(*iterations: tuple[float, float]) -> list[float]:
    """Return the pauses after failed iterations: how long each took, and worked of that."""
    back_off, now, worked = BackOff(0.0, 0.0), 0.0, 0.0
    pauses = []
    for took, work in iterations:
        now, worked = now + took, worked + work
        pauses.append(back_off.next_pause(now, worked))
        now += pauses[-1]
        back_off.resume(now, worked)
    return pauses


def test_the_pause_begins_after_a_second_and_doubles_up_to_a_second():
    pauses = series(*[(AT_ONCE, AT_ONCE)] * 1065)

    assert not any(pauses[:1052])
    assert [pause for pause in pauses if pause] == pytest.approx(
        [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 1, 1], abs=1e-9
    )


def test_iterations_that_wait_for_an_answer_are_not_slowed_down():
    assert not any(series(*[(0.002, 0.0001)] * 5000))


def test_vus_that_fail_at_once_and_wait_for_each_other_back_off_too():
    assert max(series(*[(0.02, 0.015)] * 100)) == 1


def test_a_delay_by_the_machine_does_not_begin_the_second_anew():
    pauses = series(*([(AT_ONCE, AT_ONCE)] * 100 + [(0.03, 0.001)]) * 20)

    assert max(pauses) > 0.1


def test_a_service_that_answers_again_if_only_with_failures_gets_its_load_back():
    dead, slow = [(AT_ONCE, AT_ONCE)] * 1070, [(0.05, 0.001)] * 10

    pauses = series(*dead, *slow)

    assert pauses[1069] == 1
    assert pauses[-1] == 0


@pytest.mark.parametrize(
    "plan",
    [
        scenario("constant-vus", vus=1, duration=7, graceful_stop=0),
        scenario("ramping-vus", start_vus=1, stages=[(7, 1)]),
        scenario("externally-controlled", vus=1, max_vus=1, duration=7),
    ],
    ids=lambda plan: plan.executor.value,
)
def test_every_executor_that_loops_for_a_time_backs_off(plan):
    load = Load([plan], iteration=AT_ONCE, fails=always)

    load.run_to_end()

    # A second at full speed, a second of pauses that double, and one attempt a second.
    assert 1053 <= len(load.starts) <= 1080
    assert load.starts[-1].at - load.starts[-2].at == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("executor", ["per-vu-iterations", "shared-iterations"])
def test_a_number_of_iterations_is_not_stretched_by_pauses(executor):
    plan = scenario(executor, vus=1, iterations=12_000, max_duration=600)
    load = Load([plan], iteration=AT_ONCE, fails=always)

    outcome = load.run_to_end()

    assert len(load.starts) == 12_000
    assert outcome.elapsed < 60


@pytest.mark.parametrize(
    "plan",
    [
        scenario("constant-arrival-rate", rate=800, duration=2.5, pre_allocated_vus=2),
        scenario(
            "ramping-arrival-rate",
            start_rate=800,
            stages=[(2.5, 800)],
            pre_allocated_vus=2,
        ),
    ],
    ids=lambda plan: plan.executor.value,
)
def test_arrival_rates_keep_their_schedule(plan):
    load = Load([plan], iteration=AT_ONCE, fails=always)

    load.run_to_end()

    assert 1999 <= len(load.starts) <= 2001


def test_the_first_success_ends_the_pauses():
    def fails(_vu: int, iteration: int) -> bool:
        return iteration < 1064

    plan = scenario("constant-vus", vus=1, duration=4, graceful_stop=0)
    load = Load([plan], iteration=AT_ONCE, fails=fails)

    load.run_to_end()

    times = [start.at for start in load.starts]
    assert max(after - before for before, after in pairwise(times[1065:])) < 0.001
    assert len(times) > 1500


def test_each_vu_backs_off_by_itself():
    plan = scenario("constant-vus", vus=2, duration=4, graceful_stop=0)
    load = Load([plan], iteration=AT_ONCE, fails=lambda vu, _number: vu == 1)

    load.run_to_end()

    attempts = [start.vu for start in load.starts]
    assert attempts.count(1) < 1100
    assert attempts.count(2) > 4000


def test_the_end_of_the_plan_does_not_wait_for_a_pause():
    plan = scenario("constant-vus", vus=3, duration=4.3)
    load = Load([plan], iteration=AT_ONCE, fails=always)

    outcome = load.run_to_end()

    assert outcome.elapsed == pytest.approx(4.3, abs=0.01)


def test_one_line_tells_of_it():
    plan = scenario("constant-vus", "test_browse", vus=1, duration=4.5, graceful_stop=0)
    load = Load([plan], iteration=AT_ONCE, fails=always)

    load.run_to_end()

    (line,) = load.scheduler.warnings()
    assert line == (
        "test_browse: iterations failed at once, again and again, so VUs backed off 13 times, for"
        " 3.5 s in all, at most 1 s between two attempts"
    )


def test_there_is_no_such_line_where_iterations_succeed():
    load = Load([scenario("constant-vus", vus=1, duration=3)], iteration=AT_ONCE)

    load.run_to_end()

    assert list(load.scheduler.warnings()) == []
