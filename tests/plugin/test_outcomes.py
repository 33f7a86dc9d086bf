"""What passes, what fails, and what a failed load test tells."""

import pytest

from tests.plugin.conftest import RunPytest, Service


def run(pytester: pytest.Pytester, run_pytest: RunPytest, source: str, *arguments: str):
    lines = ["import pytest", *(line.removeprefix(" " * 8) for line in source.splitlines())]
    pytester.makepyfile(test_load="\n".join(lines))
    return run_pytest(*arguments)


def test_a_crossed_threshold_fails_and_one_that_held_passes(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(vus=2, thresholds={"http_reqs": ["count>1", "count>2"]})
        async def test_browse(vu):
            await vu.http.get("/")
        """,
        "-v",
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "load test failed: the threshold http_reqs: count>2 was crossed: count=2",
            "      ✓ count>1  count=2",
            "      ✗ count>2  count=2",
        ]
    )


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest 9 brought subtests")
def test_thresholds_are_subtests(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(thresholds={"http_reqs": ["count==1", "count>2"]})
        async def test_browse(vu):
            await vu.http.get("/")
        """,
        "-v",
    )

    result.stdout.fnmatch_lines(
        [
            "*::test_browse SUBPASSED[[]http_reqs: count==1[]]*",
            "*::test_browse SUBFAILED[[]http_reqs: count>2[]]*",
            "*::test_browse FAILED*",
            "crossed: count=1",
        ]
    )


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest 9 brought subtests")
def test_the_scenarios_of_a_class_are_subtests(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.load_test
        class TestPeakHour:
            @pytest.mark.scenario
            async def test_browse(self, vu):
                pass

            @pytest.mark.scenario
            async def test_buy(self, vu):
                raise RuntimeError("sold out")
        """,
        "-v",
    )

    result.stdout.fnmatch_lines(
        [
            "*::TestPeakHour SUBPASSED[[]scenario test_browse[]]*",
            "*::TestPeakHour SUBFAILED[[]scenario test_buy[]]*",
            "1x iteration: RuntimeError: sold out",
        ]
    )


def test_before_pytest_9_one_failure_tells_all(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(pytest, "Subtests", raising=False)

    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(thresholds={"http_reqs": ["count>1", "count>2"]})
        async def test_browse(vu):
            await vu.http.get("/")
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: the threshold http_reqs: count>1 was crossed: count=1 (and 1 more)",
            "  ✗ the threshold http_reqs: count>2 was crossed: count=1",
        ]
    )
    result.stdout.no_fnmatch_line("*SUBFAILED*")


def test_subtests_that_are_switched_off_are_not_missed(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(thresholds={"http_reqs": ["count>1"]})
        async def test_browse(vu):
            await vu.http.get("/")
        """,
        "-p",
        "no:subtests",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["load test failed: the threshold http_reqs: count>1 was crossed: count=1"]
    )


def test_a_threshold_that_never_got_a_sample_fails_and_says_so(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(thresholds={"http_req_duration{name:login}": ["p(95)<200"]})
        async def test_browse(vu):
            await vu.http.get("/", name="home")
        """,
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "load test failed: the threshold http_req_duration{name:login}: p(95)<200 was crossed;"
            " its metric had no samples; values seen of name: home",
            "      ✗ p(95)<200  had no samples; values seen of name: home",
        ]
    )


def test_thresholds_can_be_switched_off(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(thresholds={"http_reqs": ["count>2"]})
        async def test_browse(vu):
            await vu.http.get("/")
        """,
        "--k6-no-thresholds",
    )

    result.assert_outcomes(passed=1)


def test_a_threshold_on_a_metric_of_the_users_own(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        """
        from pytest_k6api import Trend

        queue_time = Trend("queue_time")

        @pytest.mark.scenario(thresholds={"queue_time": ["max<10", "p(50)>20"]})
        async def test_browse(vu):
            queue_time.add(12.5)
        """,
    )

    result.stdout.fnmatch_lines(["      ✗ max<10    max=12.5", "      ✗ p(50)>20  p(50)=12.5"])


