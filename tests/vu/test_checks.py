from typing import Any

import pytest
import trio

from pytest_k6api.vu import VU, FailureKind
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import Exit, Failed, FakeLoadTest, Skipped


async def _nothing() -> None:
    """Do nothing."""


@in_virtual_time
async def test_each_question_is_counted_and_the_answer_is_whether_all_hold() -> None:
    load = FakeLoadTest()
    vu = load.user(_nothing).vu

    some = vu.check(503, {"is small": lambda n: n < 1000, "is 200": lambda n: n == 200})
    every = vu.check(200, {"is 200": lambda n: n == 200, "is a number": True})

    assert (some, every) == (False, True)
    assert load.samples("checks", "check") == [
        (1.0, "is small"),
        (0.0, "is 200"),
        (1.0, "is 200"),
        (1.0, "is a number"),
    ]


@in_virtual_time
async def test_any_truthy_answer_passes() -> None:
    load = FakeLoadTest()
    answers: dict[str, Any] = {"list": [0], "empty": [], "none": None, "one": lambda _: 1}

    load.user(_nothing).vu.check("", answers)

    assert load.samples("checks") == [1.0, 0.0, 0.0, 1.0]


@in_virtual_time
async def test_a_false_check_is_kept_with_the_line_that_asked() -> None:
    load = FakeLoadTest()

    load.user(_nothing).vu.check(503, {"is 200": lambda n: n == 200})

    failure = load.the_failure()
    assert (failure.kind, failure.message) == (FailureKind.CHECK, "is 200")
    assert failure.location.startswith("tests/vu/test_checks.py:")


@in_virtual_time
@pytest.mark.parametrize("error", [KeyError("token"), Failed("token")], ids=repr)
async def test_a_predicate_that_raises_is_a_failed_check(error: BaseException) -> None:
    load = FakeLoadTest()

    def has_token(_: object) -> bool:
        raise error

    assert load.user(_nothing).vu.check({}, {"has a token": has_token}) is False
    assert load.samples("checks") == [0.0]
    assert load.the_failure().message == f"has a token: {type(error).__name__}: {error}"
    assert "in has_token" in load.the_failure().traceback


@in_virtual_time
async def test_an_async_predicate_is_refused_and_not_taken_for_a_yes() -> None:
    load = FakeLoadTest()

    async def is_fine(_: object) -> bool:
        return True

    load.user(_nothing).vu.check(1, {"is fine": is_fine})

    assert load.samples("checks") == [0.0]
    assert load.the_failure().message == (
        "is fine: TypeError: the check 'is fine' is async; await first, and check what that gives"
    )


@in_virtual_time
async def test_a_checked_block_that_raises_nothing_passes() -> None:
    load = FakeLoadTest()

    with load.user(_nothing).vu.checked("adds up"):
        assert 1 + 1 == 2

    assert load.samples("checks", "check") == [(1.0, "adds up")]


@in_virtual_time
@pytest.mark.parametrize("error", [AssertionError("no"), KeyError("no"), Failed("no")], ids=repr)
async def test_what_a_checked_block_raises_is_counted_and_goes_no_further(
    error: BaseException,
) -> None:
    load = FakeLoadTest()

    with load.user(_nothing).vu.checked("adds up"):
        raise error

    assert load.samples("checks", "check") == [(0.0, "adds up")]
    assert load.the_failure().message == f"adds up: {type(error).__name__}: {error}"


@in_virtual_time
@pytest.mark.parametrize("error", [Skipped(), Exit(), KeyboardInterrupt()], ids=repr)
async def test_what_is_no_failure_passes_a_checked_block(error: BaseException) -> None:
    load = FakeLoadTest()
    vu = load.user(_nothing).vu

    with pytest.raises(type(error)), vu.checked("adds up"):
        raise error

    assert load.samples("checks") == []


@in_virtual_time
async def test_an_interruption_passes_a_checked_block() -> None:
    load = FakeLoadTest()

    async def browse(vu: VU) -> None:
        with vu.checked("is quick"):
            await vu.sleep(9)

    with trio.move_on_after(1) as scope:
        await load.user(browse).run_iteration()

    assert scope.cancelled_caught
    assert load.samples("checks") == []
