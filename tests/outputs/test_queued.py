"""Outputs never hold a load test up, and never lose samples in silence."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from pytest_k6api.metrics import SampleBatch, Series
from pytest_k6api.model import Contains, MetricKind
from pytest_k6api.outputs import BatchRefused, OutputError, OutputUnavailable, QueuedOutput
from tests.outputs.receiving import wait_until


def batch(*values: float) -> SampleBatch:
    series = Series(
        metric="orders",
        kind=MetricKind.TREND,
        contains=Contains.DEFAULT,
        tags={},
        values=values,
        times_us=(0,) * len(values),
    )
    return SampleBatch(at=0.0, elapsed=0.0, series=(series,))


class Target:
    """Keeps what it is given; `before` is called ahead of each write."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.taken: list[float] = []
        self.calls: list[str] = []
        self._before = before

    def open(self) -> None:
        self.calls.append("open")

    def write(self, batches):
        self.calls.append("write")
        self._before()
        for each in batches:
            self.taken += each.series[0].values

    def close(self) -> None:
        self.calls.append("close")


def test_samples_arrive_in_their_order_and_the_target_is_closed_once():
    target = Target()
    output = QueuedOutput("file", target, period=0.001)

    output.start()
    output.add(batch(1.0, 2.0))
    output.add(batch(3.0))
    output.stop()

    assert target.taken == [1.0, 2.0, 3.0]
    assert (target.calls[0], target.calls[-1]) == ("open", "close")
    status = output.status()
    assert (status.written, status.dropped, status.waiting, status.error) == (3, 0, 0, "")


def test_what_was_added_between_two_writes_is_one_write():
    target = Target()
    output = QueuedOutput("file", target, period=3600)

    output.start()
    for number in range(50):
        output.add(batch(number))
    output.stop()

    assert target.calls == ["open", "write", "close"]
    assert len(target.taken) == 50


def test_a_round_takes_so_many_samples_at_once_that_neither_memory_nor_the_count_suffers():
    target = Counting()
    output = QueuedOutput("file", target, period=0.001)

    output.start()
    for _ in range(25):
        output.add(batch(*(1.0,) * 10_000))
    target.may_begin.set()
    output.stop()

    assert (output.status().written, output.status().dropped) == (250_000, 0)
    assert sum(target.sizes) == 25
    assert max(target.sizes) == 5


