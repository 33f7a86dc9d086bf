from dataclasses import dataclass
from types import CodeType

import pytest

from pytest_k6api.load import FailureKind, FailureLog
from pytest_k6api.load.failures import ENTRIES, EXAMPLES, MESSAGES_PER_PLACE, OTHER


@dataclass
class FakeWitness:
    id: int = 1
    iteration: int = 0
    scenario: str = "test_buy"
    exchanges: int = 0

    def describe_last_exchange(self) -> str:
        self.exchanges += 1
        return f"> GET /{self.iteration}"


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _fail(log: FailureLog, error: Exception, witness: FakeWitness | None = None) -> None:
    try:
        raise error
    except type(error) as raised:
        log.add(FailureKind.ITERATION, raised, witness or FakeWitness())


def _places(count: int) -> list[CodeType]:
    return [compile(f"line = {number}", f"shop_{number}.py", "exec") for number in range(count)]


def test_like_failures_are_one_entry_with_its_count_and_times() -> None:
    clock = FakeClock()
    log = FailureLog(clock)

    for clock.now in (1.5, 2.5, 4.0):
        _fail(log, ValueError("no shop"))

    (failure,) = log.snapshot({"test_buy": 12})
    assert (failure.message, failure.count, failure.share) == ("ValueError: no shop", 3, 0.25)
    assert (failure.first_at, failure.last_at) == (1.5, 4.0)
    assert failure.place == f"tests/load/test_failures.py:{_fail.__code__.co_firstlineno + 2}"


def test_without_iterations_there_is_no_share() -> None:
    log = FailureLog(FakeClock())
    _fail(log, ValueError())

    assert log.snapshot()[0].share is None


def test_entries_come_most_frequent_first() -> None:
    log = FailureLog(FakeClock())
    for error in (KeyError("a"), ValueError("b"), ValueError("b"), OSError("c")):
        _fail(log, error)

    assert [failure.count for failure in log.snapshot()] == [2, 1, 1]


@pytest.mark.parametrize(
    ("one", "other", "entries"),
    [
        (ValueError("status 500"), ValueError("status 503"), 2),
        (ValueError("order 471100"), ValueError("order 471101"), 1),
        (ValueError("took 0.25 s"), ValueError("took 0.31 s"), 1),
        (ValueError("<A at 0x7f01>"), ValueError("<A at 0x7f02>"), 1),
        (ValueError("same\nfirst"), ValueError("same\nsecond"), 1),
        (ValueError("same"), KeyError("same"), 2),
    ],
    ids=str,
)
def test_messages_are_alike_but_for_what_differs_each_time(
    one: Exception, other: Exception, entries: int
) -> None:
    log = FailureLog(FakeClock())

    _fail(log, one)
    _fail(log, other)

    assert len(log.snapshot()) == entries


def test_failures_of_two_scenarios_are_kept_apart() -> None:
    log = FailureLog(FakeClock())

    _fail(log, ValueError(), FakeWitness(scenario="test_buy"))
    _fail(log, ValueError(), FakeWitness(scenario="test_browse"))

    assert {failure.scenario for failure in log.snapshot()} == {"test_buy", "test_browse"}


def test_only_the_first_traceback_and_the_first_requests_are_rendered() -> None:
    rendered = []

    def render(error: BaseException) -> str:
        rendered.append(error)
        return "the traceback"

    log = FailureLog(FakeClock(), render)
    witness = FakeWitness()
    for witness.iteration in range(100):
        _fail(log, ValueError(), witness)

    (failure,) = log.snapshot()
    assert witness.exchanges == EXAMPLES
    assert failure.details == (
        "the traceback\n"
        "VU 1, iteration 0, at 0.000 s\n> GET /0\n"
        "VU 1, iteration 1, at 0.000 s\n> GET /1\n"
        "VU 1, iteration 2, at 0.000 s\n> GET /2"
    )
    assert len(rendered) == 1


def test_ever_new_messages_of_one_place_do_not_use_up_all_entries() -> None:
    log = FailureLog(FakeClock())

    for number in range(500):
        _fail(log, ValueError(f"user {number} is unknown"))

    failures = log.snapshot()
    assert len(failures) == MESSAGES_PER_PLACE + 1
    assert (failures[0].message, failures[0].count) == (OTHER, 500 - MESSAGES_PER_PLACE)
    assert failures[0].place.startswith("tests/load/test_failures.py:")


def test_what_finds_no_entry_is_only_counted() -> None:
    log = FailureLog(FakeClock())

    for code in _places(ENTRIES + 50):
        log.add_check("is 200", FakeWitness(), place=(code, 1))

    failures = log.snapshot()
    assert len(failures) == ENTRIES + 1
    assert (failures[0].message, failures[0].place, failures[0].count) == (OTHER, "", 50)
    assert sum(failure.count for failure in failures) == ENTRIES + 50


def test_a_traceback_is_rendered_when_it_is_read_and_only_once() -> None:
    rendered: list[str] = []

    def render(error: BaseException) -> str:
        rendered.append(str(error))
        return "the traceback"

    log = FailureLog(FakeClock(), render)
    _fail(log, ValueError("outside"))
    (failure,) = log.snapshot()

    assert rendered == []
    assert (failure.traceback, failure.traceback) == ("the traceback", "the traceback")
    assert rendered == ["outside"]
