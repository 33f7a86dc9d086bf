"""Rows of files: CSV with a header, and JSON lines."""

import csv
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pytest_k6api.model import OptionError


def read_rows(path: Path) -> Callable[[], Iterator[Any]]:
    """Return what reads `path`, row by row; it raises OptionError for one that is malformed.

    Raises:
        OptionError: There is no such file, or its kind is not known.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise OptionError(
            f"cannot tell how to read {str(path)!r}; a feeder reads"
            f" {', '.join(_READERS)} files, or any iterable"
        )
    if not path.is_file():
        raise OptionError(f"there is no file {str(path)!r} to feed from")
    return partial(read, path)


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
