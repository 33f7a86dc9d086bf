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


@pytest.mark.parametrize(
    ("kind", "lacks", "cure"),
    [
        ("unary_unary", "awaited", "await stub.Get(...)"),
        ("stream_unary", "awaited", "await stub.Get(...)"),
        ("unary_stream", "iterated over or entered", "async for response in stub.Get(...):"),
    ],
)
def test_a_call_of_a_stub_that_was_thrown_away_is_told_likewise(
    pytester: pytest.Pytester, run_pytest: RunPytest, kind: str, lacks: str, cure: str
):
    pytest.importorskip("jh2")
    result = run(pytester, run_pytest, f"vu.grpc.channel('127.0.0.1:1').{kind}('/a.B/Get')(b'')")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"load test failed: test_load.py:5: stub.Get(...) was called 3 times and never {lacks},"
            f" so it did nothing; write: {cure}"
        ]
    )


@pytest.mark.parametrize(
    "written",
    ["vu.ws.connect(...) as ws", "vu.http.stream(...) as response", "vu.http.sse(...) as events"],
)
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "ordinary"])
def test_a_block_that_was_never_entered_is_told_like_a_call_that_was_not_awaited(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    written: str,
    is_async: bool,
):
    call = written.partition("(")[0]
    start = "async " if is_async else ""
    arguments = "'GET', '/'" if call == "vu.http.stream" else "'/'"
    pytester.makepyfile(
        test_load=f"""
        import pytest
        @pytest.mark.scenario(iterations=3)
        {start}def test_browse(vu):
            {call}({arguments})
        """
    )

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        f"load test failed: test_load.py:4: {call}(...) was called 3 times and never entered, so it"
        f" did nothing; write: {start}with {written}:"
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("await vu.http.stream('GET', '/')", "'async with vu.http.stream(...) as response:'"),
        ("await vu.http.sse('/')", "'async with vu.http.sse(...) as events:'"),
        ("with vu.http.sse('/'): pass", "'async with vu.http.sse(...) as events:' in an async *"),
        ("async for _ in vu.http.sse('/'): pass", "'async with vu.http.sse(...) as events:', *"),
    ],
)
def test_a_block_that_is_used_in_another_way_says_what_to_write(
    pytester: pytest.Pytester, run_pytest: RunPytest, body: str, error: str
):
    result = run(pytester, run_pytest, body)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*TypeError: *write {error}"])


def test_an_ordinary_function_says_with_and_not_async_with(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_load="""
        import pytest
        @pytest.mark.scenario(iterations=1)
        def test_browse(vu):
            vu.http.stream("GET", "/").__aenter__().send(None)
        """
    )

    result = run_pytest()

    result.stdout.fnmatch_lines([
        "*TypeError: write 'with vu.http.stream(...) as response:' in an ordinary function"
    ])  # fmt: skip


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
