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


def test_what_is_awaited_on_the_wrong_side_fails_its_iteration_and_nothing_else(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile("""
        import asyncio, socket, threading
        import pytest
        from trio_asyncio import aio_as_trio

        pytestmark = pytest.mark.filterwarnings("ignore:asyncio. :RuntimeWarning")

        @pytest.fixture(scope="session")
        def k6_base_url():
            def serve():
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

            def answer(connection):
                with connection:
                    while connection.recv(65536):
                        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

            listener = socket.create_server(("127.0.0.1", 0))
            threading.Thread(target=serve, daemon=True).start()
            return "http://127.0.0.1:%d" % listener.getsockname()[1]

        async def visit(vu):
            await vu.http.get("/")

        async def pause(vu):
            await vu.sleep(0.01)

        async def visit_anew(vu):
            await asyncio.create_task(vu.http.get("/"))

        @pytest.mark.parametrize("work", [visit, pause, visit_anew])
        @pytest.mark.scenario(vus=2, iterations=10)
        async def test_wrong_side(vu, work):
            with pytest.raises(RuntimeError, match="cannot be awaited on asyncio's side"):
                await aio_as_trio(work)(vu)
            assert (await vu.http.get("/")).text == "ok"  # over a connection that stays, too

        @pytest.mark.scenario(vus=2, iterations=4)
        async def test_gather(vu):
            with pytest.raises(TypeError):
                await asyncio.gather(vu.http.get("/"), vu.http.get("/"))
            assert (await vu.http.get("/")).text == "ok"
        """)

    run_apart(pytester, monkeypatch).assert_outcomes(passed=4)


def test_an_error_that_no_task_of_asyncio_awaits_is_a_warning(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile("""
        import asyncio
        import pytest
        from trio_asyncio import aio_as_trio

        async def fail_behind():
            def fail():
                raise ValueError("lost")

            asyncio.get_running_loop().call_soon(fail)
            await asyncio.sleep(0.01)

        @pytest.mark.scenario(iterations=2)
        async def test_work(vu):
            await aio_as_trio(fail_behind)()
        """)

    result = run_apart(pytester, monkeypatch)

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*RuntimeWarning: asyncio: Exception in callback*ValueError: lost"]
    )
