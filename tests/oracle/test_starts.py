"""Four loads in real time, in k6 and here: the same iterations start, at the same moments.

That all executors do what was recorded of k6's is tested in virtual time
(tests/scheduling/executors/test_executor_traces.py); this holds the two real clocks together.
"""

import json
import statistics
from collections import defaultdict

import pytest

from tests.oracle.programs import run_k6, run_plugin

pytestmark = [pytest.mark.sockets, pytest.mark.k6_binary, pytest.mark.slow]

TYPICALLY = 30
AT_WORST = 250  # milliseconds; the machine may be busy
AT_THE_END = 1
"""Iterations of a load that fall due so near to its end that a busy machine may be late for them."""

LOADS = ["test_steady", "test_overloaded", "test_rising", "test_users"]


def by_load(starts):
    found = defaultdict(list)
    for name, offset in starts:
        found[name].append(offset)
    return {name: sorted(offsets) for name, offsets in found.items()}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rates")
    k6 = run_k6("rates", folder, {}, "--log-format=raw", log="stdout")
    file = folder / "starts.json"
    plugin = run_plugin("rates", folder, {"STARTS": str(file)})
    logged = [json.loads(line) for line in k6.printed.splitlines() if line.startswith("[")]
    return (k6, by_load(logged)), (plugin, by_load(json.loads(file.read_text())))


@pytest.mark.parametrize("load", LOADS)
def test_as_many_iterations_start(both, load):
    (_, k6), (_, plugin) = both

    assert plugin[load]
    assert abs(len(plugin[load]) - len(k6[load])) <= AT_THE_END


@pytest.mark.parametrize("load", LOADS)
def test_they_start_when_those_of_k6_do(both, load):
    (_, k6), (_, plugin) = both

    apart = [abs(ours - theirs) for ours, theirs in zip(plugin[load], k6[load], strict=False)]
    assert statistics.median(apart) < TYPICALLY
    assert max(apart) < AT_WORST


@pytest.mark.parametrize("metric", ["iterations", "dropped_iterations"])
def test_as_many_end_and_are_dropped(both, metric):
    (k6, _), (plugin, _) = both

    assert k6.count(metric) > 0
    assert abs(plugin.count(metric) - k6.count(metric)) <= AT_THE_END * len(LOADS)
