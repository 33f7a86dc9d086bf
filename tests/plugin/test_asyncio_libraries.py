"""Libraries of asyncio in scenarios, through trio-asyncio."""

from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("trio_asyncio") is None, reason="without trio-asyncio")


def run_apart(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.RunResult:
    """Run the suite in a process of its own: trio-asyncio changes asyncio for all of it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ("-p", "k6api", "-p", "no:cacheprovider", "--k6-address=")
    return pytester.runpytest_subprocess(*options)


def test_a_suite_that_imports_trio_asyncio_calls_asyncio_from_scenarios(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile("""
        import asyncio
        import pytest
        from trio_asyncio import aio_as_trio

        async def work(vu):
            with vu.group("inside"), vu.measure("work"):
                await asyncio.sleep(0)
            vu.check(vu.id, {"is a user": lambda number: number > 0})

        @pytest.mark.scenario(
            vus=3,
            iterations=12,
            thresholds={"measured_duration{group:::inside}": ["max>=0"], "checks": ["rate==1"]},
        )
        async def test_work(vu):
            await aio_as_trio(work)(vu)
        """)

    run_apart(pytester, monkeypatch).assert_outcomes(passed=1)


def test_what_asyncio_still_runs_at_the_end_of_a_load_test_is_cancelled(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile("""
        import asyncio
        import pytest
        from trio_asyncio import aio_as_trio

        ended = []

        async def wait():
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append("wait")

        async def leave_behind():
            asyncio.get_running_loop().create_task(wait())
            await asyncio.sleep(0)

        @pytest.mark.scenario(duration="1s", graceful_stop="0s")
        async def test_cut_off(vu):
            await aio_as_trio(wait)()

        @pytest.mark.scenario(iterations=1)
        async def test_left_behind(vu):
            await aio_as_trio(leave_behind)()

        def test_both_ended():
            assert ended == ["wait", "wait"]
        """)

    run_apart(pytester, monkeypatch).assert_outcomes(passed=3)
