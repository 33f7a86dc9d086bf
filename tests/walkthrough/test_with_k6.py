"""k6's own commands, which know nothing of us, in every phase of a real load test."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.sockets, pytest.mark.k6_binary]

PATIENCE = 20


@pytest.fixture(scope="module")
def k6():
    beside = Path(sys.executable).with_name("k6")
    program = str(beside) if beside.exists() else shutil.which("k6")
    if program is None:
        pytest.skip("the k6 binary is missing")

    def run(session, *command):
        arguments = [program, "--no-color", *command, "-a", session.address]
        return subprocess.run(
            arguments, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    return run


def words(done):
    """Return what a command has printed as YAML of one level."""
    assert done.returncode == 0, done.stderr
    pairs = [line.partition(": ") for line in done.stdout.splitlines()]
    return {name: value.strip('"') for name, _, value in pairs}


def message(done):
    assert done.returncode == 255
    found = re.search(r'msg="(.*)"', done.stderr)
    assert found, done.stderr
    return found[1]


def names(done):
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^- name: (.+)$", done.stdout, re.MULTILINE))


def test_while_it_waits_for_a_resume(paused, k6):
    assert words(k6(paused, "status")) == {
        "status": "4",
        "paused": "true",
        "vus": "0",
        "vus-max": "3",
        "stopped": "false",
        "running": "false",
        "tainted": "false",
    }
    assert {"http_req_duration", "http_reqs{name:home}"} <= names(k6(paused, "stats"))
    assert message(k6(paused, "pause")) == "Pause error: execution is already paused"
    assert words(k6(paused, "resume"))["paused"] == "false"
    assert paused.wait_for(status=7, vus=3)["running"] is True


def test_while_it_runs(running, k6):
    status = words(k6(running, "status"))
    stats = names(k6(running, "stats"))
    refused = message(k6(running, "resume"))

    assert (status["status"], status["vus"], status["running"]) == ("7", "3", "true")
    assert {"http_reqs", "checks", "iterations", "group_duration"} <= stats
    assert refused == "Pause error: test execution wasn't paused"


def test_it_is_scaled(running, k6):
    up = words(k6(running, "scale", "--vus", "4", "--max", "6"))
    running.wait_for(vus=4, vus_max=6)
    down = words(k6(running, "scale", "-u", "1"))
    running.wait_for(vus=1)
    refused = k6(running, "scale", "--vus=-1")
    nothing = k6(running, "scale")

    assert up["vus-max"] == "6"
    assert down["vus-max"] == "6"
    assert message(refused).startswith("Config update error: ")
    assert message(nothing) == "Specify either -u/--vus or -m/--max"


def test_it_is_paused_in_the_middle(running, k6):
    pause = words(k6(running, "pause"))
    status = words(k6(running, "status"))
    again = message(k6(running, "pause"))
    resume = words(k6(running, "resume"))

    assert pause["paused"] == "true"
    assert (status["paused"], status["status"], status["running"]) == ("true", "7", "true")
    assert again == "Pause error: test execution was already paused"
    assert resume["paused"] == "false"
    assert running.wait_for_requests() > 0


def test_when_it_was_stopped(running, k6):
    running.change(stopped=True)
    running.wait_for(running=False)

    status = words(k6(running, "status"))
    stats = names(k6(running, "stats"))
    pause, scale = k6(running, "pause"), k6(running, "scale", "--vus", "2")

    assert (status["status"], status["stopped"], status["vus"]) == ("10", "true", "0")
    assert {"http_reqs", "iterations"} <= stats
    # k6's server would never answer these.
    assert message(pause).startswith("Pause error: ")
    assert scale.returncode == 255
