"""Output of user code on workers: gathered there, and written where pytest is.

A worker's pytest captures what is printed, and its handler gets what is logged. Each report
takes both along, so the controller's own pytest shows it as it shows what is written there: in
the sections of a failed test, live with ``-s``, in the live log and the log file.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_k6api.distributed import LogLine, UserOutput
from pytest_k6api.model import storable
from pytest_k6api.plugin.hooks.stash_keys import EXCHANGES
from pytest_k6api.plugin.runtime.output_limits import MOST_RECORDS, MOST_TEXT, shortened
from pytest_k6api.plugin.runtime.vu_output import PREFIX, print_past_capture, vu_prefix

_TRACEBACKS = logging.Formatter()


class GatheredOutput(logging.Handler):
    """What user code of this worker has written and logged.

    Args:
        config: The session's.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        self._exchanges: list[str] = config.stash.setdefault(EXCHANGES, [])
        self._log: list[LogLine] = []
        self._seen = 0

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Gather meanwhile."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep `record`, if it is one of the first."""
        self._seen += 1
        if self._seen <= MOST_RECORDS:
            self._log.append(_log_line(record))

    def take(self) -> UserOutput:
        """Return what is new."""
        out, err = self._capture.read_global_capture() if self._capture else ("", "")
        exchanges, self._exchanges[:] = _first(self._exchanges), []
        log, self._log = self._log, []
        return UserOutput(_as_sent(out), _as_sent(err), tuple(exchanges), tuple(log))


def write_output(config: pytest.Config, output: UserOutput) -> None:
    """Write what a worker has gathered, as if it had been written here."""
    sys.stdout.write(output.stdout)
    sys.stderr.write(output.stderr)
    for line in output.log:
        record = logging.makeLogRecord(_record(line))
        logging.getLogger(line.logger).handle(record)
    if output.exchanges:
        print_past_capture(config, output.exchanges)


def _as_sent(text: str) -> str:
    return storable(shortened(text), 2 * MOST_TEXT) if text else text


def _first(lines: list[str]) -> list[str]:
    """Return the first of `lines`, as many as a report has room for."""
    size = 0
    for number, line in enumerate(lines):
        size += len(line)
        if size > MOST_TEXT:
            return [*lines[:number], f"… and {len(lines) - number:,} more lines of exchanges"]
    return lines[:]


def _log_line(record: logging.LogRecord) -> LogLine:
    error = record.exc_info
    traceback = _TRACEBACKS.formatException(error) if error and error[1] else ""
    return LogLine(
        logger=storable(record.name),
        level=record.levelno,
        level_name=record.levelname,
        path=storable(record.pathname),
        line=record.lineno,
        function=record.funcName or "",
        at=record.created,
        message=storable(record.getMessage(), MOST_TEXT),
        traceback=storable(traceback, MOST_TEXT),
        prefix=vu_prefix(),
    )


def _record(line: LogLine) -> dict[str, object]:
    return {
        "name": line.logger,
        "levelno": line.level,
        "levelname": line.level_name,
        "pathname": line.path,
        "filename": line.path.rpartition("/")[2],
        "lineno": line.line,
        "funcName": line.function,
        "created": line.at,
        "msecs": line.at % 1 * 1000,
        "msg": line.message,
        "exc_text": line.traceback or None,
        PREFIX: line.prefix,
    }
