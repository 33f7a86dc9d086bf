"""Ctrl-C in sessions of their own: once, twice, and where the loop does not move."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plugin.conftest import Service

pytestmark = pytest.mark.slow


class Session:
    """A pytest session in a process of its own, that tells in lines how far it is."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.output = ""

    def wait_for(self, text: str) -> str:
        """Read until a line contains `text`; return it."""
        assert self._process.stdout
        for line in self._process.stdout:
            self.output += line
            if text in line:
                return line
        pytest.fail(f"no line with {text!r} in:\n{self.output}")

    def press_ctrl_c(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def goes_on(self, seconds: float) -> bool:
        """Wait; return whether the session has not ended by then."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def end(self) -> int:
        """Return the exit code, with the rest of the output read."""
        assert self._process.stdout
        self.output += self._process.stdout.read()
        return self._process.wait(30)


@contextmanager
def session_of(service: Service, *arguments: str) -> Iterator[Session]:
    command = [
        *(sys.executable, "-u", "-m", "pytest", "-s", "-p", "k6api", "-p", "no:cacheprovider"),
        *(f"--k6-base-url={service.url}", *arguments),
    ]
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(command, stdout=pipe, stderr=both, text=True) as process:
        try:
            yield Session(process)
        finally:
            process.kill()


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
