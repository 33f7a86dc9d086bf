"""A pytest plugin that writes what an output took of the processor time of its load test, to `OUTPUT_SHARE`.

What the output's thread takes is counted by the thread's own clock, and what it takes of the load
test's thread around the calls there. So load and output are measured in the same run, and what
else the machine does makes both longer alike.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_k6api.metrics import Observer, SampleBatch
from pytest_k6api.outputs import QueuedOutput

_spent = {"requests": 0.0, "in the loop": 0.0, "began": 0.0}


def _timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        began = time.thread_time()
        try:
            return function(*arguments, **options)
        finally:
            _spent["in the loop"] += time.thread_time() - began

    return call


def _counting(add: Callable[[QueuedOutput, SampleBatch], None]) -> Callable[..., None]:
    def call(output: QueuedOutput, batch: SampleBatch) -> None:
        named = (series for series in batch.series if series.metric == "http_reqs")
        _spent["requests"] += sum(len(series.samples) for series in named)
        add(output, batch)

    return call


def _starting(start: Callable[[QueuedOutput], None]) -> Callable[[QueuedOutput], None]:
    def call(output: QueuedOutput) -> None:
        start(output)
        _spent["began"] = time.process_time()

    return call


def _telling(run: Callable[[QueuedOutput], None]) -> Callable[[QueuedOutput], None]:
    def call(output: QueuedOutput) -> None:
        run(output)
        thread, loop = time.thread_time(), _spent["in the loop"]
        whole = time.process_time() - _spent["began"]
        status = output.status()
        told = {
            "output": (thread + loop) / _spent["requests"] * 1e6,
            "load": (whole - thread - loop) / _spent["requests"] * 1e6,
            "dropped": status.dropped / (status.written + status.dropped or 1),
        }
        Path(os.environ["OUTPUT_SHARE"]).write_text(json.dumps(told))

    return call


Observer.describe = _timed(Observer.describe)  # type: ignore[method-assign]
QueuedOutput.add = _counting(_timed(QueuedOutput.add))  # type: ignore[method-assign]
QueuedOutput.start = _starting(QueuedOutput.start)  # type: ignore[method-assign, assignment]
QueuedOutput._run = _telling(QueuedOutput._run)  # type: ignore[method-assign, assignment]
