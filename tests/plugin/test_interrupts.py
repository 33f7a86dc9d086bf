"""Ctrl-C in sessions of their own: once, twice, and where the loop does not move."""

from pathlib import Path

import pytest

from tests.plugin.conftest import Service
from tests.plugin.sessions import session_of

pytestmark = pytest.mark.slow


LOAD = """
    import pytest, time

    def clear():
        print("teardown ran", flush=True)

    @pytest.mark.scenario(vus=2, duration="1h", graceful_stop="1h", teardown=clear)
    async def test_browse(vu):
        if vu.iteration == 0:
            await vu.http.get("/")
            print(f"VU {vu.id} is under way", flush=True)
        await vu.sleep(PAUSE)

    def test_never(): ...
"""


def write(pytester: pytest.Pytester, pause: float) -> Path:
    return pytester.makepyfile(LOAD.replace("PAUSE", str(pause)))


def test_the_first_ctrl_c_ends_it_gracefully_and_then_the_session(
    pytester: pytest.Pytester, service: Service
):
    write(pytester, pause=0.1)

    with session_of(service, "--k6-address=") as session:
        session.wait_for("VU 1 is under way")
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines(
        [
            "teardown ran",
            "load test interrupted: stopped early: interrupted by Ctrl-C",
            "=* load tests =*",
            "*::test_browse: interrupted, *",
            "    http_reqs*: 2 *",
            "!* a load test was interrupted by Ctrl-C !*",
            "=* 1 failed *",
        ]
    )


def test_the_second_ctrl_c_ends_it_at_once_but_teardown_still_runs(
    pytester: pytest.Pytester, service: Service
):
    write(pytester, pause=3600)

    with session_of(service, "--k6-address=") as session:
        session.wait_for("VU 1 is under way")
        session.press_ctrl_c()
        # It is under way for an hour: only the second ends that. Signals that
        # are not told apart by time would be one.
        assert session.goes_on(0.5)
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines(["teardown ran", "*::test_browse: interrupted, *"])


def test_the_third_ctrl_c_ends_even_a_scenario_that_blocks_the_loop(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.scenario
        async def test_blocks(vu):
            await vu.http.get("/")
            print("blocked", flush=True)
            time.sleep(60)
    """)

    with session_of(service, "--k6-address=") as session:
        session.wait_for("blocked")
        for _ in range(2):
            session.press_ctrl_c()
            assert session.goes_on(0.3)
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines(["*::test_blocks: interrupted, *", "!* KeyboardInterrupt !*"])


def test_the_third_ctrl_c_ends_all_virtual_users_that_block_the_loop(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(vus=3)
        async def test_blocks(vu):
            print("blocked", flush=True)
            while True:
                pass
    """)

    with session_of(service, "--k6-address=") as session:
        session.wait_for("blocked")
        for _ in range(2):
            session.press_ctrl_c()
            assert session.goes_on(0.3)
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines(["*::test_blocks: interrupted, *", "!* KeyboardInterrupt !*"])


def test_the_third_ctrl_c_ends_even_code_that_swallows_every_interruption(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile(
        test_it="""
        import pytest

        def work():
            try:
                while True:
                    pass
            except:
                pass

        @pytest.mark.scenario
        async def test_blocks(vu):
            print("blocked", flush=True)
            while True:
                work()
    """
    )

    with session_of(service, "--k6-address=") as session:
        session.wait_for("blocked")
        for _ in range(2):
            session.press_ctrl_c()
            assert session.goes_on(0.3)
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines([
        "k6: test_it.py:14 blocks the event loop and swallows KeyboardInterrupt, as a bare except:"
        " does; ending the process without results; write except Exception:"
    ])  # fmt: skip


def test_ctrl_c_ends_a_load_test_that_waits_for_its_start(
    pytester: pytest.Pytester, service: Service
):
    write(pytester, pause=0.1)

    with session_of(service, "--k6-address=127.0.0.1:0", "--k6-paused") as session:
        line = session.wait_for("is paused before its start")
        session.press_ctrl_c()
        exit_code = session.end()

    assert (
        "k6: test_browse is paused before its start; to start it: k6 resume -a 127.0.0.1:" in line
    )
    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert "teardown ran" not in session.output
    assert service.paths == []


def test_ctrl_c_before_a_load_test_has_begun_ends_the_session(
    pytester: pytest.Pytester, service: Service
):
    write(pytester, pause=0.1)
    pytester.makeconftest("""
        from pytest_k6api.run import LoadTest

        def run(self, show):  # a moment too short to hit it from outside
            raise KeyboardInterrupt

        LoadTest.run = run
    """)

    with session_of(service, "--k6-address=") as session:
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert "AssertionError" not in session.output
    assert "1 passed" not in session.output


@pytest.mark.parametrize(("expected", "code"), [(1, 0), (2, 1)])
def test_ctrl_c_ends_lingering_and_the_exit_code_stays(
    pytester: pytest.Pytester, service: Service, expected: int, code: int
):
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.scenario(thresholds={{"http_reqs": ["count=={expected}"]}})
        async def test_browse(vu):
            await vu.http.get("/")
    """)

    with session_of(service, "--k6-address=127.0.0.1:0", "--k6-linger") as session:
        line = session.wait_for("k6: lingering")
        assert "load tests" in session.output, "everything is reported before"
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == code
    assert line.startswith("k6: lingering; the control API stays up at http://127.0.0.1:")
    assert line.endswith("until Ctrl-C, and the exit code stays what it is\n")
    assert "KeyboardInterrupt" not in session.output


def test_nobody_lingers_after_ctrl_c(pytester: pytest.Pytester, service: Service):
    write(pytester, pause=0.1)

    with session_of(service, "--k6-address=127.0.0.1:0", "--k6-linger") as session:
        session.wait_for("VU 1 is under way")
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert "k6: lingering" not in session.output
