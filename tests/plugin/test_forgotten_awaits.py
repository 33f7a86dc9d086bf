"""A forgotten ``await`` fails its load test, with the place and the cure."""

import pytest

from tests.plugin.conftest import RunPytest, Service


def run(pytester: pytest.Pytester, run_pytest: RunPytest, *body: str, **options: str):
    lines = [
        "import pytest",
        "async def get(vu): return vu.http.get('/')",
        "@pytest.mark.scenario(iterations=3)",
        "async def test_browse(vu):",
        *(f"    {line}" for line in body),
    ]
    pytester.makepyfile(test_load="\n".join(lines))
    return run_pytest(*options.values())


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("vu.http.get('/')", "vu.http.get"),
        ("vu.http.get('/', name='home')", "vu.http.get"),
        ("vu.http.post('/', json={'a': 1})", "vu.http.post"),
        ("vu.http.batch(['/'])", "vu.http.batch"),
        ("vu.sleep(1)", "vu.sleep"),
        ("vu.pace(1)", "vu.pace"),
        ("await get(vu)", "vu.http.get"),
    ],
)
def test_every_call_that_was_not_awaited_is_counted_at_its_place(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service, line: str, call: str
):
    result = run(pytester, run_pytest, line)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"load test failed: test_load.py:5: {call}(...) was called 3 times and never awaited,"
            f" so it did nothing; write: await {call}(...)",
            "test_load.py::test_browse: failed, *",
        ]
    )
    result.stdout.no_fnmatch_line("*RuntimeWarning*")
    assert service.paths == []


def test_one_that_is_thrown_away_later_is_told_by_its_scenario(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(pytester, run_pytest, "response = vu.http.get('/')")

    result.stdout.fnmatch_lines(
        [
            "load test failed: test_browse: vu.http.get(...) was called 3 times and never awaited,"
            " so it did nothing; write: await vu.http.get(...)"
        ]
    )


def test_those_that_fail_their_iterations_are_told_once(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run(
        pytester, run_pytest, "response = vu.http.get('/')", "assert response.status_code == 200"
    )

    result.assert_outcomes(failed=1)
    assert [line for line in result.outlines if "never awaited" in line] == [
        "  ✗ test_browse: vu.http.get(...) was called 3 times and never awaited, so it did nothing;"
        " write: await vu.http.get(...)"
    ]


@pytest.mark.parametrize("action", ["default", "error", "ignore"])
def test_filters_of_warnings_change_nothing(
    pytester: pytest.Pytester, run_pytest: RunPytest, action: str
):
    result = run(pytester, run_pytest, "vu.http.get('/')", filter=f"-W{action}::RuntimeWarning")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["load test failed: test_load.py:5: vu.http.get(...) was called 3*"]
    )


def test_other_warnings_are_pytests_as_ever(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run(
        pytester,
        run_pytest,
        "import warnings",
        "warnings.warn('old', FutureWarning)",
        "get(vu)",
        filter="-Wdefault",
    )

    result.assert_outcomes(passed=1, warnings=2)
    result.stdout.fnmatch_lines(["*FutureWarning: old", "*coroutine 'get' was never awaited"])