class Counting(Target):
    """Counts the batches of each write, from when it may begin on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_begin = threading.Event()
        self.sizes: list[int] = []

    def write(self, batches):
        self.may_begin.wait()
        self.sizes.append(len(batches))
        super().write(batches)


def test_a_target_that_blocks_drops_what_exceeds_the_queue_and_counts_it():
    release = threading.Event()
    began = threading.Event()

    def block():
        began.set()
        assert release.wait(30)

    target = Target(block)
    output = QueuedOutput("slow", target, period=0.001, capacity=5)

    output.start()
    output.add(batch(1.0, 2.0))
    assert began.wait(30)
    output.add(batch(3.0, 4.0, 5.0))
    output.add(batch(6.0))
    release.set()
    output.stop()

    assert target.taken == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert output.status().dropped == 1


def test_a_target_that_is_away_gets_the_same_samples_when_it_is_back():
    attempts = []

    def be_away_twice():
        attempts.append("attempt")
        if len(attempts) < 3:
            raise OutputUnavailable("connection refused")

    target = Target(be_away_twice)
    output = QueuedOutput("remote", target, period=0.001)

    output.start()
    output.add(batch(1.0))
    wait_until(lambda: output.status().written == 1)
    output.stop()

    assert target.taken == [1.0]
    status = output.status()
    assert (status.retries, status.error, status.dropped) == (2, "", 0)


def test_a_target_that_stays_away_is_given_up_when_the_load_test_has_ended():
    def be_away():
        raise OutputUnavailable("connection refused")

    output = QueuedOutput("remote", Target(be_away), period=0.001, close_timeout=0.2)

    output.start()
    output.add(batch(1.0))
    output.stop()

    status = output.status()
    assert (status.written, status.dropped, status.waiting) == (0, 1, 0)
    assert status.error == "connection refused"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OutputError("the token was refused"), "the token was refused"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("a bug"), "ValueError: a bug"),
    ],
)
def test_a_target_that_failed_gets_no_more_samples(error, text):
    def fail():
        raise error

    target = Target(fail)
    output = QueuedOutput("disk", target, period=0.001)

    output.start()
    output.add(batch(1.0))
    wait_until(lambda: output.status().error != "")
    output.add(batch(2.0))
    output.stop()

    assert target.calls == ["open", "write", "close"]
    status = output.status()
    assert (status.written, status.dropped, status.error) == (0, 2, text)


def test_a_target_that_hangs_does_not_hold_up_the_end():
    release = threading.Event()
    output = QueuedOutput(
        "hangs", Target(lambda: assert_released(release)), period=0.001, close_timeout=0.05
    )

    output.start()
    output.add(batch(1.0))
    output.stop()

    status = output.status()
    assert (status.dropped, status.error) == (1, "took longer than 0.05 s for what was left")
    release.set()


def assert_released(release: threading.Event) -> None:
    assert release.wait(30)


def test_a_target_that_cannot_be_opened_is_told_before_any_load():
    class Locked(Target):
        def open(self):
            raise PermissionError(13, "Permission denied")

    output = QueuedOutput("file", Locked())

    with pytest.raises(PermissionError):
        output.start()


def test_a_refused_batch_is_dropped_and_later_ones_are_written():
    answers = [BatchRefused("400: a label is too long")]

    def refuse_once():
        if answers:
            raise answers.pop()

    target = Target(refuse_once)
    output = QueuedOutput("remote", target, period=0.001)

    output.start()
    output.add(batch(1.0, 2.0))
    wait_until(lambda: output.status().dropped == 2)
    output.add(batch(3.0))
    output.stop()

    status = output.status()
    assert target.taken == [3.0]
    assert (status.written, status.dropped, status.retries) == (1, 2, 0)
    assert status.error == "400: a label is too long"


def test_a_full_queue_is_told_as_the_reason_of_the_loss():
    output = QueuedOutput("slow", Target(), period=3600, capacity=1)

    output.start()
    output.add(batch(1.0, 2.0))
    output.stop()

    status = output.status()
    assert (status.written, status.dropped) == (0, 2)
    assert status.error == "the target takes samples too slowly"


class Sums:
    """Adds up what it is given; `before` is called ahead of each push."""

    def __init__(self, before: Callable[[], None] = lambda: None, push_period: float = 0.001):
        self.push_period = push_period
        self.total = 0.0
        self.pushed: list[tuple[float, bool]] = []
        self._before = before

    def open(self) -> None:
        """Nothing to acquire."""

    def aggregate(self, batch: SampleBatch) -> None:
        self.total += sum(batch.series[0].values)

    def push(self, *, final: bool) -> None:
        self._before()
        self.pushed.append((self.total, final))

    def close(self) -> None:
        """Nothing to release."""


def has_added_up(target: Sums, total: float) -> bool:
    return target.total == total


def test_sums_are_pushed_now_and_then_and_finally():
    target = Sums()
    output = QueuedOutput("sums", target, period=0.001)

    output.start()
    output.add(batch(1.0, 2.0))
    wait_until(lambda: output.status().written == 2)
    output.add(batch(4.0))
    output.stop()

    assert target.pushed[-1] == (7.0, True)
    assert [final for _, final in target.pushed[:-1]] == [False] * (len(target.pushed) - 1)
    assert (output.status().written, output.status().waiting) == (3, 0)


def test_samples_go_on_adding_up_beyond_the_queue_while_the_target_of_sums_is_away():
    is_away = threading.Event()
    is_away.set()

    def refuse():
        if is_away.is_set():
            raise OutputUnavailable("connection refused")

    target = Sums(refuse)
    output = QueuedOutput("sums", target, period=0.001, capacity=2)

    output.start()
    for number in range(10):
        output.add(batch(1.0, 1.0))
        wait_until(partial(has_added_up, target, 2 * number + 2))
    away = output.status()
    is_away.clear()
    output.stop()

    assert (away.dropped, away.waiting, away.error) == (0, 20, "connection refused")
    assert target.pushed[-1] == (20.0, True)
    status = output.status()
    assert (status.written, status.dropped, status.error) == (20, 0, "")
    assert status.retries >= 1


def test_sums_that_are_refused_are_in_the_next_push():
    answers = [BatchRefused("400: out of order")]

    def refuse_once():
        if answers:
            raise answers.pop()

    target = Sums(refuse_once)
    output = QueuedOutput("sums", target, period=0.001)

    output.start()
    output.add(batch(1.0))
    wait_until(lambda: not answers)
    output.stop()

    status = output.status()
    assert target.pushed[-1] == (1.0, True)
    assert (status.written, status.dropped, status.error) == (1, 0, "")


def test_outputs_that_are_ended_together_share_the_time_for_what_is_left():
    release = threading.Event()
    outputs = [
        QueuedOutput(
            name, Target(lambda: assert_released(release)), period=0.001, close_timeout=0.2
        )
        for name in ("one", "two", "three", "four", "five")
    ]
    for output in outputs:
        output.start()
        output.add(batch(1.0))

    for output in outputs:
        output.end()
    for output in outputs:
        output.stop()
    release.set()

    # Each of the later ones would be given up after 0.2 s more.
    ends = [output._deadline or 0.0 for output in outputs]
    assert max(ends) - min(ends) < 0.2
    assert [output.status().dropped for output in outputs] == [1] * 5
