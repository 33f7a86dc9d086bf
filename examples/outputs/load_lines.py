"""An output for `--k6-out=lines=FILE`: a line for each request that took more than a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pytest_k6api import OutputContext, OutputError, QueuedOutput, SampleBatch

SLOW = 1000.0  # milliseconds


class SlowRequests:
    """Writes to a file; used by the output's thread alone, so it may take its time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: TextIO

    def open(self) -> None:
        self._file = Path(self._path).open("w", encoding="utf-8")  # noqa: SIM115 - see close

    def write(self, batches: Sequence[SampleBatch]) -> None:
        for batch in batches:
            for series in batch.series:
                if series.metric == "http_req_duration" and max(series.values) > SLOW:
                    slow = [value for value in series.values if value > SLOW]
                    print(series.tags["name"], *slow, file=self._file)

    def close(self) -> None:
        self._file.close()


def make_output(context: OutputContext) -> QueuedOutput:
    if not context.target:
        raise OutputError("takes a file, such as lines=slow.txt")
    return QueuedOutput("lines", SlowRequests(context.target))
