"""Libraries of asyncio in scenarios, through trio-asyncio."""

import pytest

from tests.plugin.conftest import RunPytest

pytest.importorskip("trio_asyncio")


def test_a_suite_that_imports_trio_asyncio_calls_asyncio_from_scenarios(
    pytester: pytest.Pytester, run_pytest: RunPytest
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

    run_pytest().assert_outcomes(passed=1)


def test_what_asyncio_still_runs_at_the_end_of_a_load_test_is_cancelled(
    pytester: pytest.Pytester, run_pytest: RunPytest
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

    run_pytest().assert_outcomes(passed=3)
