"""Failed requests that nothing allows fail a load test; what allows them; what is told."""

from pathlib import Path

import pytest

from tests.plugin.conftest import RunPytest

DEAD = "http://127.0.0.1:9/"


def scenario(body: str, *options: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"""
import pytest

@pytest.mark.scenario({", ".join(["iterations=4", *options])})
async def test_browse(vu):
{lines}
"""


FLAKY = 'await vu.http.get("/status/503", name="flaky")'


def test_the_reason_names_the_kinds(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(scenario(f'await vu.http.get("{DEAD}")\nfor _ in range(2):\n    {FLAKY}'))

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 12 of 12 requests failed: 8x 503 GET flaky; 4x connection refused"
            " (1212) GET http://127.0.0.1:9/",
            "8x request failed (100.00% of requests of that name): 503 GET flaky",
            "*> GET http://127.0.0.1:*/status/503",
            "*< 503 Said So after * ms*",
            "4x request failed (100.00% *): connection refused (1212) GET http://127.0.0.1:9/",
            "*::test_browse: failed, *",
            "  FAILED REQUESTS",
            "    8x 503 GET flaky",
            "    4x connection refused (1212) GET http://127.0.0.1:9/",
            "*http_req_failed*: 100.00%  12 out of 12",
        ]
    )


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (['requests="record"'], []),
        ([], ["--k6-requests=record"]),
        (['thresholds={"http_req_failed": ["rate<=1"]}'], []),
        (['thresholds={"http_req_failed{name:flaky}": ["rate<=1"]}'], []),
        (['thresholds={"http_req_failed{scenario:test_browse}": ["rate<=1"]}'], []),
        ([], ["--k6-thresholds=http_req_failed{status:503}:rate<=1"]),
        (['thresholds={"http_req_failed": ["rate<0.01"]}'], ["--k6-no-thresholds"]),
        (['requests="fail"'], ["--k6-requests=record"]),
    ],
    ids=str,
)
def test_what_allows_them(
    pytester: pytest.Pytester, run_pytest: RunPytest, options: list[str], arguments: list[str]
):
    pytester.makepyfile(scenario(FLAKY, *options))

    result = run_pytest(*arguments)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::test_browse: passed*", "    4x 503 GET flaky"])


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (['thresholds={"http_req_failed{name:other}": ["rate<=1"]}'], []),
        (['thresholds={"http_reqs": ["count>1"]}'], []),
        (['thresholds={"http_req_failed{name:other}": ["rate<=1"]}'], ["--k6-no-thresholds"]),
        ([], ["--k6-thresholds=http_req_failed{status:404}:rate<=1"]),
        (['requests="record"'], ["--k6-requests=fail"]),
        (['checks="record"'], []),
    ],
    ids=str,
)
def test_what_does_not_allow_them(
    pytester: pytest.Pytester, run_pytest: RunPytest, options: list[str], arguments: list[str]
):
    pytester.makepyfile(scenario(FLAKY, *options))

    result = run_pytest(*arguments)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*4 of 4 requests failed: 4x 503 GET flaky*"])


def test_expected_statuses_make_them_no_failures(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(
        scenario('await vu.http.get("/status/404", expected_statuses=404)\nawait vu.http.get("/")')
    )

    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*FAILED REQUESTS*")


def test_a_404_that_a_check_expects_gets_a_hint(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(
        scenario(
            'response = await vu.http.get("/status/404", name="gone")\n'
            'vu.check(response, {"it is gone": lambda r: r.status_code == 404})'
        )
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*4 of 4 requests failed: 4x 404 GET gone (a check accepts it; if 404 is right there,"
            " give the request expected_statuses=404)"
        ]
    )


def test_requests_of_setup_and_teardown_count_as_they_do_in_k6(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        """
        import pytest

        async def setup(vu):
            await vu.http.get("/status/500", name="seed")

        async def teardown(vu):
            await vu.http.get("/status/409", name="clean")

        @pytest.mark.scenario(setup=setup, teardown=teardown)
        async def test_browse(vu):
            await vu.http.get("/")
        """
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["load test failed: 2 of 3 requests failed: 1x 500 GET seed; 1x 409 GET clean"]
    )


def test_synchronous_scenarios_and_other_clients_count_too(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        """
        import httpx
        import pytest
        from pytest_k6api import instrument

        @pytest.mark.scenario(iterations=2)
        def test_sync(vu):
            vu.http.get("/status/500", name="sync")

        @pytest.mark.scenario(iterations=2)
        async def test_httpx(vu, k6_base_url):
            transport = instrument(httpx.AsyncHTTPTransport(), vu)
            async with httpx.AsyncClient(transport=transport, base_url=k6_base_url) as client:
                response = await client.get(
                    "/status/404",
                    headers={"Authorization": "Bearer abc"},
                    extensions={"k6": {"name": "gone"}},
                )
                vu.check(response, {"gone": lambda r: r.status_code == 404})
        """
    )

    result = run_pytest()

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 2 of 2 requests failed: 2x 500 GET sync",
            "load test failed: 2 of 2 requests failed: 2x 404 GET gone (a check accepts it; *",
            "*> GET http://127.0.0.1:*/status/404",
            "*< 404 Said So after * ms (blocked *",
        ]
    )
    result.stdout.no_fnmatch_line("*abc*")


