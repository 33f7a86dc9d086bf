"""The environment of a load test, for saved results. Reads a few small files, runs nothing."""

import os
import platform
import resource
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path


def describe_environment(folder: Path) -> Mapping[str, str]:
    """Return facts about Python, the machine, and the commit that `folder` is at, if it is."""
    system = platform.uname()
    facts = {
        "pytest_k6api": version("pytest-k6api"),
        "python": platform.python_version(),
        "platform": f"{system.system} {system.release} {system.machine}",
        "cpus": str(os.cpu_count()),
        "open_files": str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        "pytest": version("pytest"),
        "trio": version("trio"),
    }
    commit = find_commit(folder)
    return {**facts, "git_commit": commit} if commit else facts


def find_commit(folder: Path) -> str | None:
    """Return the git commit that is checked out in or above `folder`; None if there is none."""
    for place in (folder, *folder.parents):
        found = place / ".git"
        if found.exists():
            try:
                return _read_commit(found)
            except OSError:
                return None
    return None


def _read_commit(git: Path) -> str | None:
    if git.is_file():  # a worktree or a submodule: the file says where the folder is
        git = git.parent / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head
    reference = head.removeprefix("ref:").strip()
    shared = git / "commondir"
    homes = [git, git / shared.read_text(encoding="utf-8").strip()] if shared.exists() else [git]
    for home in homes:
        commit = _look_up(home, reference)
        if commit:
            return commit
    return None


def _look_up(home: Path, reference: str) -> str | None:
    if (home / reference).exists():
        return (home / reference).read_text(encoding="utf-8").strip()
    packed = home / "packed-refs"
    for line in packed.read_text(encoding="utf-8").splitlines() if packed.exists() else ():
        commit, _, name = line.partition(" ")
        if name == reference:
            return commit
    return None
