from dataclasses import dataclass
from types import CodeType

import pytest

from pytest_k6api.vu import FailureKind, FailureLog
from pytest_k6api.vu.failures.failure_log import ENTRIES, EXAMPLES, MESSAGES_PER_LOCATION, MOST


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
    assert (
        failure.location
        == f"tests/vu/failures/test_failure_log.py:{_fail.__code__.co_firstlineno + 2}"
    )


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
        (ValueError("status 500"), ValueError("status 503"), 1),
        (ValueError("user 7 of 1,200"), ValueError("user 12345678901 of 9"), 1),
        (ValueError("no item b7-x1"), ValueError("no item c9-y22"), 1),
        (
            ValueError("no 7f0c2b1e-3b7a-4ad5-9f6e-1f2d3c4b5a69"),
            ValueError("no c0ffee11-aaaa-bbbb-cccc-dddddddddddd"),
            1,
        ),
        (ValueError("digest deadbeefcafe"), ValueError("digest beefdeadcafe"), 1),
        (KeyError("ann"), KeyError("bob's"), 1),
        (ValueError('no "ann" here'), ValueError('no "bob" here'), 1),
        (ValueError("http://a.test/x/y is gone"), ValueError("http://a.test/z?q=1 is gone"), 1),
        (ValueError("http://a.test/x is gone"), ValueError("http://b.test/x is gone"), 2),
        (ValueError("it isn't there"), ValueError("it isn't here"), 2),
        (ValueError("no shop"), ValueError("no bank"), 2),
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


WORDS = [f"{one}{other}" for one in "ghijklmnopqrstuvwxyz" for other in "ghijklmnopqrstuvwxyz"]


def test_ever_new_messages_of_one_place_do_not_use_up_all_entries() -> None:
    log = FailureLog(FakeClock())

    for word in WORDS:
        _fail(log, ValueError(f"user {word} is unknown"))

    failures = log.snapshot()
    assert len(failures) == MESSAGES_PER_LOCATION + 1
    rest = failures[-1]
    assert rest.is_rest
    assert rest.count == 400 - MESSAGES_PER_LOCATION
    assert rest.message == "ValueError: user gl is unknown (and others)"
    assert "ValueError: user gl is unknown" in rest.traceback
    assert rest.location.startswith("tests/vu/failures/test_failure_log.py:")
    assert rest.examples[0].exchange == "> GET /0"


def test_what_sums_up_the_rest_comes_last_however_frequent_it_is() -> None:
    log = FailureLog(FakeClock())

    for word in WORDS:
        _fail(log, ValueError(f"user {word} is unknown"))
    _fail(log, LookupError("no shop"))

    assert [failure.is_rest for failure in log.snapshot()] == [False] * 5 + [True] * 2


def test_beyond_the_number_of_entries_there_is_one_for_each_type() -> None:
    log = FailureLog(FakeClock())

    for code in _places(ENTRIES):
        log.add_check("is 200", FakeWitness(), location=(code, 1))
    for number in range(50):
        _fail(log, ValueError(f"user {number} is unknown"))
        _fail(log, LookupError(f"no shop {number}"))
        log.add_check("is 200", FakeWitness(), location=(_places(200)[100 + number], 1))

    rest = log.snapshot()[ENTRIES:]
    assert [(each.count, each.message) for each in rest] == [
        (50, "ValueError: user 0 is unknown (and others)"),
        (50, "LookupError: no shop 0 (and others)"),
        (50, "is 200 (and others)"),
    ]
    assert "LookupError: no shop 0" in rest[1].traceback


def test_the_number_of_entries_is_bounded_also_where_each_failure_has_a_type_of_its_own() -> None:
    log = FailureLog(FakeClock())

    for number in range(MOST + 50):
        _fail(log, type(f"Error{number}", (Exception,), {})("no"))

    failures = log.snapshot()
    assert len(failures) <= MOST + 1
    assert sum(failure.count for failure in failures) == MOST + 50


@dataclass
class FakeResponse:
    status_code: int


class StatusError(Exception):
    def __init__(self, text: str, status: int, name: str | None = None) -> None:
        super().__init__(text)
        self.response = FakeResponse(status)
        if name is not None:
            self.name = name


def test_an_error_with_a_response_is_told_by_its_status_and_the_name_of_the_request() -> None:
    log = FailureLog(FakeClock())

    for number in range(100):
        url = f"http://shop.test/products/{number}"
        _fail(log, StatusError(f"GET product: {404 - number % 2}", 404 - number % 2, "product"))
        _fail(log, StatusError(f"GET {url}: 404", 404, url))
        _fail(log, StatusError(f"Client error '410' for url '{url}'", 410))

    assert [(each.count, each.message) for each in log.snapshot()] == [
        (100, "StatusError: GET http://shop.test/products/0: 404"),
        (100, "StatusError: Client error '410' for url 'http://shop.test/products/0'"),
        (50, "StatusError: GET product: 404"),
        (50, "StatusError: GET product: 403"),
    ]


class Unprintable(Exception):
    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def __str__(self) -> str:
        raise self.error

    __repr__ = __str__


@pytest.mark.parametrize("kind", [AttributeError, SystemExit, BaseExceptionGroup])
def test_an_exception_that_cannot_be_printed_is_counted_all_the_same(
    kind: type[BaseException],
) -> None:
    log = FailureLog(FakeClock())
    noted = Unprintable(kind)
    noted.add_note("a note")
    group = ExceptionGroup("two", [Unprintable(kind), ValueError("b")])

    _fail(log, noted)
    _fail(log, ExceptionGroup("one", [Unprintable(kind)]))
    _fail(log, group)
    log.add_check("is fine", FakeWitness(), error=Unprintable(kind))

    failures = log.snapshot()
    assert sorted({each.message for each in failures}) == [
        "ExceptionGroup: two (2 sub-exceptions)",
        "Unprintable: <exception str() failed>",
        "is fine: Unprintable: <exception str() failed>",
    ]
    assert all("<exception str() failed>" in each.traceback for each in failures)


def test_a_message_holds_nothing_that_a_file_cannot_hold() -> None:
    log = FailureLog(FakeClock())

    _fail(log, ValueError("half \ud83d and \0"))

    assert log.snapshot()[0].message == "ValueError: half \ufffd and \ufffd"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no running event loop"),
        RuntimeError("There is no current event loop in thread 'VU 1'."),
        RuntimeError("Timeout should be used inside a task"),
        TypeError("trio.run received unrecognized yield message <Future>. Are you"),
        ExceptionGroup("", [RuntimeError("no running event loop")]),
    ],
    ids=str,
)
def test_calls_of_asyncio_get_a_hint(error: Exception) -> None:
    log = FailureLog(FakeClock())

    _fail(log, error)

    (failure,) = log.snapshot()
    assert failure.hint.startswith(
        "scenarios, VU fixtures, setup and teardown run on Trio, not on asyncio: write vu.sleep(1)"
        " or trio.sleep(1) for asyncio.sleep(1)"
    )
    assert failure.hint in failure.details


def test_a_call_through_trio_asyncio_without_its_loop_gets_a_hint() -> None:
    log = FailureLog(FakeClock())

    # As trio-asyncio 0.16 raises it; the call itself would leave a coroutine behind.
    step = compile("None.run_aio_coroutine", "/site-packages/trio_asyncio/_adapter.py", "exec")
    with pytest.raises(AttributeError) as caught:
        exec(step)
    _fail(log, caught.value)

    (failure,) = log.snapshot()
    assert "put `import trio_asyncio` at the top of the test module" in failure.hint


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
