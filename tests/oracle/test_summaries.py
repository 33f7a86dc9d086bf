"""The same script in JavaScript and in Python: both summaries say the same."""

import pytest

from tests.oracle.programs import run_k6, run_plugin

pytestmark = [pytest.mark.sockets, pytest.mark.k6_binary]

LOADS = [("per-vu-iterations", 2, 5), ("shared-iterations", 1, 5)]


def shop(url, executor, vus, iterations):
    told = {"BASE_URL": url, "K6_BASE_URL": url, "EXECUTOR": executor}
    return {**told, "VUS": str(vus), "ITERATIONS": str(iterations)}


@pytest.fixture(scope="module", params=LOADS, ids=lambda load: load[0])
def both(request, nginx, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    told = shop(nginx, *request.param)
    return run_k6("shop", folder, told), run_plugin("shop", folder, told)


def test_they_measure_the_same_metrics(both):
    k6, plugin = both

    only_ours = set(plugin.summary["metrics"]) - set(k6.summary["metrics"])
    # Lateness is sampled every 50 ms, which such a short load test may take or not.
    assert only_ours - {"generator_lateness"} == {"iteration_failures"}
    assert set(k6.summary["metrics"]) <= set(plugin.summary["metrics"])


def test_they_write_the_same_members(both):
    k6, plugin = both

    members = {name: set(metric) for name, metric in plugin.summary["metrics"].items()}

    assert {name: members[name] for name in k6.summary["metrics"]} == {
        name: set(metric) for name, metric in k6.summary["metrics"].items()
    }


@pytest.mark.parametrize("name", ["http_reqs", "iterations", "orders", "data_received"])
def test_counters_are_equal(both, name):
    k6, plugin = both

    assert plugin.count(name) == k6.count(name) > 0


@pytest.mark.parametrize("name", ["http_req_failed", "checks", "lucky", "stock", "queued"])
def test_rates_gauges_and_trends_of_known_values_are_equal(both, name):
    k6, plugin = both

    assert plugin.metric(name) == pytest.approx(k6.metric(name))


def test_groups_and_checks_have_the_same_tree_ids_and_counts(both):
    k6, plugin = both

    assert plugin.summary["root_group"] == k6.summary["root_group"]


def test_the_setup_data_is_the_same(both):
    k6, plugin = both

    assert plugin.summary["setup_data"] == k6.summary["setup_data"] == {"discount": 10}


def test_only_the_header_referer_makes_the_difference_in_what_is_sent(both, nginx):
    k6, plugin = both

    # Go's client names the page that redirected it. Browsers' privacy rules and httpx do not.
    referer = len(f"Referer: {nginx}/moved\r\n")
    redirects = k6.count("iterations") - plugin.metric("iteration_failures")["passes"]
    assert k6.count("data_sent") - plugin.count("data_sent") == referer * redirects


def test_iterations_that_throw_count_in_both_and_fail_only_a_test(both):
    k6, plugin = both

    assert k6.exit_code == 0
    assert plugin.exit_code == 1
    assert plugin.metric("iteration_failures")["passes"] == plugin.count("iterations") / 5
    assert "RuntimeError: the third time breaks" in plugin.printed
