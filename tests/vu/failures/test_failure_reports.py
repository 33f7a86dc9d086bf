"""Failures of workers: the controller's log is what one process would have counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import MetricsEngine, SerializationError
from pytest_k6api.model import Batch, TagTable
from pytest_k6api.model.metrics import HTTP_REQ_FAILED
from pytest_k6api.vu import (
    FailedRequests,
    Failure,
    FailureKind,
    FailureLog,
    FailureReporter,
    receive_failures,
)
from pytest_k6api.vu.failures.failed_requests import MOST_KINDS
from pytest_k6api.vu.failures.failure_log import ENTRIES, MOST

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=50)


@dataclass
class FakeWitness:
    id: int = 1
    iteration: int = 0
    scenario: str = "test_buy"

    def describe_last_exchange(self) -> str:
        return f"> GET /{self.id}"


def no_shop() -> None:
    raise ValueError("no shop")


def no_money() -> None:
    raise KeyError("money")


def order(number: int) -> None:
    raise ValueError(f"order {number} is lost")


FAULTS: Sequence[Callable[[], None]] = (no_shop, no_money, partial(order, 4711))


class Process:
    """A log of failures, the failed requests, and what tells of both."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log = FailureLog(lambda: self.now)
        self.tags = TagTable()
        self.engine = MetricsEngine(self.tags)
        self.requests = FailedRequests(self.tags)
        self.reporter = FailureReporter(self.log, self.requests)

    def fail(self, at: float, fault: Callable[[], None], *, vu: int = 1) -> None:
        self.now = at
        try:
            fault()
        except Exception as error:  # noqa: BLE001 - as a scenario's are
            self.log.add(FailureKind.ITERATION, error, FakeWitness(vu))

    def request(self, at: float, code: int, *, accepted: bool = False) -> None:
        number = self.tags.intern(
            {"scenario": "buy", "method": "GET", "name": "/", "error_code": str(code)}
        )
        batch = Batch(
            samples=[(HTTP_REQ_FAILED, number, 1)],
            exchanges={number: lambda: f"> GET / at {at}"},
            accepted=[number] if accepted else [],
        )
        self.engine.ingest(batch, at)
        self.requests.note(batch, at)

    def receive(self, worker: "Process", name: str, *, is_last: bool = True) -> None:
        receive_failures(worker.reporter.take(is_last=is_last), name, self.log, self.requests)

    def request_failures(self) -> tuple[Failure, ...]:
        return self.requests.failures(self.engine.failed_requests())


@dataclass
class Step:
    worker: int
    fault: int
    reports: list[int] = field(default_factory=list)


steps = st.lists(
    st.builds(
        Step, st.integers(0, 2), st.integers(0, len(FAULTS) - 1), st.lists(st.integers(0, 2))
    ),
    max_size=20,
)


def facts(log: FailureLog) -> Sequence[object]:
    return sorted(
        (
            failure.message,
            failure.location,
            failure.count,
            failure.share,
            failure.first_at,
            failure.last_at,
            [(example.vu, example.at, example.exchange) for example in failure.examples],
            failure.traceback.splitlines()[-1],
        )
        for failure in log.snapshot({"test_buy": 100})
    )


@unhurried
@given(steps)
def test_failures_split_over_workers_are_those_of_one_process(split: list[Step]) -> None:
    alone, controller, workers = Process(), Process(), [Process() for _ in range(3)]

    for number, step in enumerate(split):
        for process in (alone, workers[step.worker]):
            process.fail(number * 0.5, FAULTS[step.fault], vu=number + 1)
        for worker in step.reports:
            controller.receive(workers[worker], f"worker {worker}", is_last=False)
    for worker, process in enumerate(workers):
        controller.receive(process, f"worker {worker}")

    assert facts(controller.log) == facts(alone.log)


def test_a_failure_names_its_workers_and_each_example_its_own() -> None:
    controller, one, two = Process(), Process(), Process()
    one.fail(2.0, no_shop, vu=3)
    two.fail(1.0, no_shop, vu=4)
    controller.receive(one, "worker 1")
    controller.receive(two, "worker 2")

    (failure,) = controller.log.snapshot()

    assert failure.workers == ("worker 1", "worker 2")
    assert failure.details.startswith("on worker 1, worker 2\nTraceback")
    assert [each.place for each in failure.examples] == [
        "worker 2, VU 4, iteration 0",
        "worker 1, VU 3, iteration 0",
    ]
    assert "worker 2, VU 4, iteration 0, at 1.000 s\n> GET /4" in failure.details
    assert failure.first_traceback is not None
    assert failure.first_traceback.error is None


