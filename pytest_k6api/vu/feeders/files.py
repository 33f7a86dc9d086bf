"""Readers of data files: CSV with a header, and JSON lines."""

import csv
import difflib
import errno
import json
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from pytest_k6api.model import OptionError


def read_rows(source: str | Path, folder: Path) -> Callable[[], Iterator[Any]]:
    """Return a function that reads a file row by row; it raises OptionError for a malformed row.

    Args:
        source: The file's path, as it was written.
        folder: The folder of a relative path.

    Raises:
        OptionError: There is no such file, it cannot be read, its suffix is unknown, or it
            has no first row.
    """
    __tracebackhide__ = True  # pytest shows the declaration, not this code
    path = folder / source
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise OptionError(
            f"cannot tell how to read {str(path)!r}; a feeder reads"
            f" {', '.join(_READERS)} files, or any iterable"
        )
    try:
        _open_once(path)
    except FileNotFoundError:
        raise OptionError(
            f"there is no file {str(path)!r} to feed from; {_where_to_look(path, folder)}"
        ) from None
    except (OSError, ValueError) as error:  # the second for a NUL in the path
        raise OptionError(
            f"cannot read {str(path)!r} to feed from: {getattr(error, 'strerror', error)}; write"
            " the path of a file that may be read"
        ) from None
    rows = partial(read, path)
    # The commonest mistakes show in the first row: they are told before any load.
    with closing(rows()) as first:
        if next(first, _NOTHING) is _NOTHING:
            raise OptionError(f"{path.name}: there are no rows; write one at least")
    return rows


_NOTHING = object()


def _open_once(path: Path) -> None:
    __tracebackhide__ = True
    # To open a pipe would wait for its writer, and take what it writes from the load test.
    if not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    path.open("rb").close()


def _where_to_look(path: Path, folder: Path) -> str:
    there = [found.name for found in path.parent.glob("*") if found.suffix in _READERS]
    near = difflib.get_close_matches(path.name, there, n=1)
    if near:
        return f"did you mean {str(path.with_name(near[0]))!r}?"
    return f"write a path from {str(folder)!r} on, where its module is, or an absolute one"


def _lines(path: Path) -> Iterator[str]:
    __tracebackhide__ = True
    # utf-8-sig: Excel begins its CSV files with a byte order mark.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.encode()
            except UnicodeEncodeError as error:
                byte = ord(line[error.start]) & 0xFF
                raise OptionError(
                    f"{path.name}:{number}: no UTF-8: the byte {byte:#04x}; save it as UTF-8"
                ) from None
            yield line


def _read_csv(path: Path) -> Generator[dict[str, str], None, None]:
    __tracebackhide__ = True
    # strict: a quote that nothing closes would take the rest of the file for one value.
    reader = csv.reader(_lines(path), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise OptionError(f"{path.name}:1: two columns have the same name: {header}")
        for row in reader:
            if len(row) not in (0, len(header)):
                raise OptionError(
                    f"{path.name}:{reader.line_num}: the header has {len(header)} columns,"
                    f" this row has {len(row)}: {row}"
                )
            if row:
                yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise OptionError(
            f"{path.name}:{reader.line_num}: no CSV: {error}; close every quote"
        ) from None


def _read_json_lines(path: Path) -> Generator[Any, None, None]:
    __tracebackhide__ = True
    for number, line in enumerate(_lines(path), start=1):
        if text := line.strip():
            try:
                row = json.loads(text)
            except json.JSONDecodeError as error:
                raise OptionError(
                    f"{path.name}:{number}: no JSON: {error.msg} at column {error.colno}"
                ) from None
            except (ValueError, RecursionError) as error:
                raise OptionError(f"{path.name}:{number}: no JSON: {error}") from None
            yield row


_READERS: dict[str, Callable[[Path], Generator[Any, None, None]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
