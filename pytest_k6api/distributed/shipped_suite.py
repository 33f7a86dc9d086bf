"""A suite as an archive: what git knows below its root folder, packed here and unpacked elsewhere."""

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pytest_k6api.distributed.carriers import CarrierError
from pytest_k6api.model import OptionError

_LARGEST = 256 * 1024 * 1024  # bytes
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")


def pack_suite(root: Path) -> bytes:
    """Return the files below `root` that git knows of, packed; those that it ignores stay here.

    Raises:
        OptionError: git does not know the folder, or there is too much of it.
    """
    packed = io.BytesIO()
    size = 0
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for path in _known_to_git(root):
            member = archive.gettarinfo(path, str(path.relative_to(root)))
            member.type, member.linkname = tarfile.REGTYPE, ""
            member.size = path.stat().st_size
            size += member.size
            if size > _LARGEST:
                raise OptionError(
                    f"--k6-ship sends at most {_LARGEST >> 20} MiB, and there is more below"
                    f" {str(root)!r}; let git ignore what the suite does not need"
                )
            with path.open("rb") as content:
                archive.addfile(member, content)
    return packed.getvalue()


def _known_to_git(root: Path) -> Iterator[Path]:
    try:
        listed = subprocess.run(
            ["git", "-C", str(root), *_LIST], check=True, capture_output=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        raise OptionError(
            f"--k6-ship sends what git tracks below the root folder {str(root)!r}, which is no"
            " checkout; run git init there, or give each machine the suite and leave --k6-ship out"
        ) from None
    paths = (root / name for name in sorted(filter(None, os.fsdecode(listed).split("\0"))))
    return filter(Path.is_file, paths)  # others were deleted, or are submodules


def unpack_suite(archive: bytes, folder: Path) -> None:
    """Unpack `archive` into `folder`, and nowhere else.

    Raises:
        CarrierError: It has other members than files and folders below its own.
    """
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
                raise CarrierError(
                    f"the shipped suite has a member that is refused: {member.name!r}"
                )
            target = folder.joinpath(*path.parts)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            target.write_bytes(content.read())
            target.chmod(0o755 if member.mode & 0o100 else 0o644)
