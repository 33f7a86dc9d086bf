"""Readers of data files: CSV with a header, and JSON lines."""

import csv
import difflib
import json
from collections.abc import Callable, Iterator
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
        OptionError: There is no such file, it cannot be read, or its suffix is unknown.
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
        path.open("rb").close()
    except FileNotFoundError:
        raise OptionError(
            f"there is no file {str(path)!r} to feed from; {_where_to_look(path, folder)}"
        ) from None
    except OSError as error:
        raise OptionError(
            f"cannot read {str(path)!r} to feed from: {error.strerror}; write the path of a file"
            " that may be read"
        ) from None
    return partial(_rows, read, path)


def _where_to_look(path: Path, folder: Path) -> str:
    there = [found.name for found in path.parent.glob("*") if found.suffix in _READERS]
    near = difflib.get_close_matches(path.name, there, n=1)
    if near:
        return f"did you mean {str(path.with_name(near[0]))!r}?"
    return f"write a path from {str(folder)!r} on, where its module is, or an absolute one"


def _rows(read: Callable[[Path], Iterator[Any]], path: Path) -> Iterator[Any]:
    try:
        yield from read(path)
    except UnicodeDecodeError as error:
        raise OptionError(f"{path.name}: no UTF-8: {error.reason}; save it as UTF-8") from error


def _read_csv(path: Path) -> Iterator[dict[str, str]]:
    # utf-8-sig: Excel begins its CSV files with a byte order mark.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
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


def _read_json_lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise OptionError(f"{path.name}:{number}: no JSON: {error}") from error


_READERS: dict[str, Callable[[Path], Iterator[Any]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
