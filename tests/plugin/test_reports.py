"""What a session's end shows and leaves behind: summary, JUnit XML, summary files."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import RunPytest

TWO = """
    import pytest

    @pytest.mark.scenario(vus=2, setup=lambda: {"seeded": True})
    async def test_browse(vu):
        with vu.group("visit"):
            await vu.http.get("/")

    @pytest.mark.scenario(thresholds={"http_reqs": ["count>5"]})
    async def test_buy(vu):
        await vu.http.get("/status/500")
"""


def test_every_load_test_has_a_summary(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(test_shop=TWO)

    result = run_pytest()

    result.stdout.fnmatch_lines(
        [
            "=* load tests =*",
            "test_shop.py::test_browse: passed, *",
            "  HTTP",
            "    http_reqs*: 2  */s",
            "    http_req_failed*: 0.00%  0 out of 2",
            "  EXECUTION",
            "    iterations*: 2  */s",
            "  NETWORK",
            "test_shop.py::test_buy: failed, *",
            "  THRESHOLDS",
            "    http_reqs",
            "      ✗ count>5  count=1",
            "    http_req_failed*: 100.00%  1 out of 1",
        ]
    )


def test_summaries_stand_in_the_order_of_the_run(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("fails", [True, False, True, False])
        @pytest.mark.scenario(iterations=1)
        async def test_browse(vu, fails):
            assert not fails
    """)

    result = run_pytest("--k6-summary=compact")

    assert [line.split(",")[0] for line in result.outlines if line.endswith("; 1 iteration")] == [
        "test_summaries_stand_in_the_order_of_the_run.py::test_browse[True0]: failed",
        "test_summaries_stand_in_the_order_of_the_run.py::test_browse[False0]: passed",
        "test_summaries_stand_in_the_order_of_the_run.py::test_browse[True1]: failed",
        "test_summaries_stand_in_the_order_of_the_run.py::test_browse[False1]: passed",
    ]


def test_shares_are_the_same_in_report_and_summary(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(iterations=3)
        async def test_browse(vu):
            assert vu.iteration == 0
    """)

    result = run_pytest()

    result.stdout.fnmatch_lines(
        [
            "2x iteration failed (66.66% of iterations): *",
            "    iteration_failures...: 66.66%  2 out of 3",
        ]
    )


@pytest.mark.parametrize("arguments", [("-q",), ("--k6-summary=compact",)])
def test_quietly_each_load_test_has_one_line(
    pytester: pytest.Pytester, run_pytest: RunPytest, arguments: tuple[str, ...]
):
    pytester.makepyfile(test_shop=TWO)

    result = run_pytest(*arguments)

    result.stdout.re_match_lines(
        [
            r"test_shop.py::test_browse: passed, 0.\d s on http://127.0.0.1:\d+; 2 iterations,"
            r" 2 requests, [\d.,]+/s, p\(95\)=[\d.]+[mµ]s, 0.00% of requests failed$",
            r"test_shop.py::test_buy: failed, 0.\d s on http://127.0.0.1:\d+; 1 iteration,"
            r" 1 request, ",
        ]
    )
    result.stdout.no_fnmatch_line("*http_req_duration*")


def test_quietly_the_control_api_is_not_told(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(test_shop=TWO)

    result = run_pytest("-q", address="127.0.0.1:0")

    result.stdout.no_fnmatch_line("*control API*")


@pytest.mark.parametrize(
    ("arguments", "headings", "sections"),
    [
        (("--k6-summary=full", "-q"), 2, 2),
        (("--k6-summary=off",), 0, 0),
        (("--k6-summary=compact", "-v"), 2, 0),
    ],
)
def test_how_much_of_it_is_printed_can_be_chosen(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    arguments: tuple[str, ...],
    headings: int,
    sections: int,
):
    pytester.makepyfile(test_shop=TWO)

    lines = run_pytest(*arguments).outlines

    found = [line for line in lines if line.startswith("test_shop.py::") and "ed, 0." in line]
    assert len(found) == headings
    assert lines.count("  EXECUTION") == sections


@pytest.mark.parametrize("plugin", ["-p no:terminal", "reporter"])
def test_another_terminal_reporter_or_none_is_no_error(
    pytester: pytest.Pytester, run_pytest: RunPytest, plugin: str
):
    pytester.makepyfile(
        test_shop=TWO,
        # It has nothing of pytest's own.
        reporter="""
        import pytest

        class Reporter:
            pass

        @pytest.hookimpl(trylast=True)
        def pytest_configure(config):
            config.pluginmanager.unregister(name="terminalreporter")
            config.pluginmanager.register(Reporter(), "terminalreporter")
        """,
    )
    pytester.syspathinsert()

    result = run_pytest(
        "-p", plugin.removeprefix("-p "), "--k6-progress=10ms", "--junitxml=junit.xml"
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    junit = ElementTree.parse(pytester.path / "junit.xml").getroot()
    suite = next(junit.iter("testsuite"))
    assert (suite.get("failures"), suite.get("errors")) == ("2", "0")


def test_off_a_terminal_the_progress_is_told_now_and_then(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_shop="""
        import pytest

        def test_before(): ...

        @pytest.mark.scenario(duration="1s")
        async def test_browse(vu):
            await vu.http.get("/")
            await vu.sleep(0.01)

        def test_after(): ...
        """
    )

    result = run_pytest("--k6-progress=0.4s")

    result.stdout.re_match_lines(
        [
            r"test_shop.py \.$",
            r"k6: test_browse on http://127.0.0.1:\d+: [\d.]+m?s / 1s, 1/1 VUs, [\d,]+ iterations,"
            r" [\d,]+ req/s, p95 [\d.]+[mµ]s, 0 failed$",
            r"test_shop.py \.\.\. +\[100%\]$",
        ]
    )


@pytest.mark.parametrize("arguments", [("--k6-progress=0",), ("-q",)])
def test_the_progress_can_be_left_out(
    pytester: pytest.Pytester, run_pytest: RunPytest, arguments: tuple[str, ...]
):
    pytester.makeini("[pytest]")
    pytester.makepyfile(test_shop=TWO)

    result = run_pytest(*arguments)

    result.stdout.no_fnmatch_line("k6: *")


def test_a_period_that_is_no_duration_is_refused(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(test_shop=TWO)

    result = run_pytest("--k6-progress=-1s")

    result.stderr.fnmatch_lines(
        ["*command line: --k6-progress: takes 0 or a duration such as 30s, got '-1s'"]
    )


@pytest.mark.slow
def test_quietly_warnings_are_told_all_the_same(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(
        test_shop="""
        import pytest

        @pytest.mark.scenario(duration="2s", requests="record")
        async def test_browse(vu):
            await vu.http.get("http://127.0.0.1:9/")
        """
    )

    result = run_pytest("-q")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["test_shop.py::test_browse: passed, *", "  ! test_browse: iterations failed at once, *"]
    )


def test_an_ordinary_suite_has_none(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile("def test_ordinary(): ...")

    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*load tests*")


def test_a_session_without_a_terminal_reporter_runs_too(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(test_shop=TWO)

    result = run_pytest("-p", "no:terminal", address="127.0.0.1:0")

    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_junit_xml_of_the_first_family_has_the_main_numbers_as_properties_of_the_test(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(test_shop=TWO)

    run_pytest("--junitxml=report.xml", "-o", "junit_family=xunit1")

    cases = {
        case.get("name"): case
        for case in ElementTree.parse(pytester.path / "report.xml").iter("testcase")
    }
    numbers = {
        entry.get("name"): float(entry.get("value", "nan"))
        for entry in cases["test_buy"].iter("property")
    }
    assert set(numbers) == {
        "http_req_duration_p50_ms",
        "http_req_duration_p95_ms",
        "http_req_duration_p99_ms",
        "http_reqs_per_second",
        "http_req_failed_rate",
    }
    assert numbers["http_req_failed_rate"] == 1
    assert numbers["http_req_duration_p50_ms"] == numbers["http_req_duration_p99_ms"] > 0
    failures = [failure.text or "" for failure in cases["test_buy"].iter("failure")]
    assert any("the threshold http_reqs: count>5 was crossed" in text for text in failures)


def test_a_load_test_without_requests_has_no_properties(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_think(vu): ...
    """)

    run_pytest("--junitxml=report.xml")

    report = ElementTree.parse(pytester.path / "report.xml")
    assert list(report.iter("property")) == []


