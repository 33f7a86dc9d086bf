"""The worker processes of a session: started before its first load test, ended after its last."""

import sys
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from itertools import count
from types import MappingProxyType

import pytest

from pytest_k6api.distributed import Fingerprint, Leave, Worker, encode
from pytest_k6api.plugin.collection.detection import WORKER_NUMBER, will_run_load_tests
from pytest_k6api.plugin.reporting.terminal import tell
from pytest_k6api.plugin.workers.fingerprints import fingerprint_of
from pytest_k6api.plugin.workers.measuring import measured
from pytest_k6api.plugin.workers.places import Place

PATIENCE = 30.0
"""Seconds that workers have to tear their fixtures down, once the session is over."""

_PATIENCE_WITH_IDLE = 5.0  # seconds for one that was given no load test: it may still collect


class WorkerProcesses:
    """The workers of one session, each in a process of its own.

    Attributes:
        fingerprint: What workers have to have in common with this session; from `note_items` on.

    Args:
        config: The controller's.
        place: Where they run.

    Raises:
        CarrierError: One cannot be started.
    """

    fingerprint: Fingerprint

    def __init__(self, config: pytest.Config, place: Place) -> None:
        self._config = config
        self._place = place
        self._numbers = count(1)
        self._workers: list[Worker] = []  # in the order of their shares
        self._lost: list[Worker] = []
        try:
            self._workers += [self._start(share) for share in range(1, place.count + 1)]
        except BaseException:
            self.close()
            raise

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Let the workers go if load tests were found, but none is about to run; end them afterwards.

        Innermost, because others sum up then what workers have written, such as pytest-cov.
        """
        if not will_run_load_tests(session):
            self.dismiss()
        result = yield
        self.close()
        return result

    def note_items(self, items: Iterable[pytest.Item]) -> None:
        """Note what the session has collected, which workers have to collect as well."""
        self.fingerprint = fingerprint_of(items)

    def ready(self) -> tuple[Worker, ...]:
        """Return the workers, with new ones in place of those that are lost."""
        for worker in filter(_is_lost, self._workers[:]):
            worker.carrier.wait(PATIENCE)
            self.start_successor(worker)
        return tuple(self._workers)

    def start_successor(self, lost: Worker) -> Worker:
        """Start another process for the share of `lost`; from any thread.

        Raises:
            CarrierError: It cannot be started.
        """
        successor = self._workers[lost.share - 1] = self._start(lost.share, lost.rows)
        self._lost.append(lost)
        return successor

    def dismiss(self) -> None:
        """Let all workers end, but do not wait for it."""
        farewell = encode(Leave())
        for worker in (*self._workers, *self._lost):
            worker.carrier.close(farewell)

    def close(self) -> None:
        """Let all workers end, and end those that do not; harmless when repeated."""
        self.dismiss()
        workers = [*self._workers, *self._lost]
        self._workers, self._lost = [], []
        try:
            self._wait(workers)
        except KeyboardInterrupt:
            tell(self._config, "k6: not waiting for the teardown of fixtures on workers")
        finally:
            for worker in workers:
                if not worker.carrier.wait(0.0):
                    worker.carrier.kill()
                    worker.carrier.wait(PATIENCE)
            self._place.close()

    def _wait(self, workers: Iterable[Worker]) -> None:
        began = time.monotonic()
        for worker in workers:
            patience = PATIENCE if worker.order else _PATIENCE_WITH_IDLE
            rest = max(0.0, began + patience - time.monotonic())
            if not (worker.is_lost or worker.carrier.wait(rest)) and worker.order:
                text = (
                    f"k6: {worker} has not torn its fixtures down within {PATIENCE:g} s, and is"
                    " ended"
                )
                tell(self._config, text, yellow=True)

    def _start(self, share: int, rows: Mapping[str, int] = MappingProxyType({})) -> Worker:
        config, number = self._config, next(self._numbers)
        process = self._place.start(
            number,
            share,
            [*self._pytest(), *map(str, config.invocation_params.args), *self._more(number)],
            {WORKER_NUMBER: f"{number}/{self._place.count}"},
            keeps_output=config.getoption("capture", "fd") != "no",
        )
        return Worker(number, process, share, rows)

    def _pytest(self) -> Sequence[str]:
        """Return arguments of Python that start pytest, which imports as this session does."""
        folder = str(self._config.invocation_params.dir)
        # `python -m pytest` imports from the current folder, `pytest` does not.
        safely = [] if folder in sys.path or "" in sys.path else ["-P"]
        measuring = measured(self._config) if self._place.shares_files else []
        return [*safely, *measuring, "-m", "pytest"]

    def _more(self, number: int) -> Sequence[str]:
        """Return arguments that a worker has of its own."""
        more = []
        # Each session empties the folder that it is given.
        if self._config.getoption("basetemp", None):
            factory = self._config._tmp_path_factory  # type: ignore[attr-defined]  # as xdist does
            more.append(f"--basetemp={factory.getbasetemp() / f'k6w{number}'}")
        if self._config.pluginmanager.has_plugin("_cov"):
            more.append("--no-cov")  # see `measuring`
        if self._config.pluginmanager.has_plugin("logging-plugin"):
            more.append("--log-file=")  # the controller's has the records of all
        # Collection shuffled by chance would differ from worker to worker.
        seed = getattr(self._config.option, "randomly_seed", None)
        if isinstance(seed, int):
            more.append(f"--randomly-seed={seed}")
        return more


def _is_lost(worker: Worker) -> bool:
    return worker.is_lost
