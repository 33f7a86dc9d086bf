"""The runs recorded of k6's executors, each again in virtual time.

Iterations take as long as in the recording and half a millisecond: in virtual
time one would otherwise end in the very moment in which another is due, and
which of the two comes first would be left to Trio, which shuffles. k6's own
ended some hundred microseconds late.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.scheduling.loads import Load, scenario

RECORDED = {
    row["name"]: row
    for row in map(
        json.loads,
        (Path(__file__).parents[2] / "data/k6/executor_traces.jsonl").read_text().splitlines(),
    )
}

# A start at the very end of the duration is a race in k6: of these recordings
# some have it and some do not. Here a constant rate never has it, a ramp always.
WITH_A_START_AT_THE_END = {"car_10ps_1s": 1.0, "car_insufficient": 2.0}
WITHOUT_ONE = {"rar_const10": 1.0}

# In milliseconds: how much later than planned k6's start was at the most, and
# what half a millisecond more for every iteration adds up to.
JITTER = 13

K6_NAMES = {
    "maxDuration": "max_duration",
    "gracefulStop": "graceful_stop",
    "gracefulRampDown": "graceful_ramp_down",
    "preAllocatedVUs": "pre_allocated_vus",
    "maxVUs": "max_vus",
    "startRate": "start_rate",
    "startVUs": "start_vus",
}


def load_of(name: str) -> Load:
    row = RECORDED[name]
    options = {K6_NAMES.get(key, key): value for key, value in row["options"].items()}
    if name == "miniterdur":
        options["min_iteration_duration"] = 0.5005
    return Load([scenario(row["executor"], **options)], iteration=iteration_of(name))


def iteration_of(name: str) -> float:
    return float(RECORDED[name]["iteration_s"]) + 0.0005


def test_all_recorded_rows_are_there() -> None:
    assert len(RECORDED) == 15


def expected_of(name: str) -> tuple[list[float], int]:
    """Return the starts in milliseconds, and how many iterations are dropped."""
    row = RECORDED[name]
    recorded = [offset for offset, _, _ in row["start_offsets_ms"]]
    dropped = row["dropped_iterations"]
    if name == "car_insufficient":
        return recorded, dropped - 1  # of the race, see above
    if name in WITH_A_START_AT_THE_END:
        return recorded[:-1], dropped
    if name in WITHOUT_ONE:
        return [*recorded, 1000 * WITHOUT_ONE[name]], dropped
    return recorded, dropped


@pytest.mark.parametrize("name", RECORDED)
def test_an_executor_does_what_k6_did(name: str) -> None:
    row = RECORDED[name]
    load = load_of(name)
    recorded, dropped = expected_of(name)
    started = len(recorded)

    load.run_to_end()

    (status,) = load.scheduler.scenarios()
    assert len(load.starts) == started
    assert sum(load.dropped_samples) == status.dropped == dropped
    assert status.interrupted == load.cut == row["started"] - row["finished"]
    assert status.iterations == started - status.interrupted
    if name != "car_insufficient":  # there k6 and its lateness decide who is free
        assert [start.at * 1000 for start in load.starts] == pytest.approx(recorded, abs=JITTER)


def test_vus_are_asked_in_turn_as_k6_does() -> None:
    load = load_of("car_10ps_1s")

    load.run_to_end()

    first = [start.vu for start in load.starts[:3]]
    assert sorted(first) == [1, 2, 3]
    assert [start.vu for start in load.starts] == [*first * 3, first[0]]


@pytest.mark.parametrize("name", RECORDED)
def test_a_run_takes_as_long_as_k6s(name: str) -> None:
    load = load_of(name)

    load.run_to_end()

    # k6 needed some 70 ms to start.
    assert load.scheduler.clock.elapsed == pytest.approx(RECORDED[name]["wall_s"] - 0.07, abs=0.03)


SCRIPT = """
import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
const started = new Counter('started_iterations');
const options_of_it = JSON.parse(__ENV.OPTIONS);
export const options = { scenarios: { it: options_of_it } };
export default function () { started.add(1); sleep(parseFloat(__ENV.ITERATION)); }
"""


@pytest.mark.k6_binary
@pytest.mark.slow
@pytest.mark.parametrize("name", ["pervu_2x3", "shared_maxduration_gs0", "rvus_0_4_2s_long"])
def test_in_real_time_beside_k6_the_same_happens(name: str, tmp_path: Path) -> None:
    row = RECORDED[name]
    script, exported = tmp_path / "script.js", tmp_path / "summary.json"
    script.write_text(SCRIPT)
    options = {"executor": row["executor"], **row["options"]}
    command = [str(Path(sys.executable).with_name("k6")), "run", "--quiet", "--address", ""]
    environment = {"OPTIONS": json.dumps(options), "ITERATION": str(row["iteration_s"])}
    k6 = subprocess.Popen(
        [*command, "--summary-export", str(exported), str(script)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    load = load_of(name)
    trio.run(load.run)
    assert k6.wait(timeout=30) == 0

    k6s = json.loads(exported.read_text())["metrics"]
    assert len(load.starts) == k6s["started_iterations"]["count"]
    assert load.finished == k6s.get("iterations", {"count": 0})["count"]
    dropped = k6s.get("dropped_iterations", {"count": 0})["count"]
    assert sum(load.dropped_samples) == dropped
