"""What does a load test lose with a worker that is killed, whenever that is?

Each trial runs a load test of two or three seconds on two workers, and kills one with
SIGKILL, or stops it with `--stop`, at a random moment between the start of its process and
the end of the session.
Virtual users note each iteration that they end. What must hold each time:

- the loss is told, within five seconds of the kill, or of the load test's begin;
- the session ends, with the exit code that the policy promises;
- each iteration counts that survivors ended, and that the lost worker ended two
  seconds before its kill or earlier; none counts twice, and a number of iterations is whole;
- no process is left.

It prints a line for each trial, and a table. It takes about five seconds for each.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SUITE = """
import os, time
import pytest

@pytest.fixture(scope="session")
def log():
    return os.path.abspath("ended.txt")

def scenario(kind):
    async def test(vu, log):
        await vu.sleep(0.05)
        with open(log, "a") as file:
            file.write(f"{os.getpid()} {time.monotonic()}\\\\n")
    return test

test_shared = pytest.mark.scenario(
    executor="shared-iterations", vus=4, iterations=120, max_duration="60s")(scenario("shared"))
test_vus = pytest.mark.scenario(vus=4, duration="2s")(scenario("vus"))
test_rate = pytest.mark.scenario(
    executor="constant-arrival-rate", rate=40, duration="2s", pre_allocated_vus=10)(scenario("rate"))
"""
KINDS = ("test_shared", "test_vus", "test_rate")
SHARED = 120  # iterations of `test_shared`
SURELY_TOLD = 2.0  # seconds after which a worker has reported, on a busy machine too
LONGEST = 60.0  # of a session
MARK = "K6_TRIAL"  # a variable that all processes of a session inherit


@dataclass
class Session:
    """One session of pytest, and what it printed when."""

    kind: str
    policy: str
    process: "subprocess.Popen[str]"
    mark: str
    lines: list[tuple[float, str]] = field(default_factory=list)

    def read(self) -> None:
        """Note what it prints, until it prints no more."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip()))

    def first(self, pattern: str) -> float | None:
        """Return when the first line with `pattern` came; None if none did."""
        return next((at for at, line in self.lines if re.search(pattern, line)), None)

    @property
    def text(self) -> str:
        """All that it printed."""
        return "\n".join(line for _, line in self.lines)


def processes_of(mark: str) -> Iterator[int]:
    """Yield the processes of the session with `mark`."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"{MARK}={mark}".encode() in environment:
                yield int(entry.name)


def start(folder: Path, kind: str, policy: str, mark: str) -> Session:
    """Start the load test `kind` of the suite in `folder`."""
    command = [
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--k6-address=",
        "--k6-workers=2", f"--k6-worker-loss={policy}", "--k6-report=report.json",
        f"test_it.py::{kind}",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, MARK: mark, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    session = Session(kind, policy, process, mark)
    threading.Thread(target=session.read, daemon=True).start()
    return session


def wait_for_workers(session: Session) -> list[int]:
    """Wait until both workers have a process; return these."""
    while len(found := sorted(set(processes_of(session.mark)) - {session.process.pid})) < 2:
        if session.process.poll() is not None:
            raise SystemExit(f"no workers have started:\n{session.text}")
        time.sleep(0.005)
    return found


def wait_for_moment(session: Session, folder: Path, dice: random.Random) -> None:
    """Wait for some moment: of start-up, of the run, or about its end."""
    if dice.random() < 1 / 3:
        time.sleep(dice.uniform(0, 1.5))
        return
    while not ended(folder) and session.process.poll() is None:
        time.sleep(0.005)
    time.sleep(dice.uniform(0, 2.0) if dice.random() < 0.6 else dice.uniform(1.7, 3.0))


def ended(folder: Path) -> list[tuple[int, float]]:
    """Return the process of each iteration that ended, and when."""
    path = folder / "ended.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(pid), float(at)) for pid, at in map(str.split, lines)]


def check(session: Session, folder: Path, lost: int, at: float) -> Iterator[str]:
    """Yield what is wrong with a session whose worker `lost` was killed at `at`."""
    kind, policy = session.kind, session.policy
    told = session.first(rf"k6: worker \d+ \(process {lost}\) was lost")
    noted = ended(folder)
    code, failed = session.process.returncode, "load test failed" in session.text
    load_test = json.loads((folder / "report.json").read_text())["load_tests"][0]
    counted = load_test["numbers"].get("iterations", {"count": 0})["count"]
    if told is not None:
        began = min((moment for _, moment in noted), default=at)
        if told - max(at, began) > 5:
            yield f"told after {told - at:.1f} s"
    elif counted != len(noted):
        yield f"not told, and {len(noted)} iterations ended, {counted} count"
    if policy == "fail" and failed != (code == 1):
        yield f"exit code {code}, failed: {failed}"
    if policy == "replan" and code != 0:
        yield f"exit code {code}"
    surely = [each for each in noted if each[0] != lost or each[1] < at - SURELY_TOLD]
    if not len(surely) <= counted <= len(noted):
        yield f"{counted} iterations count, {len(surely)} to {len(noted)} should"
    if kind == "test_shared" and not failed and counted != SHARED:
        yield f"{counted} of {SHARED} iterations count"


def trial(
    kind: str, policy: str, how: signal.Signals, dice: random.Random
) -> tuple[str, list[str]]:
    """Return what happened, and what is wrong."""
    mark = f"{os.getpid()}-{dice.random()}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_it.py").write_text(SUITE.replace("\\\\n", "\\n"))
        session = start(folder, kind, policy, mark)
        workers = wait_for_workers(session)
        wait_for_moment(session, folder, dice)
        lost = dice.choice(workers)
        is_over = session.process.poll() is not None or lost not in processes_of(mark)
        at = time.monotonic()
        if not is_over:
            os.kill(lost, how)
        try:
            session.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            for pid in processes_of(mark):
                os.kill(pid, signal.SIGKILL)
            return "hangs", [f"it hangs:\n{session.text}"]
        time.sleep(0.2)  # for the reading thread
        problems = [*check(session, folder, lost, at)]
        problems += leftovers(mark)
        what = "after its end" if is_over else stage(session, folder, at)
        if problems:
            problems.append(session.text)
        return what, problems


def leftovers(mark: str, patience: float = 5.0) -> list[str]:
    """Return which processes do not end by themselves within `patience` seconds, as a problem."""
    ends = time.monotonic() + patience
    while left := [*processes_of(mark)]:
        if time.monotonic() > ends:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return [f"processes are left: {left}"]
        time.sleep(0.05)
    return []


def stage(session: Session, folder: Path, at: float) -> str:
    """Return in which part of its session a worker was killed."""
    moments = [moment for _, moment in ended(folder)]
    if not moments or at < min(moments):
        return "start-up"
    if session.first(r"was lost") is None:
        return "end, all told"
    return "run" if at < max(moments) else "end"


def main() -> None:
    """Kill workers, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", choices=("fail", "replan"), default="fail")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument(
        "--stop", action="store_true", help="stop workers instead, which are silent"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    how = signal.SIGSTOP if options.stop else signal.SIGKILL
    stages: Counter[str] = Counter()
    wrong = 0
    for number in range(options.kills):
        kind = KINDS[number % len(KINDS)]
        what, problems = trial(kind, options.policy, how, dice)
        stages[what] += 1
        wrong += bool(problems)
        print(f"{number + 1:4} {kind:12} {what:14} {'; '.join(problems) or 'ok'}", flush=True)
    print(f"\n{options.policy}: {options.kills} kills, {wrong} with problems; {dict(stages)}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
