"""Targets of outputs that write lines: a file, a compressed file, the standard output."""

import gzip
import os
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, cast

from pytest_k6api.outputs.base import OutputError, open_nothing

STDOUT = "-"


class LineTarget:
    """A file that lines are appended to, emptied when it is opened.

    Args:
        path: The file; one that ends with ``.gz`` is compressed, ``-`` is the standard
            output. Folders above it are made.
        open_stdout: Opens the standard output.

    Raises:
        OutputError: The file cannot be written.
    """

    def __init__(self, path: str, open_stdout: Callable[[], BinaryIO] = open_nothing) -> None:
        self._path = path
        self._open_stdout = open_stdout
        if path != STDOUT and (problem := why_not_writable(Path(path))):
            raise OutputError(problem)
        self._file: BinaryIO | None = None
        # What a compressed file is written to, which that does not close.
        self._packed: BinaryIO | None = None

    def __repr__(self) -> str:
        return f"LineTarget({self._path!r})"

    def open(self) -> None:
        """Open the file, and keep others from writing it until it is closed.

        Raises:
            OSError: That failed.
            OutputError: Another process writes it, or another output.
        """
        if self._path == STDOUT:
            self._file = self._open_stdout()
            return
        path = Path(self._path)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _open_alone(path)
        if path.suffix == ".gz":
            # The fastest level: it compresses repeated tags nearly as well as the others.
            packed = gzip.GzipFile(path.name, "wb", compresslevel=1, fileobj=file)
            self._packed, file = file, cast("BinaryIO", packed)
        self._file = file

    def write(self, lines: str) -> None:
        """Append `lines`, which may wait for others.

        Raises:
            OSError: That failed.
        """
        assert self._file is not None, "open() comes first"
        self._file.write(lines.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Hand what was appended to the system, so that a kill loses nothing.

        Raises:
            OSError: That failed.
        """
        assert self._file is not None, "open() comes first"
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        for file in (self._file, self._packed):
            if file is not None:
                file.close()


def _open_alone(path: Path) -> BinaryIO:
    """Open `path` empty, unless somebody else writes it."""
    # Not emptied by opening it: it may be another's.
    file = path.open("ab")
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        file.close()
        raise OutputError(
            f"{path} is being written by another process or output; name another file"
        ) from None
    except OSError:
        pass  # a file system without locks
    if S_ISREG(os.fstat(file.fileno()).st_mode):
        file.truncate(0)
    return file


def why_not_writable(path: Path) -> str:
    """Return why the file `path` surely cannot be written, without touching it; empty if it may be."""
    try:
        if path.is_dir():
            return f"{path} is a folder; name a file in it, such as {path / 'run.json'}"
        if path.exists():
            may = os.access(path, os.W_OK)
            return "" if may else f"{path} cannot be written: permission denied"
        above = next(folder for folder in path.absolute().parents if folder.exists())
    except OSError as error:  # the name is too long, or a folder may not be looked into
        return f"{path} cannot be written: {error.strerror}"
    if not above.is_dir():
        return f"{path} cannot be written: {above} is not a folder"
    if not os.access(above, os.W_OK | os.X_OK):
        return f"{path} cannot be written: permission denied in {above}"
    return ""