def test_each_load_test_fails_for_its_own_and_the_first_ends_a_session_with_x(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario
        async def test_fine(vu):
            await vu.http.get("/")

        @pytest.mark.scenario
        async def test_first(vu):
            await vu.http.get("/status/500", name="first")

        @pytest.mark.scenario
        async def test_second(vu):
            await vu.http.get("/status/500", name="second")
        """
    )

    run_pytest().assert_outcomes(passed=1, failed=2)
    result = run_pytest("-x")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["load test failed: 1 of 1 requests failed: 1x 500 GET first"])
    result.stdout.no_fnmatch_line("*second*")


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest 9 has subtests")
def test_in_a_mix_the_scenario_fails_whose_requests_nothing_allows(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.load_test(thresholds={"http_req_failed{scenario:test_allowed}": ["rate<=1"]})
        class TestMix:
            @pytest.mark.scenario
            async def test_allowed(self, vu):
                await vu.http.get("/status/500")

            @pytest.mark.scenario
            async def test_forbidden(self, vu):
                await vu.http.get("/status/503", name="pay")
        """
    )

    result = run_pytest("-v")

    result.stdout.fnmatch_lines(
        [
            "*SUBPASSED[[]scenario test_allowed[]]*",
            "*SUBFAILED[[]scenario test_forbidden[]]*",
            "*1x request: 503 GET pay",
            "load test failed: 1 of 1 requests failed: 1x 503 GET pay",
        ]
    )


def test_ci_reads_the_kinds_in_its_summary_and_in_junit(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    pytester.makepyfile(scenario(FLAKY))

    run_pytest("--junitxml=report.xml")

    reason = "4 of 4 requests failed: 4x 503 GET flaky"
    assert f"- {reason}" in summary.read_text()
    assert reason in (pytester.path / "report.xml").read_text()


def test_the_api_lists_them_with_the_counts_of_the_metric(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        """
        import json
        import urllib.request
        import pytest

        @pytest.mark.scenario(iterations=20, requests="record")
        async def test_browse(vu):
            await vu.http.get("/status/503" if vu.iteration % 4 == 0 else "/", name="flaky")

        def test_the_api(k6):
            with urllib.request.urlopen(f"{k6.address}/v1/failures") as reply:
                (failure,) = json.load(reply)["data"]
            shown = failure["attributes"]
            assert shown["kind"] == "request"
            assert shown["message"] == "503 GET flaky"
            assert shown["count"] == k6.metrics["http_req_failed"].passes == 5
            assert shown["share"] == 0.25
            assert 0 <= shown["first-at"] <= shown["last-at"] < 60
            assert "< 503 Said So" in shown["details"]
        """
    )
    run_pytest(address="127.0.0.1:0").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (FLAKY, "* of * requests failed: *x 503 GET flaky*"),
        ("assert vu.id < 0", "* of * iterations raised an exception*"),
        ('vu.check(1, {"is two": lambda v: v == 2})', "* of * checks failed*"),
    ],
)
def test_fail_fast_ends_a_load_test_at_its_first_failure(
    pytester: pytest.Pytester, run_pytest: RunPytest, body: str, reason: str
):
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.scenario(vus=2, duration="1h")
        async def test_browse(vu):
            {body}
            await vu.sleep(0.01)
        """
    )

    result = run_pytest("--k6-fail-fast")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"load test failed: {reason}",
            "  ✗ fail_fast: ended at the first failure, after *",
            "*::test_browse: failed, *",
        ]
    )


def test_fail_fast_does_not_end_for_what_is_allowed(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    options = ["fail_fast=True", 'thresholds={"http_req_failed": ["rate<=1"]}', 'checks="record"']
    pytester.makepyfile(
        scenario(f'{FLAKY}\nvu.check(1, {{"no": False}})\nawait vu.sleep(0.1)', *options)
    )

    run_pytest().assert_outcomes(passed=1)


@pytest.mark.parametrize("option", ["requests", "checks"])
def test_a_consequence_that_there_is_not_is_refused(
    pytester: pytest.Pytester, run_pytest: RunPytest, option: str
):
    pytester.makepyfile(scenario(FLAKY, f'{option}="ignore"'))

    result = run_pytest()

    result.stdout.fnmatch_lines([f"*{option}: takes fail or record, got 'ignore'*"])


def test_a_dead_server_is_not_asked_at_full_speed(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.scenario(vus=4, duration="4s")
        async def test_browse(vu):
            await vu.http.get("{DEAD}")
        """
    )

    result = run_pytest()

    result.stdout.fnmatch_lines(
        ["*! test_browse: iterations failed at once, again and again, so VUs backed off *"]
    )
