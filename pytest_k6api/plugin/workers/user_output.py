"""Output of user code on workers: gathered there, and written where pytest is.

A worker's pytest captures what is printed, and its handler gets what is logged. Each report
takes both along, so the controller's own pytest shows it as it shows what is written there: in
the sections of a failed test, live with ``-s``, in the live log and the log file. Warnings and
properties go the same way, to the summary of warnings and to JUnit XML.
"""

import builtins
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_k6api.distributed import LogLine, UserOutput, WarningLine
from pytest_k6api.model import storable
from pytest_k6api.plugin.hooks.stash_keys import EXCHANGES
from pytest_k6api.plugin.runtime.output_limits import (
    MOST_RECORDS,
    MOST_TEXT,
    shortened,
    watched_warnings,
)
from pytest_k6api.plugin.runtime.vu_output import PREFIX, print_past_capture, vu_prefix

_TRACEBACKS = logging.Formatter()


class GatheredOutput(logging.Handler):
    """What user code of this worker has written and logged.

    Args:
        item: The load test.
    """

    def __init__(self, item: pytest.Item) -> None:
        super().__init__()
        config, self._properties = item.config, item.user_properties
        self._recorded = len(self._properties)
        self._warnings: list[WarningLine] = []
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
            with watched_warnings(self._keep):
                yield
        finally:
            root.removeHandler(self)

    def _keep(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int
    ) -> bool:
        self._warnings.append(
            WarningLine(
                text=storable(str(message), MOST_TEXT),
                module=category.__module__,
                category=category.__qualname__,
                path=storable(filename),
                line=lineno,
            )
        )
        return True

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
        warned, self._warnings = self._warnings, []
        recorded = [_property(*each) for each in self._properties[self._recorded :]]
        self._recorded += len(recorded)
        return UserOutput(
            stdout=_as_sent(out),
            stderr=_as_sent(err),
            exchanges=tuple(exchanges),
            log=tuple(log),
            warnings=tuple(warned),
            properties=tuple(recorded),
        )


def write_output(item: pytest.Item, output: UserOutput) -> None:
    """Write what a worker has gathered, as if it had been written here."""
    sys.stdout.write(output.stdout)
    sys.stderr.write(output.stderr)
    for line in output.log:
        record = logging.makeLogRecord(_record(line))
        logging.getLogger(line.logger).handle(record)
    for warned in output.warnings:
        category = _category(warned)
        # The filters have let it pass on the worker, which has the same.
        warnings.showwarning(category(warned.text), category, warned.path, warned.line)
    item.user_properties += output.properties
    if output.exchanges:
        print_past_capture(item.config, output.exchanges)


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


def _category(line: WarningLine) -> type[Warning]:
    """Return the category of a warning: the class itself if it is imported here, or else its like."""
    found = getattr(sys.modules.get(line.module, builtins), line.category, None)
    # Their text is all that is known: those that take more are stood for by their like, too.
    if (
        isinstance(found, type)
        and issubclass(found, Warning)
        and found.__init__ is Warning.__init__
    ):
        return found
    return type(line.category, (UserWarning,), {"__module__": line.module})


def _property(name: str, value: object) -> tuple[str, str | int | float | bool | None]:
    if value is None or isinstance(value, (str, bool, int, float)):
        return storable(name), value
    return storable(name), storable(str(value), MOST_TEXT)


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