def test_abort_on_fail_ends_the_load_test_at_once(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(
            duration="1h",
            thresholds={"iterations": [{"threshold": "count<1", "abort_on_fail": True}]},
        )
        async def test_browse(vu):
            await vu.sleep(0.05)
        """,
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "load test interrupted: stopped early: abort_on_fail: the threshold iterations: count<1"
            " was crossed (and 1 more)",
            "  ✗ the threshold iterations: count<1 was crossed: count=*",
        ]
    )
    assert result.duration < 10


def test_a_failed_check_fails_the_load_test(pytester: pytest.Pytester, run_pytest: RunPytest):
    source = """
        @pytest.mark.scenario(iterations=4)
        async def test_browse(vu):
            with vu.group("visit"):
                vu.check(vu.iteration, {"is early": lambda number: number < 3})
        """

    result = run(pytester, run_pytest, source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 1 of 4 checks failed",
            "1x check failed (25.00% of iterations): is early",
            "  CHECKS  3 of 4 succeeded (75.00%)",
            "    visit",
            "      ✗ is early",
            "        ↳ 75.00% — ✓ 3 / ✗ 1",
        ]
    )

    result = run(pytester, run_pytest, source, "--k6-checks=record")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["  CHECKS  3 of 4 succeeded (75.00%)"])


def test_a_threshold_on_checks_replaces_zero_tolerance_for_them(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(iterations=4, thresholds={"checks": ["rate>0.7"]})
        async def test_browse(vu):
            vu.check(vu.iteration, {"is early": lambda number: number < 3})

        @pytest.mark.scenario(iterations=4, thresholds={"iteration_failures": ["rate<0.3"]})
        async def test_buy(vu):
            assert vu.iteration < 3
        """,
    )

    result.assert_outcomes(passed=2)


def test_failures_inside_vus_are_grouped_and_introspected(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(vus=2, iterations=8)
        async def test_browse(vu):
            response = await vu.http.get("/status/503")
            expected = {"status": 200}
            assert {"status": response.status_code} == expected
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 8 of 8 iterations raised an exception (and 1 more)",
            f"  ✗ 8 of 8 requests failed: 8x 503 GET {service.url}/status/503",
            "8x iteration failed (100.00% of iterations): AssertionError: *",
            "    test_browse, test_load.py:7; first at *s, last at *s",
            "    test_load.py:7: in test_browse",
            '        assert {"status": response.status_code} == expected',
            "    E   AssertionError: assert {'status': 503} == {'status': 200}",
            "    E     Differing items:",
            "    E     {'status': 503} != {'status': 200}",
            "    VU *, iteration 0, at *s",
            f"      > GET {service.url}/status/503",
            "      < 503 Said So after *ms *",
            "        Welcome",
            "to see one alone: pytest --k6-smoke 'test_load.py::test_browse'",
        ]
    )
    shown = [line for line in result.outlines if "8x iteration failed" in line]
    assert len(shown) == 1


def test_no_more_than_a_few_kinds_of_failures_are_shown(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(iterations=7)
        async def test_browse(vu):
            raise [KeyError, IndexError, ValueError, OSError, EOFError, TypeError, LookupError][
                vu.iteration
            ]("no")
        """,
    )

    result.stdout.fnmatch_lines(["… and 3 more kinds of failures"])


def test_pytest_fail_in_a_vu_is_a_failed_iteration(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(iterations=2)
        async def test_browse(vu):
            if vu.iteration:
                pytest.fail("not this time")
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["load test failed: 1 of 2 iterations raised an exception", "*Failed: not this time"]
    )


def test_pytest_skip_in_a_vu_ends_its_iteration(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(iterations=4, thresholds={"iterations": ["count==4"]})
        async def test_browse(vu):
            if vu.iteration % 2:
                pytest.skip("only every other time")
            await vu.http.get("/")
        """,
    )

    result.assert_outcomes(passed=1)
    assert len(service.paths) == 2
    result.stdout.fnmatch_lines(["*iterations_skipped*: 2 *"])


