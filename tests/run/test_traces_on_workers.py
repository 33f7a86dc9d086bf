"""The runs recorded of k6's executors, each again in virtual time, on two workers."""

import pytest
import trio

from pytest_k6api.vu import VU
from tests.run.in_loop_workers import load_test, run
from tests.scheduling.executors.test_executor_traces import (
    JITTER,
    RECORDED,
    expected_of,
    iteration_of,
    load_of,
)

# Where virtual users are scarce, an arrival of one worker cannot have a free one of the other.
SCARCE = {"car_insufficient", "car_unplanned", "car_preallocated0"}


@pytest.mark.parametrize("name", RECORDED)
def test_an_executor_on_workers_does_what_k6_did(name: str):
    recorded, dropped = expected_of(name)
    interrupted = RECORDED[name]["started"] - RECORDED[name]["finished"]
    began: list[float] = []

    async def iterate(vu: VU) -> None:
        began.append(trio.current_time())
        await vu.sleep(iteration_of(name))

    tested, _ = load_test(2, *((options, iterate) for options in load_of(name).scenarios))
    run(tested)

    (scenario,) = tested.results.scenarios
    assert scenario.iterations + scenario.interrupted == len(began)
    assert len(began) + scenario.dropped == len(recorded) + dropped
    if name not in SCARCE:
        starts = [1000 * (at - began[0]) for at in sorted(began)]
        assert starts == pytest.approx([at - recorded[0] for at in recorded], abs=JITTER)
        assert (scenario.interrupted, scenario.dropped) == (interrupted, dropped)
