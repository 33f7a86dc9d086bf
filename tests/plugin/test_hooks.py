"""Hooks of other plugins, implemented by conftest files of made suites."""

import pytest

from tests.plugin.conftest import RunPytest, Service

SCENARIO = """
    import pytest

    @pytest.mark.scenario(
        executor="per-vu-iterations", vus=2, iterations=3, thresholds={"http_reqs": ["count<1"]}
    )
    async def test_browse(vu):
        with vu.group("cart"):
            await vu.http.get("/", name="home")
"""
PASSING = SCENARIO.replace("count<1", "count>1")


def test_a_plugin_changes_a_scenario_before_it_is_planned(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makeconftest("""
        import dataclasses

        def pytest_k6_configure_scenario(item, options):
            assert item.name == options.name == "test_browse"
            return dataclasses.replace(options, vus=4, tags={"commit": "c0ffee"})
    """)
    pytester.makepyfile(
        PASSING
        + """
    def test_ask(k6):
        assert k6.metrics["http_reqs{commit:c0ffee}"].count == 12
    """
    )

    run_pytest().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "return dataclasses.replace(options, vus=0)",
            "test_browse, by pytest_k6_configure_scenario: per-vu-iterations: the number of VUs"
            " must be more than 0",
        ),
        (
            "return {'vus': 3}",
            "test_browse: pytest_k6_configure_scenario returns ScenarioOptions of the same name,"
            " made by dataclasses.replace(options, ...), or None; got {'vus': 3}",
        ),
        (
            "raise ValueError('no commit')",
            "the plugin conftest.py failed in pytest_k6_configure_scenario: ValueError: no commit",
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, body: str, problem: str
) -> None:
    pytester.makeconftest(f"""
        import dataclasses

        def pytest_k6_configure_scenario(item, options):
            {body}
    """)
    pytester.makepyfile(PASSING)

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"k6: cannot run *test_browse: {problem}".replace("[", "[[]")])


