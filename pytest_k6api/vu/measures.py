"""Blocks of code that are measured under a name: what no metric of ours knows of.

One built-in pair of metrics serves every name (a tag), so nothing needs to be
declared. A context manager without a generator, because it may stand around
every query of an iteration (``benchmarks/bench_iteration.py``).
"""

from collections.abc import Mapping
from types import TracebackType

from pytest_k6api.model import TagContext
from pytest_k6api.model.metrics import MEASURED_DURATION, MEASURED_FAILED
from pytest_k6api.vu.context import ExceptionRules, Verdict
from pytest_k6api.vu.groups import GroupStack


class Measured:
    """One block, used in a ``with`` statement; reusable, not reentrant.

    Its duration and whether it failed are recorded when it is left, also by an
    exception, which is passed on. A block that an interruption or a skip cuts
    off records nothing: it was neither fast nor slow.
    """

    __slots__ = ("_began", "_name", "_rules", "_stack", "_tags")

    def __init__(
        self,
        name: str,
        tags: Mapping[str, object] | None,
        *,
        stack: GroupStack,
        rules: ExceptionRules,
    ) -> None:
        self._name = name
        self._tags = tags
        self._stack = stack
        self._rules = rules

    def __enter__(self) -> None:
        self._began = self._stack.now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        ended = self._stack.now()
        if error is not None and self._rules.judge(error) is not Verdict.FAILED:
            return
        recorder = self._stack.recorder
        tags_id = self._tags_id(recorder.context)
        duration_us = int((ended - self._began) * 1e6 + 0.5)
        recorder.buffer.samples += (
            (MEASURED_DURATION, tags_id, duration_us),
            (MEASURED_FAILED, tags_id, 0.0 if error is None else 1.0),
        )

    def _tags_id(self, place: TagContext) -> int:
        if self._tags:
            more = {str(key): str(value) for key, value in self._tags.items()}
            return place.id_with({**more, "name": self._name})
        # Requests of a place are remembered there by longer keys than this one.
        key = ("measured", self._name)
        number = place.requests.get(key)
        if number is None:
            number = place.requests[key] = place.id_with({"name": self._name})
        return number
