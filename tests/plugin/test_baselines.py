"""Baselines: saved in one session, compared in the next, refused before the first request."""

import json
from pathlib import Path

import pytest

from tests.plugin.conftest import RunPytest, Service

SCENARIO = """
    import pytest
    from pytest_k6api import {kind}

    queue_time = {kind}("queue_time")

    @pytest.mark.scenario(iterations=5)
    async def test_browse(vu):
        await vu.http.get({path!r}, name="home")
        queue_time.add(vu.iteration)
"""


def write(pytester: pytest.Pytester, path: str = "/", kind: str = "Trend") -> None:
    pytester.makepyfile(test_shop=SCENARIO.format(path=path, kind=kind))


@pytest.fixture
def saved(pytester: pytest.Pytester, run_pytest: RunPytest) -> Path:
    """Save a baseline called main; return its one file."""
    write(pytester)
    run_pytest("--k6-save=main").assert_outcomes(passed=1)
    (path,) = (pytester.path / ".k6api/main").iterdir()
    return path


def test_what_was_saved_is_compared(
    saved: Path, pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    document = json.loads(saved.read_text())
    assert document["name"] == "test_shop.py::test_browse"
    assert document["metrics"]["queue_time"]["values"] == [[0, 1], [1, 1], [2, 1], [3, 1], [4, 1]]

    result = run_pytest("--k6-compare=main")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["  COMPARED WITH main (passed, * UTC*)", "    http_req_duration *→*", "    queue_time *="]
    )


def test_quietly_one_line_tells_the_comparison_too(
    saved: Path, pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write(pytester, "/slow")

    result = run_pytest("-q", "--k6-compare=main", "--k6-compare-fail=http_req_duration:med:50%")

    result.stdout.re_match_lines(
        [
            r"test_shop.py::test_browse: failed, .+; compared with main \(passed, .+\):"
            r".*✗ http_req_duration med [\d.]+ms \(\+[\d.,]+%\), http_req_duration p\(95\) [\d.]+ms"
        ]
    )


def test_the_summary_says_where_results_were_saved(
    pytester: pytest.Pytester, run_pytest: RunPytest, tmp_path: Path
) -> None:
    write(pytester)

    inside = run_pytest("--k6-save=main", "--k6-results-dir=results")
    outside = run_pytest("--k6-save=main", f"--k6-results-dir={tmp_path}/out")

    inside.stdout.fnmatch_lines(["  saved as main, in results/main; *--k6-compare=main"])
    outside.stdout.fnmatch_lines([f"  saved as main, in {tmp_path}/out/main; *"])


def test_what_got_too_much_worse_fails_with_its_reason(
    saved: Path, pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write(pytester, "/slow")
    pytester.makepyfile(test_z="def test_outcome(k6): assert k6.last.outcome == 'failed'")

    result = run_pytest("--k6-compare=main", "--k6-compare-fail=http_req_duration:med:50%")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*http_req_duration: med grew from * to 20*ms, by more than 50%, since main (+*"]
    )


def test_a_rule_about_tags_saves_what_it_needs(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(pytester)
    pytester.makeini(
        """
        [pytest]
        k6_compare_fail =
            http_req_duration{name:home,status:200}:med:10000%
            http_reqs:count:0
        """
    )
    monkeypatch.setenv("K6_COMPARE", "main")
    run_pytest("--k6-save=main").assert_outcomes(passed=1)
    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["    http_req_duration{name:home,status:200} *avg*"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--k6-compare=mian"],
            "*--k6-compare: no results were saved as 'mian' in *.k6api; there are main, and"
            " --k6-save=mian saves some",
        ),
        (
            ["--k6-save=../main"],
            "*--k6-save: takes a name of letters, digits, '-', '_' and '.', such as main, got"
            " '../main'",
        ),
        (
            ["--k6-compare-fail=http_reqs:rate:5%"],
            "*--k6-compare-fail needs --k6-compare, which says with what",
        ),
        (
            ["--k6-compare=main", "--k6-compare-fail=http_reqs"],
            "*--k6-compare-fail: cannot read 'http_reqs'; write *",
        ),
        (
            ["--k6-compare=main", "--k6-compare-fail=checks:rate:5%"],
            "*--k6-compare-fail: no load test has checks in 'main'; they have data_received,*",
        ),
    ],
)
def test_what_cannot_be_compared_is_told_before_any_load(
    saved: Path, run_pytest: RunPytest, service: Service, options: list[str], message: str
) -> None:
    service.paths.clear()

    result = run_pytest(*options)

    result.stderr.fnmatch_lines([message])
    assert (result.ret, service.paths) == (pytest.ExitCode.USAGE_ERROR, [])


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"format": "pytest-k6api results"}'])
def test_a_file_that_cannot_be_read_is_told_before_any_load(
    saved: Path, run_pytest: RunPytest, content: str
) -> None:
    saved.write_text(content)

    result = run_pytest("--k6-compare=main")

    result.stderr.fnmatch_lines(
        [f"*--k6-compare: cannot read {saved}: *; save it anew with --k6-save=main"]
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_metric_that_is_of_another_kind_now_is_told_before_any_load(
    saved: Path, pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write(pytester, kind="Counter")

    # In a process of its own: metrics are declared once in each.
    result = pytester.runpytest_subprocess("-p", "k6api", "--k6-compare=main", "--k6-address=")

    result.stderr.fnmatch_lines(
        ["*queue_time is a counter and was a trend when 'main' was saved, so the two cannot be*"]
    )


def test_githubs_summary_page_gets_a_section_for_each_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(pytester)
    page = pytester.path / "page.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))

    run_pytest()
    run_pytest()

    assert page.read_text().count("### ✅ test\\_shop.py::test\\_browse: passed") == 2


def test_a_summary_page_that_cannot_be_written_fails_nothing(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(pytester)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path))

    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["k6: cannot write the results to $GITHUB_STEP_SUMMARY: *"])