def test_where_many_workers_fail_their_number_is_told() -> None:
    controller = Process()
    for number in range(4):
        worker = Process()
        worker.fail(0.0, no_shop)
        controller.receive(worker, f"worker {number}")

    (failure,) = controller.log.snapshot()

    assert failure.on_workers == "on 4 workers"


def test_messages_that_vary_are_one_entry_over_all_workers() -> None:
    controller, one, two = Process(), Process(), Process()
    one.fail(0.0, partial(order, 1))
    two.fail(0.0, partial(order, 2))

    controller.receive(one, "worker 1")
    controller.receive(two, "worker 2")

    (failure,) = controller.log.snapshot()
    assert (failure.count, failure.message) == (2, "ValueError: order 1 is lost")


def fault_at(line: int, file: str = "shop.py") -> Callable[[], None]:
    return partial(exec, compile("\n" * line + "raise OSError", file, "exec"))


def test_text_that_no_document_can_carry_travels_too() -> None:
    controller, worker = Process(), Process()
    worker.log.add_check("half an emoji: \ud83d", FakeWitness())

    controller.receive(worker, "worker 1")

    (failure,) = controller.log.snapshot()
    assert failure.message == "half an emoji: \ufffd"


def test_a_traceback_waits_for_a_later_report_where_many_are_new() -> None:
    controller, worker = Process(), Process()
    for line in range(8):
        worker.fail(0.0, fault_at(line))

    rendered = []
    for is_last in (False, False, True):
        controller.receive(worker, "worker 1", is_last=is_last)
        rendered.append(sum(1 for each in controller.log.snapshot() if each.traceback))

    assert rendered == [3, 6, 8]
    assert [each.count for each in controller.log.snapshot()] == [1] * 8


def test_what_is_not_new_is_not_told_again() -> None:
    worker = Process()
    worker.fail(0.0, no_shop)
    worker.request(0.5, 1503)
    told = worker.reporter.take()

    assert len(worker.reporter.take()) < 10 < len(told)


def test_many_workers_cannot_make_more_entries_than_one_process_may() -> None:
    controller = Process()
    for number in range(3):
        worker = Process()
        for line in range(ENTRIES):
            worker.fail(0.0, fault_at(line, f"shop_{number}.py"))
        controller.receive(worker, f"worker {number}")

    failures = controller.log.snapshot()

    assert len(failures) <= MOST
    assert sum(failure.count for failure in failures) == 3 * ENTRIES
    assert [failure.is_rest for failure in failures] == [False] * ENTRIES + [True]


def test_failed_requests_of_workers_have_times_and_one_exchange_of_all() -> None:
    controller, one, two = Process(), Process(), Process()
    one.request(2.0, 1503)
    two.request(1.0, 1503)
    two.request(5.0, 1503, accepted=True)
    controller.request(0.0, 1503)  # what the series of workers would add
    controller.requests = FailedRequests(controller.tags)

    controller.receive(one, "worker 1", is_last=False)
    one.request(3.0, 1503)
    controller.receive(one, "worker 1")
    controller.receive(two, "worker 2")

    (failure,) = controller.request_failures()
    assert (failure.first_at, failure.last_at) == (1.0, 5.0)
    (example,) = failure.examples
    assert (example.place, example.exchange) == ("worker 1", "> GET / at 2.0")


def test_kinds_beyond_the_limit_are_summed_up_over_workers() -> None:
    controller, one, two = Process(), Process(), Process()
    for code in range(MOST_KINDS + 2):
        one.request(1.0, 2000 + code)
        two.request(2.0, 3000 + code)
        controller.request(0.0, 2000 + code)
        controller.request(0.0, 3000 + code)
    controller.requests = FailedRequests(controller.tags)

    controller.receive(one, "worker 1")
    controller.receive(two, "worker 2")

    failures = controller.request_failures()
    assert len(failures) == MOST_KINDS + 1
    assert failures[-1].message.startswith(f"{MOST_KINDS + 4} more kinds, such as ")
    assert sum(failure.count for failure in failures) == 2 * (MOST_KINDS + 2)
    assert (failures[-1].first_at, failures[-1].last_at) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "that begin with b''; those of version 1 begin with b'\\x01'"),
        (b"\x02\x90", "that begin with b'\\x02'; those of version 1 begin with b'\\x01'"),
        (b"\x01", "damaged failures of the worker 'w': "),
        (b"\x01" + msgspec.msgpack.encode([[["iteration"]], []]), "damaged failures of the worker"),
    ],
)
def test_a_damaged_report_is_refused(data: bytes, message: str) -> None:
    controller = Process()

    with pytest.raises(SerializationError) as refusal:
        receive_failures(data, "w", controller.log, controller.requests)

    assert message in str(refusal.value)
