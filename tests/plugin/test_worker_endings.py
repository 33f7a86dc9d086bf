"""Ends of sessions with workers: whatever ends one, no process is left, and what was measured is told."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.plugin.conftest import Service
from tests.plugin.sessions import session_of

pytestmark = pytest.mark.slow


def wait_for_end(processes: set[int]) -> None:
    """Wait until none of `processes` is there."""
    ends = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in processes):
        assert time.monotonic() < ends, f"some of {processes} are still there"
        time.sleep(0.05)


def noted_processes(pytester: pytest.Pytester) -> set[int]:
    return {int(line) for line in (pytester.path / "processes.txt").read_text().split()}


NOTE = """
    import os, subprocess, sys, time
    import pytest

    def note(process):
        with open("processes.txt", "a") as file:
            file.write(f"{process}\\n")
"""

LONG = (
    NOTE
    + """
    @pytest.mark.scenario(
        vus=2, duration="1h", graceful_stop="1h", teardown=lambda: print("torn down", flush=True)
    )
    async def test_browse(vu):
        if vu.iteration == 0:
            note(os.getpid())
            print(f"VU {vu.id} is under way", flush=True)
        await vu.sleep(0.1)
"""
)


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_ends_it_gracefully_on_all_workers(
    pytester: pytest.Pytester, service: Service, number: signal.Signals, name: str
):
    pytester.makepyfile(LONG)

    arguments = "--k6-address=", "--k6-workers=2", "--k6-out=json=out.json"
    with session_of(service, *arguments) as session:
        for _ in range(2):
            session.wait_for("is under way")
        session.send(number)
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert session.output.count("test session starts") == 1, "workers have no terminal"
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines(
        [
            f"k6: {name}: ending; iterations that run have their graceful stop *",
            "torn down",
            f"load test interrupted: stopped early: interrupted by {name}",
            "*::test_browse: interrupted, *",
            f"!* a load test was interrupted by {name} !*",
        ]
    )
    assert "was lost" not in session.output
    written = [json.loads(line) for line in (pytester.path / "out.json").read_text().splitlines()]
    assert sum(each["metric"] == "iterations" for each in written if each["type"] == "Point") >= 2
    assert len(noted_processes(pytester)) == 2
    wait_for_end(noted_processes(pytester))


BLOCKED = (
    NOTE
    + """
    @pytest.mark.scenario(vus=2, duration="1h")
    async def test_blocks(vu):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        note(os.getpid())
        note(child.pid)
        print(f"VU {vu.id} is under way", flush=True)
        while True:
            pass
"""
)


def test_the_third_ctrl_c_ends_workers_that_are_blocked_and_what_they_have_started(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile(BLOCKED)

    with session_of(service, "--k6-address=", "--k6-workers=2") as session:
        for _ in range(2):
            session.wait_for("is under way")
        session.press_ctrl_c()
        session.wait_for("a second one interrupts them at once")
        assert session.goes_on(0.3)  # signals that are not told apart by time would be one
        session.press_ctrl_c()
        session.wait_for("ending at once")
        assert session.goes_on(0.3)
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines(
        [
            "k6: Ctrl-C, the third: ending without what still runs",
            "k6: worker ? (process *) was lost at *: the load test ended without it; *",
            "*::test_blocks: interrupted, *",
            "!* KeyboardInterrupt !*",
        ]
    )
    assert len(noted_processes(pytester)) == 4
    wait_for_end(noted_processes(pytester))


def test_without_its_controller_even_a_worker_that_is_blocked_ends_with_what_it_has_started(
    pytester: pytest.Pytester, service: Service
):
    pytester.makeconftest(
        "import pytest_k6api.distributed.worker_link as link\n\nlink.LEAVING_TIME = 0.5"
    )
    pytester.makepyfile(BLOCKED)

    with session_of(service, "--k6-address=", "--k6-workers=2") as session:
        for _ in range(2):
            session.wait_for("is under way")
        session.send(signal.SIGKILL)
        session.wait()

    assert len(noted_processes(pytester)) == 4
    wait_for_end(noted_processes(pytester))


def test_ctrl_c_ends_the_wait_for_fixtures_of_workers_and_the_exit_code_stays(
    pytester: pytest.Pytester, service: Service
):
    pytester.makeconftest("""
        from pytest_k6api.plugin.workers.processes import WorkerProcesses

        def wait(self, workers, wait=WorkerProcesses._wait):
            print("the end: waiting for workers", flush=True)
            wait(self, workers)

        WorkerProcesses._wait = wait
    """)
    pytester.makepyfile(
        NOTE
        + """
    @pytest.fixture(scope="session")
    def pool(request):
        yield
        if hasattr(request.config, "workerinput"):
            note(os.getpid())
            print("the end: a pool is being closed", flush=True)
            time.sleep(600)

    @pytest.mark.scenario(vus=2, iterations=2, worker_fixtures=["pool"])
    async def test_it(vu, pool): ...
    """
    )

    with session_of(service, "--k6-address=", "--k6-workers=2") as session:
        for _ in range(3):  # in any order
            session.wait_for("the end: ")
        session.press_ctrl_c()
        session.wait_for("k6: not waiting for the teardown of fixtures on workers")
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.OK
    assert "KeyboardInterrupt" not in session.output
    assert len(noted_processes(pytester)) == 2
    wait_for_end(noted_processes(pytester))


def test_a_worker_that_does_not_end_is_told_and_ended(pytester: pytest.Pytester, service: Service):
    pytester.makeconftest("""
        import atexit, time
        import pytest_k6api.plugin.workers.processes as processes

        processes.PATIENCE = 0.5

        def pytest_configure(config):
            if getattr(config, "workerinput", {}).get("workerid") == "k6w2":
                atexit.register(time.sleep, 600)
    """)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(vus=2, iterations=2)
        async def test_it(vu): ...
    """)

    with session_of(service, "--k6-address=", "--k6-workers=2") as session:
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.OK
    pytest.LineMatcher(session.output.splitlines()).fnmatch_lines(
        ["k6: worker 2 (process *) has not torn its fixtures down within 0.5 s, and is ended"]
    )
