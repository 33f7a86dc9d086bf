"""Hooks for other plugins and conftest files; a hook without implementation costs nothing.

Arguments are immutable and public. Hooks run in pytest's main thread; during the load
they hold up the virtual users, so code that may block (a file on a network, a request)
belongs into a thread of the plugin.

A hook that raises fails its load test, and the failure names the plugin; results are
kept. One that calls ``pytest.exit()`` stops the load test and ends the session.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_k6api.metrics import SampleBatch, ThresholdSnapshot
    from pytest_k6api.model import LoadTestInfo, ScenarioOptions
    from pytest_k6api.outputs import Output
    from pytest_k6api.plugin.runtime.results import LoadTestResults


@pytest.hookspec(firstresult=True)
def pytest_k6_configure_scenario(
    item: pytest.Item, options: "ScenarioOptions"
) -> "ScenarioOptions | None":
    """Change the options of a scenario.

    Called once for each scenario when collection has ended, after the marker, the ini
    file, the environment and the command line were read; the returned options are
    checked like those. The first implementation that returns options decides. With
    ``--k6-smoke`` `options` are one virtual user's one iteration.

    Args:
        item: The load test; a class of scenarios is one item.
        options: The scenario's options, complete; durations are seconds. Make others
            with `dataclasses.replace`; the name must stay.

    Returns:
        The options to use instead; None to change nothing.

    Example::

        def pytest_k6_configure_scenario(item, options):
            return dataclasses.replace(options, tags={**options.tags, "commit": COMMIT})
    """


@pytest.hookspec
def pytest_k6_samples(load_test: "LoadTestInfo", batch: "SampleBatch") -> None:
    """Observe samples, in batches, while the load test runs.

    Called about 20 times a second, less often without samples or when the loop is
    busy, and a last time after the end. Every sample is in one batch, as a number in
    the metric's unit, sorted by metric and tags. To send samples elsewhere, add an
    output: see `pytest_k6_add_outputs`. After an error the hook is not called again in
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
def pytest_k6_add_outputs(load_test: "LoadTestInfo") -> "Iterable[Output] | None":
    """Send samples elsewhere: to a file, a database, a monitoring service.

    Called once for each load test, before it starts. Each output is started then,
    receives every sample in batches, and is stopped at the end, also after Ctrl-C and
    when the load test was aborted. An output that fails gets no more samples, and is
    stopped if it was started. The last one added is stopped first.

    Args:
        load_test: The load test.

    Returns:
        Outputs, made anew for this load test; None to add none.

    Example::

        def pytest_k6_add_outputs(load_test):
            return [StatsdOutput("127.0.0.1:8125", tags={"load_test": load_test.name})]
    """


@pytest.hookspec
def pytest_k6_threshold_crossed(load_test: "LoadTestInfo", threshold: "ThresholdSnapshot") -> None:
    """React to a threshold that was crossed.

    Called when an evaluation, every two seconds and at the end, finds the threshold
    crossed and the evaluation before did not; more than once if it recovers in between.

    Args:
        load_test: The load test.
        threshold: The threshold, with the observed number.

    Example::

        def pytest_k6_threshold_crossed(load_test, threshold):
            profiler.dump(f"{threshold.metric} {threshold.text}: {threshold.observed}")
    """


@pytest.hookspec
def pytest_k6_summary(load_test: "LoadTestInfo", results: "LoadTestResults") -> list[str] | None:
    """Add lines to the summary of a load test.

    Called at its end; the lines of all plugins are printed below the summary.

    Args:
        load_test: The load test.
        results: Its results, as the fixture ``k6`` returns them.

    Returns:
        Lines of text; None to add nothing.

    Example::

        def pytest_k6_summary(load_test, results):
            return [f"cost: {results.metrics['http_reqs'].count * PRICE:.2f} EUR"]
    """


@pytest.hookspec
def pytest_k6_load_test_finished(load_test: "LoadTestInfo", results: "LoadTestResults") -> None:
    """React to the end of a load test, whether it passed, failed or was interrupted.

    Called last, before pytest reports the test.

    Args:
        load_test: The load test.
        results: Its results, as the fixture ``k6`` returns them.

    Example::

        def pytest_k6_load_test_finished(load_test, results):
            database.save(load_test.name, results.outcome, results.metrics["http_reqs"].rate)
    """