def test_results_that_cannot_be_saved_fail_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write(pytester)
    pytester.makeconftest("""
        from pathlib import Path
        def pytest_runtest_setup(item): Path("file").write_text("no folder")
    """)

    result = run_pytest("--k6-save=main", "--k6-results-dir=file")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cannot save its results: *"])
    result.stdout.no_fnmatch_line("*saved as main*")


def test_a_name_needs_no_threshold_to_be_compared(
    saved: Path, pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    document = json.loads(saved.read_text())
    assert document["metrics"]["http_req_duration{name:home}"]["samples"] == 5
    assert document["metrics"]["http_req_failed{name:home}"]["passes"] == 0
    assert document["metrics"]["http_reqs{name:home}"]["sum"] == 5
    assert document["request_names"] == {"kept": 1, "seen": 1}
    write(pytester, "/slow")

    result = run_pytest(
        "--k6-compare=main", "--k6-compare-fail=http_req_duration{ name: home }:p(95):10%"
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*http_req_duration{name: home}: p(95) grew from *, by more than 10%, since main*"]
    )


def test_a_baseline_keeps_the_most_frequent_names_and_says_what_it_left_out(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu):
            for number in range(53):
                for _ in range(1 if number else 2):
                    await vu.http.get("/", name=f"page {number:02}")
            await vu.http.get("/", name="a, b")
    """)

    saving = run_pytest("--k6-save=main")
    comparing = run_pytest(
        "--k6-compare=main",
        "--k6-compare-fail=http_reqs{name:page 00}:count:1",
        "--k6-compare-fail=http_reqs{name:page 52}:count:1",
    )

    saving.assert_outcomes(passed=1)
    saving.stdout.fnmatch_lines(
        ["  saved as main, in .k6api/main, 50 of 54 names of requests apart; compare with *"]
    )
    assert comparing.ret == pytest.ExitCode.USAGE_ERROR
    (problem,) = [line for line in comparing.stderr.lines if "page 52" in line]
    assert problem.startswith(
        "ERROR: --k6-compare-fail: no load test has http_reqs{name:page 52} in 'main'; they have"
    )
    assert problem.endswith(
        "more; of test_a_baseline_keeps_the_most_frequent_names_and_says_what_it_left_out.py"
        "::test_browse it keeps 50 of 54 names of requests, the most frequent"
    )