def test_pytest_exit_in_a_vu_ends_the_session_and_shows_what_was_measured(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(vus=2, duration="1h")
        async def test_browse(vu):
            await vu.http.get("/")
            if vu.iteration:
                pytest.exit("seen enough")

        def test_never(): ...
        """,
    )

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert result.duration < 10
    result.stdout.fnmatch_lines(["test_load.py::test_browse: interrupted, *", "*seen enough*"])


@pytest.mark.parametrize("stage", ["setup", "teardown"])
def test_pytest_exit_in_setup_or_teardown_ends_the_session(
    pytester: pytest.Pytester, run_pytest: RunPytest, stage: str
):
    result = run(
        pytester,
        run_pytest,
        f"""
        def leave():
            pytest.exit("seen enough", returncode=7)

        @pytest.mark.scenario({stage}=leave)
        async def test_browse(vu): ...
        """,
    )

    assert result.ret == 7
    result.stdout.fnmatch_lines(["*seen enough*"])


def test_a_scenario_is_skipped_as_any_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.skip(reason="not today")
        @pytest.mark.scenario
        async def test_marked(vu):
            await vu.http.get("/")

        @pytest.fixture
        def closed():
            pytest.skip("closed")

        @pytest.mark.scenario
        async def test_by_a_fixture(vu, closed):
            await vu.http.get("/")

        def seed():
            pytest.skip("nothing to sell")

        @pytest.mark.scenario(setup=seed, thresholds={"http_reqs": ["count>0"]})
        async def test_by_setup(vu):
            await vu.http.get("/")
        """,
        "-rs",
    )

    result.assert_outcomes(skipped=3)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*not today", "*closed", "*nothing to sell"], consecutive=False)
    result.stdout.no_fnmatch_line("*load tests*")
    assert service.paths == []


def test_an_expected_failure_is_one(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.xfail(reason="too slow yet")
        @pytest.mark.scenario(thresholds={"http_req_duration": ["max<0"]})
        async def test_slow(vu):
            await vu.http.get("/")

        @pytest.mark.xfail(strict=True)
        @pytest.mark.scenario
        async def test_quick(vu): ...
        """,
    )

    result.assert_outcomes(xfailed=1, failed=1)
    result.stdout.fnmatch_lines(["*XPASS(strict)*", "test_load.py::test_slow: failed, *"])


def test_exitfirst_ends_the_session_after_a_failed_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(thresholds={"http_reqs": ["count>9", "count>8"]})
        async def test_first(vu):
            await vu.http.get("/first")

        @pytest.mark.scenario
        async def test_second(vu):
            await vu.http.get("/second")
        """,
        "-x",
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*load test failed: the threshold http_reqs: count>9 *(and 1 more)"]
    )
    assert service.paths == ["/first"]


