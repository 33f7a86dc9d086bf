"""The report of a session: written after each load test, in each form that is wanted."""

import json
from pathlib import Path

import pytest

from pytest_k6api.report import read_report
from tests.plugin.conftest import RunPytest

SCHEMA = Path(__file__).parents[2] / "docs/reference/report.schema.json"

TESTS = """
import pytest

@pytest.mark.scenario(vus=1, iterations=3, thresholds={"http_req_duration": ["p(95)<5000"]})
async def test_good(vu):
    await vu.http.get("/", name="home")

@pytest.mark.scenario(vus=1, iterations=2)
async def test_bad(vu):
    await vu.http.get("/status/503", name="<b>flaky</b>")
"""


def test_a_session_is_reported_as_html_json_and_markdown(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=TESTS)

    result = run_pytest("--k6-report=r.html", "--k6-report=out/r.json", "--k6-report=r.md")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["report: r.html", "report: out/r.json", "report: r.md"])
    document = json.loads((pytester.path / "out/r.json").read_text())
    good, bad = document["load_tests"]
    assert (good["name"], good["outcome"]) == ("test_shop.py::test_good", "passed")
    assert (bad["name"], bad["outcome"]) == ("test_shop.py::test_bad", "failed")
    assert good["requests"][0]["name"] == "home"
    assert good["requests"][0]["count"] == 3
    assert good["thresholds"][0]["observed_text"].startswith("p(95)=")
    assert bad["failures"][0]["message"] == "503 GET <b>flaky</b>"
    assert bad["reasons"] != []
    html = (pytester.path / "r.html").read_text()
    assert list(read_report(html)) == ["test_shop.py::test_good", "test_shop.py::test_bad"]
    assert "<b>flaky</b>" not in html
    assert "### ❌ test\\_shop.py::test\\_bad: failed" in (pytester.path / "r.md").read_text()


def test_a_report_of_json_has_the_published_schema(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="comes with the extra `fuzz`")
    pytester.makepyfile(test_shop=TESTS)

    run_pytest("--k6-report=r.json", "--k6-save=main")
    run_pytest("--k6-report=r.json", "--k6-compare=main")

    document = json.loads((pytester.path / "r.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["load_tests"][0]["comparison"] is not None


@pytest.mark.parametrize("file", ["r.html", "r.json"])
def test_a_report_is_a_baseline(
    pytester: pytest.Pytester, run_pytest: RunPytest, file: str
) -> None:
    pytester.makepyfile(test_shop=TESTS)
    run_pytest(f"--k6-report={file}", "-k", "good")

    result = run_pytest(
        f"--k6-compare={file}", "--k6-compare-fail=http_reqs:count:0%", "-k", "good"
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*COMPARED WITH {file} (passed, *"])


def test_a_report_that_cannot_be_compared_with_is_refused_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=TESTS)
    (pytester.path / "r.html").write_text("<html></html>")

    result = run_pytest("--k6-compare=r.html")

    result.stderr.fnmatch_lines(["ERROR: --k6-compare: cannot read *r.html: it is damaged: *"])


def test_another_suffix_is_refused_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=TESTS)

    result = run_pytest("--k6-report=r.pdf")

    result.stderr.fnmatch_lines(
        ["ERROR: --k6-report: takes a file that ends in .html, .json or .md, got 'r.pdf'"]
    )


def test_a_report_that_cannot_be_written_fails_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=TESTS)
    pytester.makeconftest("""
        from pathlib import Path
        def pytest_runtest_setup(item): Path("taken").write_text("no folder")
    """)

    result = run_pytest("--k6-report=taken/r.html", "-k", "good")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cannot write the report *taken/r.html: *"])
    result.stdout.no_fnmatch_line("report: taken/r.html")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--k6-report=taken/r.html"],
            "--k6-report: *taken/r.html cannot be written: *taken is not",
        ),
        (["--k6-report=folder.html"], "--k6-report: *folder.html is a folder; name a file in it"),
        (["--k6-summary-export=taken/{name}.json"], "--k6-summary-export: *taken is not a folder"),
        (["--k6-save=main", "--k6-results-dir=taken"], "--k6-save: *taken is not a folder"),
        (["--k6-report=" + "r" * 300 + ".md"], "--k6-report: *.md cannot be written: *too long"),
    ],
)
def test_a_file_that_surely_cannot_be_written_is_refused_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, options: list[str], message: str
) -> None:
    pytester.makepyfile(test_shop=TESTS)
    (pytester.path / "taken").write_text("no folder")
    (pytester.path / "folder.html").mkdir()

    result = run_pytest(*options)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}*"])


def test_a_session_that_ends_early_leaves_the_report_of_what_had_ended(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=TESTS + '\n\ndef test_crash():\n    pytest.exit("enough")\n')

    run_pytest("--k6-report=r.json", "-k", "good or crash")

    names = [
        each["name"] for each in json.loads((pytester.path / "r.json").read_text())["load_tests"]
    ]
    assert names == ["test_shop.py::test_good"]
