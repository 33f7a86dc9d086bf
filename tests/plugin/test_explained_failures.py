"""Failures that explain themselves: grouped by kind, with a hint where the cause is known."""

import pytest

from tests.plugin.conftest import RunPytest


def test_raise_for_status_on_many_urls_of_one_name_is_one_kind(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(iterations=50, requests="record")
        async def test_browse(vu):
            number = vu.iteration * 1_000_003
            response = await vu.http.get(f"/status/{404 if number % 2 else 410}", name="product")
            response.raise_for_status()
        """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 50 of 50 iterations raised an exception",
            "25x iteration failed (50.00% of iterations): HTTPStatusError: GET product: 410 *",
            "*response.raise_for_status()",
            "25x iteration failed (50.00% of iterations): HTTPStatusError: GET product: 404 *",
            "*response.raise_for_status()",
        ]
    )


@pytest.mark.parametrize(
    "call",
    [
        "await asyncio.sleep(0)",
        "await asyncio.sleep(1)",
        "asyncio.get_running_loop()",
        "async with asyncio.timeout(1): pass",
        "await asyncio.Queue().get()",
        "await asyncio.to_thread(print)",
    ],
)
def test_calls_of_asyncio_are_told_what_scenarios_run_on(
    pytester: pytest.Pytester, run_pytest: RunPytest, call: str
):
    pytester.makepyfile(f"""
        import asyncio
        import pytest

        @pytest.mark.scenario(iterations=2)
        async def test_browse(vu):
            {call}
            await asyncio.sleep(1)
        """)

    result = run_pytest("-W", "ignore")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*run on Trio, not on asyncio: write vu.sleep(1) or trio.sleep(1) for asyncio.sleep(1)*"]
    )


def test_a_name_that_other_clients_have_is_told_what_to_write(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(iterations=2)
        async def test_browse(vu):
            await vu.get("/")
        """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["    write vu.http.get(url)", "*AttributeError: 'VU' object has no attribute 'get'"]
    )


@pytest.mark.parametrize("place", ["fixture", "setup", "teardown"])
def test_so_they_are_in_vu_fixtures_setup_and_teardown(
    pytester: pytest.Pytester, run_pytest: RunPytest, place: str
):
    options = "" if place == "fixture" else f"{place}=prepare"
    argument = ", prepared" if place == "fixture" else ""
    decorator = "@vu_fixture" if place == "fixture" else ""
    name = "prepared" if place == "fixture" else "prepare"
    pytester.makepyfile(f"""
        import asyncio
        import pytest
        from pytest_k6api import vu_fixture

        {decorator}
        async def {name}(vu):
            await asyncio.sleep(1)

        @pytest.mark.scenario({options})
        async def test_browse(vu{argument}): ...
        """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*run on Trio, not on asyncio: *"])


def test_an_exception_that_cannot_be_printed_fails_its_iteration_and_ends_nothing(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        class Unprintable(Exception):
            def __str__(self):
                raise AttributeError("no response")

            __repr__ = __str__

        @pytest.mark.scenario(iterations=5)
        async def test_browse(vu):
            vu.check(1, {"is fine": lambda _: 1 / (vu.iteration - 1)})
            if vu.iteration == 2:
                unprintable = Unprintable()
                raise unprintable
        """)

    result = run_pytest("-rA")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 1 of 5 iterations raised an exception (and 1 more)",
            "1x iteration failed (20.00% of iterations): Unprintable: <exception str() failed>",
        ]
    )


def test_xfail_in_an_iteration_is_no_failure(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile("""
        import pytest
        import trio

        @pytest.mark.scenario(iterations=3)
        async def test_xfail(vu):
            pytest.xfail("known")

        @pytest.mark.scenario(iterations=3)
        async def test_in_a_check(vu):
            vu.check(1, {"is known": lambda _: pytest.xfail("known")})

        @pytest.mark.scenario(iterations=3)
        async def test_skip_in_a_child(vu):
            async def skip():
                pytest.skip("not here")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(skip)
        """)

    result = run_pytest()

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*iterations_skipped*: 3 *"] * 3)


WRAPPER = """
import functools
import pytest
from pytest_k6api import vu_fixture

def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper
"""


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        (
            """
@pytest.mark.scenario(vus=3, duration="1h")
@logged
async def test_browse(vu):
    await vu.http.get("/")
""",
            "test_browse",
        ),
        (
            """
@vu_fixture
@logged
async def account(vu):
    return 1

@pytest.mark.scenario(vus=3, duration="1h")
async def test_browse(vu, account): ...
""",
            "account",
        ),
        (
            """
@logged
async def prepare(vu): ...

@pytest.mark.scenario(setup=prepare, duration="1h")
async def test_browse(vu): ...
""",
            "prepare",
        ),
        (
            """
@logged
async def clean(vu): ...

@pytest.mark.scenario(teardown=clean)
async def test_browse(vu): ...
""",
            "clean",
        ),
    ],
    ids=["scenario", "vu_fixture", "setup", "teardown"],
)
def test_an_async_function_under_a_decorator_that_is_not_async_aware_is_refused(
    pytester: pytest.Pytester, run_pytest: RunPytest, suite: str, name: str
):
    pytester.makepyfile(WRAPPER + suite)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"*{name} is an ordinary function and returned a coroutine, so nothing of it ran: its"
            " decorator is not async-aware; *"
        ]
    )
    assert result.duration < 20


def test_a_check_without_names_is_shown_how_checks_are_written(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu):
            vu.check(1, "x")
        """)

    result = run_pytest()

    result.stdout.fnmatch_lines(
        [
            "*TypeError: vu.check() takes a value and a dict of named checks, such as"
            ' vu.check(response, {"status is 200": lambda r: r.status_code == 200}); got str*'
        ]
    )
