"""What does a load test do when a part of its Dask cluster is lost, or the session is interrupted?

Starts a scheduler and workers as `dask scheduler` and `dask worker` do, runs a load test of
five seconds on them, and then does what the trial is called:

- `worker`, `nanny`: kills a Dask worker with SIGKILL, without a nanny, or with one, which starts it anew;
- `silent`: stops a Dask worker with SIGSTOP, and lets it go on when the session is over;
- `scheduler`: kills the scheduler;
- `once`, `twice`: sends Ctrl-C to the session;
- `controller`: kills the session;
- `two`: runs a second session on the same cluster;
- `tls`: runs it with certificates, and nothing is lost.

What must hold: a loss is told within five seconds, the exit code and the verdict are those
that the policy promises, and no process of a session is left, once what was silent speaks
again. It prints a line for each trial; each takes some twenty seconds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from kill_workers import MARK, Session, leftovers

SUITE = """
import os
import pytest

@pytest.fixture(scope="session")
def log():
    return os.path.abspath(os.environ["K6_TRIAL"] + ".txt")

@pytest.mark.scenario(vus=6, duration="5s")
async def test_it(vu, log):
    await vu.sleep(float(os.environ["K6_TRIAL_STEP"]))
    with open(log, "a") as file:
        file.write(f"{os.getppid()}\\n")
"""
MACHINES = 3
FAST, SLOW = {"K6_TRIAL_STEP": "0.05"}, {"K6_TRIAL_STEP": "1.5"}  # seconds of an iteration
LONGEST = 60.0  # of a wait
TOLD = 5.0


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        address: Its scheduler.
        scheduler: The scheduler's process.
        workers: Those of its workers, or of their nannies.
    """

    address: str
    scheduler: "subprocess.Popen[bytes]"
    workers: "list[subprocess.Popen[bytes]]"


@contextmanager
def running_cluster(
    folder: Path, *, nanny: bool = False, options: tuple[str, ...] = ()
) -> Iterator[Cluster]:
    """Start a scheduler and workers; end them all."""
    place = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    host = ["--host", "127.0.0.1", "--no-dashboard", *options]
    protocol = ["--protocol", "tls" if options else "tcp"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--port", "0", "--scheduler-file", str(place), *host, *protocol],
        **quiet,  # type: ignore[call-overload]
    )
    wait_until(place.exists)
    worker = [
        *(
            *dask,
            "worker",
            "--scheduler-file",
            str(place),
            "--nthreads",
            "1",
            "--memory-limit",
            "0",
        ),
        *("--nanny" if nanny else "--no-nanny", "--local-directory", str(folder), *host, *protocol),
    ]
    workers = [subprocess.Popen(worker, **quiet) for _ in range(MACHINES)]  # type: ignore[call-overload]
    try:
        wait_until(lambda: bool(place.read_text()))
        address = json.loads(place.read_text())["address"]
        yield Cluster(address, scheduler, workers)
    finally:
        for process in (*workers, scheduler):
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process of Dask, which may wait for others that are gone."""
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait until `is_so`; it has to be so after a while."""
    ends = time.monotonic() + LONGEST
    while not is_so():
        if time.monotonic() > ends:
            raise SystemExit(f"waited {LONGEST:g} s in vain")
        time.sleep(0.01)


@dataclass
class Trial:
    """One load test on one cluster, which is under way.

    Attributes:
        folder: Where its suite is.
        cluster: The cluster.
        session: The session.
        policy: What it does about losses.
    """

    folder: Path
    cluster: Cluster
    session: Session
    policy: str

    def told(self, pattern: str, after: float) -> Iterator[str]:
        """Yield what is wrong, unless a line with `pattern` came soon after the moment `after`."""
        at = self.session.first(pattern)
        if at is None:
            yield f"never told: {pattern}"
        elif at - after > TOLD:
            yield f"told after {at - after:.1f} s"

    def ended(self, *codes: int) -> Iterator[str]:
        """Yield what is wrong, unless it ends with one of the exit codes `codes`."""
        try:
            code = self.session.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            yield "it hangs"
            return
        time.sleep(0.2)  # for the reading thread
        if code not in codes:
            yield f"exit code {code}"


