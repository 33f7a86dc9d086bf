"""Atomic replacement of files: written beside their place and renamed into it.

Readers and concurrent writers see one whole version. A full disk, a kill or Ctrl-C
leaves the old one. What cannot be
replaced (a pipe, a terminal, ``/dev/stdout``) is written to as it is.
"""

import errno
import os
import re
import stat
from pathlib import Path
from secrets import token_hex

from pytest_k6api.model import path_id

# The folder is read-only, or the file is a mount of its own, as containers have them.
_IN_PLACE_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EBUSY})


_LONGEST_STEM = 100  # of the 255 bytes that a file system allows


def file_stem(name: str) -> str:
    """Return a file name without extension for the load test `name`: readable, and its own.

    Names that differ have files that differ: behind what a file system takes of the
    name stands a part of its hash. Such as
    ``test_shop.py-test_buy-fast--0f3c9a1b`` for ``test_shop.py::test_buy[fast]``.
    """
    readable = re.sub(r"[^\w.-]+", "-", name).encode()[-_LONGEST_STEM:].decode(errors="ignore")
    return f"{readable}-{path_id(name)[:8]}"


def file_of_its_own(pattern: Path, name: str, number: int, worker: str = "") -> Path:
    """Return the file for a load test where all were given one path.

    Args:
        pattern: The path; ``{name}`` in it stands for the load test.
        name: The load test's name.
        number: Its number in the session, from 1. Without ``{name}`` the second and later
            ones have it behind the file's name.
        worker: The id of pytest-xdist's worker that runs it, which has numbers of its own;
            empty for none.
    """
    if "{name}" in str(pattern):
        return Path(str(pattern).replace("{name}", file_stem(name)))
    more = [worker] if worker else []
    if number > 1:
        more.append(str(number))
    if not more:
        return pattern
    end = "".join(pattern.suffixes[-2:]) if pattern.suffix == ".gz" else pattern.suffix
    return pattern.with_name("-".join([pattern.name.removesuffix(end), *more]) + end)


def write_whole(path: Path, data: str | bytes) -> None:
    """Write `data` to `path`, all of it or nothing; folders above it are made.

    A symbolic link stays, and what it leads to is replaced. A file that was there
    keeps its permissions.

    Args:
        path: Where to; need not exist.
        data: Text is written as UTF-8; half of a surrogate pair as its escape.

    Raises:
        OSError: That failed, and what was there is as it was. It names `path`.
    """
    if isinstance(data, str):
        data = data.encode(errors="backslashreplace")
    try:
        target = _destination(path)
        if target is None:
            _write_through(path, data)
        else:
            _replace(target, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _destination(path: Path) -> Path | None:
    """Return the file to replace, links followed; None for what only can be written to."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG  # a link may lead to where nothing is yet
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        return None
    while True:
        folder = path.absolute().parent.resolve()
        # What is below /proc is a file that the shell keeps open, by whatever name.
        if folder.parts[1:2] == ("proc",):
            return None
        path = folder / path.name
        if not path.is_symlink():
            return path
        path = folder / path.readlink()


def _replace(path: Path, data: bytes) -> None:
    # A short name: that of the file may be as long as a name can be.
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".k6api-{token_hex(8)}.new")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mode = None
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        if mode is None or error.errno not in _IN_PLACE_ONLY:
            raise
        path.write_bytes(data)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _write_through(path: Path, data: bytes) -> None:
    # Not blocking: opening a pipe without a reader would wait for ever.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        os.set_blocking(descriptor, True)
        file.write(data)