def test_a_setup_that_fails_keeps_the_load_from_starting(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run(
        pytester,
        run_pytest,
        """
        def seed():
            raise RuntimeError("no database")

        @pytest.mark.scenario(setup=seed)
        async def test_browse(vu):
            await vu.http.get("/")
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: setup failed: Error executing setup: RuntimeError: no database"
            " (test_load.py:4)",
            "1x setup failed: RuntimeError: no database",
        ]
    )
    assert service.paths == []


def test_setup_data_that_is_no_json_fails_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        def prepare():
            return {1, 2}

        @pytest.mark.scenario(setup=prepare)
        async def test_browse(vu, setup_data): ...
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: *error marshaling setup() data to JSON:*",
            "1x setup failed: TypeError: error marshaling setup() data to JSON: Object of type set is"
            " not JSON serializable; prepare may return dictionaries, lists, texts, finite numbers,"
            " booleans and None",
            "    first at * s, last at * s",
        ]
    )


def test_a_teardown_that_fails_fails_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        async def clear():
            raise RuntimeError("no database")

        @pytest.mark.scenario(teardown=clear)
        async def test_browse(vu): ...
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["load test failed: teardown failed: *RuntimeError: no database*"])


def test_a_vu_that_has_seen_enough_ends_the_load_test_which_passes(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(vus=2, duration="1h")
        async def test_browse(vu):
            await vu.sleep(0.01)
            if vu.iteration == 2:
                vu.stop("the queue is empty")
        """,
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*::test_browse: passed, *, ended by vu.stop(): the queue is empty"]
    )
    assert result.duration < 10


def test_a_service_that_is_down_is_told_by_its_failed_requests(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(iterations=2)
        async def test_browse(vu):
            response = await vu.http.get("http://127.0.0.1:1/")
            assert response.status_code == 0
            assert response.error
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 2 of 2 requests failed: 2x connection refused (1212)"
            " GET http://127.0.0.1:1/",
            "*http_req_failed*: 100.00%  2 out of 2",
        ]
    )


def test_smoke_runs_every_scenario_once(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario(vus=50, duration="1h")
        async def test_browse(vu):
            await vu.http.get("/browse")

        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario(rate=100, duration="1h", pre_allocated_vus=9)
            async def test_a(self, vu):
                await vu.http.get("/a")

            @pytest.mark.scenario(stages=[("1h", 99)], start_time="30m")
            async def test_b(self, vu):
                await vu.http.get("/b")
        """,
        "--k6-smoke",
    )

    result.assert_outcomes(passed=2)
    assert sorted(service.paths) == ["/a", "/b", "/browse"]


def test_capture_works_inside_of_vus(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario
        async def test_browse(vu, capsys):
            print("from a VU")

        @pytest.mark.scenario
        async def test_fails(vu):
            print("before the failure")
            assert False
        """,
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*Captured stdout call*", "[[]test_fails vu 1[]] before the failure"]
    )
    result.stdout.no_fnmatch_line("*from a VU")


def test_in_ci_the_short_summary_does_not_repeat_the_report(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("CI", "true")

    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario
        async def test_browse(vu):
            assert 1 == 2
        """,
    )

    assert result.outlines.count("load test failed: 1 of 1 iterations raised an exception") == 1
    assert result.outlines[-2] == (
        "FAILED test_load.py::test_browse - Failed: load test failed: 1 of 1 iterations raised an"
        " exception"
    )


def test_checks_that_fail_in_threads_are_counted_and_tracebacks_show_users_code_alone(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester,
        run_pytest,
        """
        @pytest.mark.scenario
        def test_browse(vu):
            response = vu.http.get("/status/404")
            vu.check(response, {"found": lambda r: r.status_code == 200})
            response.raise_for_status()
        """,
    )

    result.stdout.fnmatch_lines(
        [
            "1x check failed (100.00% of iterations): found",
            "1x iteration failed (100.00% of iterations): HTTPStatusError: *404*",
            "    test_load.py:*: in test_browse",
            "        response.raise_for_status()",
            "    E   *HTTPStatusError*",
        ]
    )
    result.stdout.no_fnmatch_line("*response.py*")


def test_a_scenario_that_moves_the_clock_of_the_load_does_not_pass_without_an_iteration(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import time
        from unittest.mock import patch

        import pytest

        @pytest.mark.scenario(vus=2, duration="30s")
        async def test_frozen(vu):
            with patch("trio._core._run.perf_counter", lambda: time.perf_counter() + 1e9):
                await vu.sleep(0.1)
    """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["load test failed: no iteration was completed: 2 interrupted after * of 30 s, on a clock*"]
    )