def test_every_sample_is_observed_once_with_its_tags_in_its_unit(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makeconftest("""
        from collections import defaultdict
        import pytest

        SEEN = defaultdict(list)
        TAGS = {}

        def pytest_k6_samples(load_test, batch):
            assert load_test.name.endswith("::test_browse")
            assert load_test.scenarios[0].vus == 2
            assert batch.series and batch.elapsed >= 0 and batch.at > 0
            for series in batch.series:
                SEEN[series.metric] += series.values
                TAGS[series.metric] = series.tags

        @pytest.fixture
        def seen():
            return SEEN, TAGS
    """)
    pytester.makepyfile(
        PASSING
        + """
    def test_ask(k6, seen):
        values, tags = seen
        assert values["http_reqs"] == [1.0] * 6
        assert values["http_req_failed"] == [0.0] * 6
        assert tags["http_req_duration"]["group"] == "::cart"
        assert tags["http_req_duration"]["name"] == "home"
        assert max(values["http_req_duration"]) == k6.metrics["http_req_duration"].max
        assert sum(values["data_received"]) == k6.metrics["data_received"].count
        assert len(values["group_duration"]) == len(values["iteration_duration"]) == 6
    """
    )

    run_pytest().assert_outcomes(passed=2)


def test_a_crossed_threshold_is_told_with_what_it_was_judged_by(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makeconftest("""
        def pytest_k6_threshold_crossed(load_test, threshold):
            print("CROSSED", load_test.name, threshold.metric, threshold.text, threshold.observed)
    """)
    pytester.makepyfile(SCENARIO)

    result = run_pytest("-s")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    crossed = [line for line in result.outlines if "CROSSED" in line]
    assert len(crossed) == 1
    assert crossed[0].endswith("::test_browse http_reqs count<1 6")


def test_lines_of_plugins_stand_below_the_summary_in_the_order_of_plugins(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makeconftest("""
        class Second:
            def pytest_k6_summary(self, load_test, results):
                return None

        def pytest_configure(config):
            config.pluginmanager.register(Second())

        def pytest_k6_summary(load_test, results):
            return [f"cost: {results.metrics['http_reqs'].count * 0.5:.2f} EUR"]

        def pytest_k6_load_test_finished(load_test, results):
            print("FINISHED", load_test.name == results.name, results.outcome)
    """)
    pytester.makepyfile(PASSING)

    result = run_pytest("-s")

    result.stdout.fnmatch_lines(["*FINISHED True passed", "*= load tests =*", "  cost: 3.00 EUR"])


@pytest.mark.parametrize(
    "hook",
    [
        "pytest_k6_samples(load_test)",
        "pytest_k6_threshold_crossed(threshold)",
        "pytest_k6_summary(results)",
        "pytest_k6_load_test_finished(results)",
        "pytest_k6_add_outputs(load_test)",
    ],
)
@pytest.mark.parametrize("error", ["ValueError", "pytest.fail.Exception"])
def test_a_hook_that_raises_fails_the_load_test_by_name_and_loses_nothing(
    pytester: pytest.Pytester, run_pytest: RunPytest, hook: str, error: str
) -> None:
    pytester.makeconftest(f"""
        import pytest

        def {hook}:
            raise {error}("disk full")
    """)
    pytester.makepyfile(
        SCENARIO
        + """
    def test_ask(k6):
        assert k6.metrics["http_reqs"].count == 6
    """
    )

    result = run_pytest()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["passed"] == 1
    kind = "ValueError" if error == "ValueError" else "Failed"
    name = hook.partition("(")[0]
    found = [line for line in result.outlines if f"conftest.py failed in {name}" in line]
    assert [line.partition("the plugin ")[2] for line in found] == [
        f"conftest.py failed in {name}: {kind}: disk full"
    ]


def test_a_misspelt_argument_is_refused_by_the_specification(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makeconftest("def pytest_k6_samples(loadtest): ...")
    pytester.makepyfile(PASSING)

    result = run_pytest()

    assert result.ret != 0
    assert "loadtest" in str(result.stdout) + str(result.stderr)


@pytest.mark.parametrize(
    "hook",
    [
        "pytest_k6_samples(load_test)",
        "pytest_k6_summary(results)",
        "pytest_k6_load_test_finished(results)",
    ],
)
def test_heading_and_results_agree_that_a_hook_failed_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, hook: str
) -> None:
    pytester.makeconftest(f"""
        def {hook}:
            raise ValueError("disk full")
    """)
    pytester.makepyfile(
        PASSING
        + """
    def test_ask(k6):
        assert k6.tests["test_browse"].outcome == "failed"
    """
    )

    result = run_pytest()

    result.assert_outcomes(passed=1, failed=1)
    name = hook.partition("(")[0]
    result.stdout.fnmatch_lines(
        [
            f"load test failed: the plugin conftest.py failed in {name}: ValueError: disk full",
            "*::test_browse: failed, *",
        ]
    )


LEAVING = SCENARIO.replace("vus=2, iterations=3", "iterations=1_000_000")


@pytest.mark.parametrize(
    "hook",
    [
        "pytest_k6_samples(load_test)",
        "pytest_k6_threshold_crossed(threshold)",
        "pytest_k6_summary(results)",
        "pytest_k6_load_test_finished(results)",
    ],
)
def test_pytest_exit_in_a_hook_ends_the_session_with_the_results_shown(
    pytester: pytest.Pytester, run_pytest: RunPytest, hook: str
) -> None:
    pytester.makeconftest(f"""
        import pytest

        def {hook}:
            pytest.exit("seen enough")
    """)
    is_called_early = "samples" in hook
    pytester.makepyfile(
        (LEAVING if is_called_early else SCENARIO)
        + """
    def test_never(): print("NEVER")
    """
    )

    result = run_pytest("-s", no_reraise_ctrlc=True)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line("*NEVER*")
    outcome = "interrupted" if is_called_early else "failed"
    result.stdout.fnmatch_lines(
        [f"*::test_browse: {outcome}, *", "*http_reqs*", "!* _pytest.outcomes.Exit: seen enough !*"]
    )


@pytest.mark.parametrize(
    "hook", ["pytest_k6_configure_scenario(options)", "pytest_k6_add_outputs(load_test)"]
)
def test_pytest_exit_before_the_load_ends_the_session_without_any(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service, hook: str
) -> None:
    pytester.makeconftest(f"""
        import pytest

        def {hook}:
            pytest.exit("not today", returncode=7)
    """)
    pytester.makepyfile(PASSING)

    result = run_pytest()

    assert result.ret == 7
    assert service.paths == []