def begin(
    folder: Path, cluster: Cluster, policy: str, variables: Mapping[str, str] | None = None
) -> Trial:
    """Start a session, and wait until its load is under way on all machines."""
    (folder / "test_it.py").write_text(SUITE)
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    options = f"--k6-workers={cluster.address}", f"--k6-worker-loss={policy}"
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--k6-address=", *options],
        cwd=folder,
        env={**os.environ, **FAST, **(variables or {}), MARK: mark, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    trial = Trial(folder, cluster, Session("it", policy, process, mark), policy)
    threading.Thread(target=trial.session.read, daemon=True).start()
    log = folder / f"{mark}.txt"
    ends = time.monotonic() + LONGEST
    while not log.exists() or len(set(log.read_text().split())) < MACHINES:
        if process.poll() is not None or time.monotonic() > ends:
            raise SystemExit(f"it does not start:\n{trial.session.text}")
        time.sleep(0.01)
    time.sleep(1.5)  # all have reported once
    return trial


def lose_worker(trial: Trial) -> Iterator[str]:
    """Kill a Dask worker, or its nanny's."""
    nanny = trial.cluster.workers[1].pid
    children = Path(f"/proc/{nanny}/task/{nanny}/children").read_text().split()
    lost = next((int(each) for each in children if is_worker(int(each))), nanny)
    at = time.monotonic()
    os.kill(lost, signal.SIGKILL)
    yield from trial.ended(0 if trial.policy == "replan" else 1)
    yield from trial.told(r"k6: worker \d .* was lost", at)


def is_worker(process: int) -> bool:
    """Return whether a nanny's child is its worker, and not a helper of multiprocessing."""
    return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()


def silence_worker(trial: Trial) -> Iterator[str]:
    """Stop a Dask worker, and let it go on at the end."""
    silent, at = trial.cluster.workers[1], time.monotonic()
    silent.send_signal(signal.SIGSTOP)
    try:
        yield from trial.ended(0 if trial.policy == "replan" else 1)
    finally:
        silent.send_signal(signal.SIGCONT)
    yield from trial.told(r"k6: worker \d .* was lost .* no answer for 3 s", at)


def lose_scheduler(trial: Trial) -> Iterator[str]:
    """Kill the scheduler, without which Dask's workers end."""
    at = time.monotonic()
    trial.cluster.scheduler.kill()
    yield from trial.ended(1)
    yield from trial.told(r"k6: worker \d .* was lost", at)


def press_once(trial: Trial) -> Iterator[str]:
    """Press Ctrl-C."""
    at = time.monotonic()
    trial.session.process.send_signal(signal.SIGINT)
    yield from trial.ended(2)
    yield from trial.told("load test interrupted", at)


def press_twice(trial: Trial) -> Iterator[str]:
    """Press Ctrl-C, and again."""
    at = time.monotonic()
    trial.session.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    trial.session.process.send_signal(signal.SIGINT)
    yield from trial.ended(2)
    yield from trial.told("load test interrupted", at)


def lose_controller(trial: Trial) -> Iterator[str]:
    """Kill the session."""
    trial.session.process.kill()
    yield from trial.ended(-signal.SIGKILL)


def begin_another(trial: Trial) -> Iterator[str]:
    """Start another session on the same cluster."""
    other = begin(trial.folder, trial.cluster, trial.policy)
    yield from trial.ended(0)
    yield from other.ended(0)
    yield from leftovers(other.session.mark)


def lose_nothing(trial: Trial) -> Iterator[str]:
    """Let it run to its end."""
    yield from trial.ended(0)


TRIALS: Mapping[str, Callable[[Trial], Iterator[str]]] = {
    "worker": lose_worker,
    "nanny": lose_worker,
    "silent": silence_worker,
    "scheduler": lose_scheduler,
    "once": press_once,
    "twice": press_twice,
    "controller": lose_controller,
    "two": begin_another,
    "tls": lose_nothing,
}


def certify(folder: Path) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Write certificates; return the options of Dask's processes, and the variables of a session."""
    authority = trustme.CA()
    node = authority.issue_cert("127.0.0.1")
    files = [str(folder / name) for name in ("ca.pem", "node.pem", "node.key")]
    authority.cert_pem.write_to_path(files[0])
    node.cert_chain_pems[0].write_to_path(files[1])
    node.private_key_pem.write_to_path(files[2])
    flags = "--tls-ca-file", "--tls-cert", "--tls-key"
    names = "CA_FILE", "CLIENT__CERT", "CLIENT__KEY"
    return (
        tuple(f"{flag}={file}" for flag, file in zip(flags, files, strict=True)),
        {
            f"DASK_DISTRIBUTED__COMM__TLS__{name}": file
            for name, file in zip(names, files, strict=True)
        },
    )


def run_trial(name: str, policy: str) -> list[str]:
    """Return what is wrong."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        options, variables = certify(folder) if name == "tls" else ((), {})
        if name == "twice":
            variables = SLOW
        with running_cluster(folder, nanny=name == "nanny", options=options) as cluster:
            trial = begin(folder, cluster, policy, variables)
            problems = [*TRIALS[name](trial), *leftovers(trial.session.mark, patience=20.0)]
            if problems:
                problems.append(trial.session.text)
    return problems


def main() -> None:
    """Lose parts of clusters, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", choices=("fail", "replan"), default="fail")
    parser.add_argument("trials", nargs="*", choices=[*TRIALS, []], default=[])
    options = parser.parse_args()
    wrong = 0
    for name in options.trials or TRIALS:
        began = time.monotonic()
        problems = run_trial(name, options.policy)
        wrong += bool(problems)
        took = time.monotonic() - began
        print(
            f"{options.policy:8}{name:12}{took:6.1f} s  {'; '.join(problems) or 'ok'}", flush=True
        )
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
