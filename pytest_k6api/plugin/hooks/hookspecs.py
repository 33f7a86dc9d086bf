"""Hooks that other plugins and conftest files can implement; each costs nothing while nobody does.

What they are given is immutable and public. They run in pytest's main thread; those
that are called while load is made hold up the virtual users for as long as they take,
so what may block (a file on a network, a request) belongs into a thread of the plugin's own.

A hook that raises fails its load test, and the failure names the plugin; what
was measured is kept all the same. One that calls ``pytest.exit()`` stops the load test
and ends the session.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_k6api.metrics import SampleBatch, ThresholdSnapshot
    from pytest_k6api.model import ScenarioOptions
    from pytest_k6api.outputs import Output
    from pytest_k6api.plugin.runtime.results import LoadTestResults


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestInfo:
    """A load test, as hooks of other plugins see it.

    Attributes:
        name: The pytest node id.
        scenarios: The plan of each of its scenarios; durations are seconds.
        base_url: What relative URLs are joined to; empty for nothing.
        address: Where the control API listens; empty if it is off.
    """

    name: str
    scenarios: "tuple[ScenarioOptions, ...]"
    base_url: str = ""
    address: str = ""


@pytest.hookspec(firstresult=True)
def pytest_k6_configure_scenario(
    item: pytest.Item, options: "ScenarioOptions"
) -> "ScenarioOptions | None":
    """Change the plan of a scenario.

    Called once for each scenario when collection has ended, after the marker, the ini
    file, the environment and the command line were read; what is returned is checked
    like what they say. The first that returns something decides. With ``--k6-smoke``
    `options` are one virtual user's one iteration.

    Args:
        item: The load test; a class of scenarios is one item.
        options: The scenario's plan, complete; durations are seconds. Take
            `dataclasses.replace` to make another one of it; its name stays.

    Returns:
        The plan to use instead; None to leave it as it is.

    Example::

        def pytest_k6_configure_scenario(item, options):
            return dataclasses.replace(options, tags={**options.tags, "commit": COMMIT})
    """


@pytest.hookspec
def pytest_k6_samples(load_test: LoadTestInfo, batch: "SampleBatch") -> None:
    """Observe what was measured, in batches, while the load test runs.

    Called about 20 times a second, less often when nothing was measured or the loop is
    busy, and a last time after its end. Every sample is in one batch, as a number in
    the metric's unit, sorted by metric and tags. What sends them elsewhere is better an
    output: see `pytest_k6_add_outputs`. After an error the plugins are not asked again in
    this load test.

    Args:
        load_test: The load test.
        batch: The samples since the last batch; never empty.

    Example::

        def pytest_k6_samples(load_test, batch):
            for series in batch.series:
                statsd.send(series.metric, series.tags, series.values)
    """


@pytest.hookspec
def pytest_k6_add_outputs(load_test: LoadTestInfo) -> "Iterable[Output] | None":
    """Send what is measured elsewhere: to a file, a database, a monitoring service.

    Called once for each load test, before it starts. Each output is started then, is
    given every sample in batches, and is stopped when all is measured: also after
    Ctrl-C, and when the load test broke off. One that fails gets no more samples, but is
    stopped if it was started. The last added is stopped first.

    Args:
        load_test: The load test.

    Returns:
        Outputs, made anew for this load test; None to add none.

    Example::

        def pytest_k6_add_outputs(load_test):
            return [StatsdOutput("127.0.0.1:8125", tags={"load_test": load_test.name})]
    """


@pytest.hookspec
def pytest_k6_threshold_crossed(load_test: LoadTestInfo, threshold: "ThresholdSnapshot") -> None:
    """React to a threshold that does not hold any more, or never did.

    Called when an evaluation, every two seconds and at the end, finds it crossed and
    the one before did not; so more than once if it recovers in between.

    Args:
        load_test: The load test.
        threshold: The threshold, with the number by which it was judged.

    Example::

        def pytest_k6_threshold_crossed(load_test, threshold):
            profiler.dump(f"{threshold.metric} {threshold.text}: {threshold.observed}")
    """


@pytest.hookspec
def pytest_k6_summary(load_test: LoadTestInfo, results: "LoadTestResults") -> list[str] | None:
    """Add lines to the summary of a load test.

    Called when it is over; the lines of all plugins stand below its own.

    Args:
        load_test: The load test.
        results: What it measured, as the fixture ``k6`` gives it.

    Returns:
        Lines of text; None to add nothing.

    Example::

        def pytest_k6_summary(load_test, results):
            return [f"cost: {results.metrics['http_reqs'].count * PRICE:.2f} EUR"]
    """


@pytest.hookspec
def pytest_k6_load_test_finished(load_test: LoadTestInfo, results: "LoadTestResults") -> None:
    """React to the end of a load test, whether it passed, failed or was interrupted.

    Called last, before pytest reports the test.

    Args:
        load_test: The load test.
        results: What it measured, as the fixture ``k6`` gives it.

    Example::

        def pytest_k6_load_test_finished(load_test, results):
            database.save(load_test.name, results.outcome, results.metrics["http_reqs"].rate)
    """