def exported(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))["metrics"]["http_reqs"]["count"]


def test_each_load_test_exports_a_file_of_its_own(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(test_shop=TWO)

    run_pytest("--k6-summary-export=out/summary.json")

    first = json.loads((pytester.path / "out/summary.json").read_text(encoding="utf-8"))
    assert first["metrics"]["http_reqs"]["count"] == 2
    assert first["setup_data"] == {"seeded": True}
    assert list(first["root_group"]["groups"]) == ["visit"]
    assert exported(pytester.path / "out/summary-2.json") == 1


def test_exported_files_can_be_named_after_their_load_tests(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(test_shop=TWO)

    run_pytest("--k6-summary-export={name}.json")

    assert exported(pytester.path / "test_shop.py-test_browse-e2193d42.json") == 2
    assert exported(pytester.path / "test_shop.py-test_buy-1f2eefec.json") == 1


def test_files_of_load_tests_with_similar_or_long_names_are_kept_apart(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        IDS = ["/a/b", "/a-b", "/a b", "/a?b", "x" * 300, "y" + "x" * 300, "\u4e2d" * 100]

        @pytest.mark.parametrize("path", IDS, ids=IDS)
        @pytest.mark.scenario
        async def test_get(vu, path): ...
    """)
    pytester.makeini(
        "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true"
    )

    run_pytest("--k6-summary-export=out/{name}.json").assert_outcomes(passed=7)

    assert len(list((pytester.path / "out").glob("*.json"))) == 7


def test_the_export_is_where_pytest_was_started_wherever_tests_go(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture(autouse=True)
        def elsewhere(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)

        @pytest.mark.scenario
        async def test_browse(vu):
            await vu.http.get("/")
    """)

    run_pytest("--k6-summary-export=summary.json").assert_outcomes(passed=1)

    assert exported(pytester.path / "summary.json") == 1


def test_a_summary_that_cannot_be_written_fails_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu):
            await vu.http.get("/")
    """)
    pytester.makeconftest("""
        from pathlib import Path
        def pytest_runtest_setup(item): Path("taken").write_text("no folder")
    """)

    result = run_pytest("--k6-summary-export=taken/summary.json")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["load test failed: cannot write its summary: *", "*::test_browse: failed, *"]
    )
