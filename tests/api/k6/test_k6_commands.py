"""The command-line clients of the real k6 binary, against a fake load test in each phase."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.fake import FakeLoadTest, FakeSession
from tests.api.recorded import load_exchanges
from tests.api.wire import served

FOUND = shutil.which("k6", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

pytestmark = [
    pytest.mark.k6_binary,
    pytest.mark.sockets,
    pytest.mark.skipif(FOUND is None, reason="the k6 binary is not installed"),
]


class K6:
    """Runs k6's commands against one load test."""

    def __init__(self, address: str, session: FakeSession) -> None:
        self._address = address
        self.session = session

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(FOUND), *command.split(), "-a", self._address],
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "NO_COLOR": "1"},
            check=False,
        )

    def status(self, command: str) -> dict[str, str]:
        """Return what a command that succeeds prints, line by line."""
        done = self.run(command)
        assert done.returncode == 0, done.stderr
        return dict(line.split(": ") for line in done.stdout.splitlines())

    def error(self, command: str) -> str:
        """Return the message of a command that fails."""
        done = self.run(command)
        assert (done.returncode, done.stdout) == (255, "")
        return str(json.loads(done.stderr.rpartition("msg=")[2]))


@pytest.fixture(scope="module")
def k6() -> Iterator[K6]:
    session = FakeSession()
    with served(session) as address:
        yield K6(address, session)


def enter(k6: K6, phase: str) -> FakeLoadTest:
    load_test = FakeLoadTest(phase)
    k6.session.load_tests = [load_test]
    return load_test


def test_status_shows_all_seven_values(k6: K6) -> None:
    enter(k6, "running")

    assert k6.status("status") == {
        "status": "7",
        "paused": '"false"',
        "vus": '"2"',
        "vus-max": '"5"',
        "stopped": "false",
        "running": "true",
        "tainted": "false",
    }


def test_pause_and_resume(k6: K6) -> None:
    enter(k6, "running")

    paused = k6.status("pause")
    assert (paused["paused"], paused["vus"], paused["status"]) == ('"true"', '"0"', "7")
    assert k6.error("pause") == "Pause error: test execution was already paused"

    assert k6.status("resume")["vus"] == '"2"'
    assert k6.error("resume") == "Pause error: test execution wasn't paused"


def test_a_test_that_waits_for_its_start(k6: K6) -> None:
    load_test = enter(k6, "paused-before-run")

    assert k6.error("pause") == "Pause error: execution is already paused"
    scaled = k6.status("scale --vus 3")
    assert (scaled["vus"], scaled["vus-max"]) == ('"0"', '"5"')
    assert load_test.vus == 3
    resumed = k6.status("resume")
    assert (resumed["status"], resumed["paused"], resumed["running"]) == ("4", '"false"', "false")


def test_scale(k6: K6) -> None:
    enter(k6, "running")

    assert k6.error("scale --vus 9") == (
        "Config update error: invalid configuration supplied: the number of active VUs (9) must"
        " be less than or equal to the number of maxVUs (5)"
    )
    scaled = k6.status("scale --vus 4 --max 9")
    assert (scaled["vus"], scaled["vus-max"]) == ('"4"', '"9"')
    assert k6.error("scale --max 4") == (
        "Config update error: the new number of max VUs cannot be lower than the starting number"
        " of max VUs (5)"
    )


@pytest.mark.parametrize("phase", ["created", "init-vus", "setup", "teardown", "stopping"])
def test_status_answers_in_every_phase(k6: K6, phase: str) -> None:
    load_test = enter(k6, phase)

    assert k6.status("status")["status"] == str(int(load_test.phase))


def test_an_ended_test_refuses_instead_of_hanging(k6: K6) -> None:
    enter(k6, "ended-linger")

    assert k6.status("status")["running"] == "false"
    assert k6.error("pause") == "Pause error: the load test has ended"
    assert k6.error("scale --vus 1") == "Config update error: the load test has ended"


def test_before_the_first_load_test(k6: K6) -> None:
    k6.session.load_tests = []

    assert k6.status("status")["status"] == "0"
    assert k6.error("pause") == "No load test: no load test of this session has started yet"
    assert k6.run("stats").stdout.strip() == "[]"


def test_a_blocked_loop_takes_commands_later_and_k6_is_content(k6: K6) -> None:
    load_test = enter(k6, "running")
    load_test.blocked = 3.2

    assert k6.status("pause")["paused"] == '"false"'
    load_test.unblock()
    assert k6.status("status")["paused"] == '"true"'


def test_stats_shows_every_metric(k6: K6) -> None:
    recorded = next(x for x in load_exchanges() if x.name == "mall_metrics_mid")
    load_test = recorded.load_test()
    k6.session.load_tests = [load_test]

    done = k6.run("stats")

    names = [line.removeprefix("- name: ") for line in done.stdout.splitlines() if "name:" in line]
    assert done.returncode == 0
    assert [name.strip("'") for name in names] == list(load_test.metrics)
    with urllib.request.urlopen(f"http://{k6._address}/v1/metrics") as reply:
        assert [item["id"] for item in json.load(reply)["data"]] == list(load_test.metrics)
