"""Soft asserts: blocks that are counted as a check and never raise."""

import sys
from types import CodeType, TracebackType

from pytest_k6api.model import CHECK_ROWS, Recorder
from pytest_k6api.vu.context import ExceptionRules, Verdict
from pytest_k6api.vu.failures.failure_log import FailureLog, Witness


class Checked:
    """A check of one block: it passes if the block raises nothing.

    What is raised is counted and kept for the report, but not passed on, except
    for interruptions and skips.
    """

    __slots__ = ("_failures", "_name", "_recorder", "_rules", "_witness")

    def __init__(
        self,
        name: str,
        *,
        witness: Witness,
        recorder: Recorder,
        failures: FailureLog,
        rules: ExceptionRules,
    ) -> None:
        self._name = name
        self._witness = witness
        self._recorder = recorder
        self._failures = failures
        self._rules = rules

    def __enter__(self) -> None:
        """Nothing is measured: a check has no duration."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if error is None:
            record_check(self._recorder, self._name, passed=True)
            return False
        if self._rules.judge(error) is not Verdict.FAILED:
            return False
        record_check(self._recorder, self._name, passed=False)
        self._failures.add_check(self._name, self._witness, error=error)
        return True


def record_check(recorder: Recorder, name: str, *, passed: bool) -> None:
    """Record how the check `name` went, at the place where its VU stands."""
    tags_id = recorder.context.check_id(name)
    recorder.buffer.rows[CHECK_ROWS].append((tags_id, 1.0 if passed else 0.0))


def calling_line(depth: int) -> tuple[CodeType, int]:
    """Return the code and line of the frame that is `depth` calls above the caller."""
    frame = sys._getframe(depth)
    return frame.f_code, frame.f_lineno
