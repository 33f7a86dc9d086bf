import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.model import parse_duration
from pytest_k6api.vu.failures.tracebacks import (
    code_location,
    failing_line,
    group_message,
    hint_for,
    one_line,
    render_traceback,
    trim_traceback,
)


def _raised(function: Callable[..., object], *args: object) -> Exception:
    try:
        function(*args)
    except Exception as error:  # noqa: BLE001  # returned to the test
        return error
    pytest.fail("nothing was raised")


def _read_json() -> None:
    json.loads("{")


def test_the_place_is_in_the_users_code_and_not_in_a_library() -> None:
    code, line = failing_line(_raised(_read_json))

    assert code is _read_json.__code__
    assert line == _read_json.__code__.co_firstlineno + 1


def test_a_group_of_exceptions_points_to_its_first() -> None:
    def raise_group() -> None:
        raise ExceptionGroup("two", [_raised(_read_json), ValueError()])

    assert failing_line(_raised(raise_group))[0] is _read_json.__code__


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert failing_line(ValueError()) == (None, 0)
    assert code_location(None, 0) == ""


def test_a_place_is_told_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = _read_json.__code__

    assert code_location(code, 7) == "tests/vu/failures/test_tracebacks.py:7"
    monkeypatch.chdir(tmp_path)
    assert code_location(code, 7) == f"{__file__}:7"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no shop\nat all"), "ValueError: no shop"),
        (AssertionError(), "AssertionError"),
        (ExceptionGroup("wrapped", [ValueError("no shop")]), "ValueError: no shop"),
        (
            ExceptionGroup("wrapped", [ValueError("a"), ValueError("b")]),
            "ExceptionGroup: wrapped (2 sub-exceptions)",
        ),
    ],
)
def test_an_exception_is_told_in_one_line(error: BaseException, line: str) -> None:
    assert one_line(error) == line


def test_a_message_is_grouped_by_a_short_start_of_it() -> None:
    assert len(group_message("x" * 100_000)) == 200


def test_a_traceback_begins_in_the_users_code() -> None:
    def ask() -> None:
        raise LookupError

    error = _raised(parse_duration, "1")
    assert trim_traceback(error).__traceback__ is not None
    text = render_traceback(trim_traceback(_raised(ask)))
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("LookupError")


def test_a_stop_iteration_out_of_a_coroutine_is_told_as_it_was_raised() -> None:
    async def take() -> None:
        raise StopIteration("no more rows")

    def step() -> None:  # as the package awaits a scenario
        take().send(None)

    error = _raised(step)

    assert type(error) is RuntimeError
    assert failing_line(error)[0] is take.__code__
    assert one_line(error) == "StopIteration: no more rows"
    assert type(trim_traceback(error)) is StopIteration


def test_a_body_that_is_no_keyword_is_explained() -> None:
    class SyncClient:
        def post(self, url: str, **options: object) -> None: ...

    client: Any = SyncClient()

    hint = hint_for(_raised(client.post, "/", {"a": 1}))

    assert hint == "a body is a keyword: json=, data= for a form, or content= for bytes and text"


def test_most_errors_need_no_advice() -> None:
    assert hint_for(TypeError("f() takes 2 positional arguments but 3 were given")) == ""
