"""Targets of outputs that write lines: a file, a compressed file, the standard output."""

import gzip
import sys
from pathlib import Path
from typing import BinaryIO, cast

STDOUT = "-"


class LineTarget:
    """A file that lines are appended to, emptied when it is opened.

    Args:
        path: The file; one that ends with ``.gz`` is compressed, ``-`` is the standard
            output. Folders above it are made.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __repr__(self) -> str:
        return f"LineTarget({self._path!r})"

    def open(self) -> None:
        """Open the file.

        Raises:
            OSError: That failed.
        """
        if self._path == STDOUT:
            self._file = sys.stdout.buffer
            return
        path = Path(self._path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gz":
            # The fastest level: it compresses repeated tags nearly as well as the others.
            self._file = cast("BinaryIO", gzip.GzipFile(path, "wb", compresslevel=1))
        else:
            self._file = path.open("wb")

    def write(self, lines: str) -> None:
        """Append `lines` and hand them to the system, so that a kill loses nothing.

        Raises:
            OSError: That failed.
        """
        assert self._file is not None, "open() comes first"
        self._file.write(lines.encode(errors="backslashreplace"))
        self._file.flush()

    def close(self) -> None:
        """Close the file; the standard output stays open."""
        if self._file is not None and self._path != STDOUT:
            self._file.close()
