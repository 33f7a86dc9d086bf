"""On what a load test ran: the commit is found without running git."""

from pathlib import Path

import pytest

from pytest_k6api.report import describe_environment
from pytest_k6api.report.files.environment import find_commit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def git(tmp_path: Path) -> Path:
    folder = tmp_path / ".git"
    folder.mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    return folder


def test_a_branch_is_followed_to_its_commit(git: Path) -> None:
    (git / "refs/heads").mkdir(parents=True)
    (git / "refs/heads/main").write_text(f"{COMMIT}\n")
    inside = git.parent / "tests"
    inside.mkdir()

    assert find_commit(inside) == COMMIT
    assert describe_environment(inside)["git_commit"] == COMMIT


def test_a_packed_branch_and_a_commit_without_a_branch_are_found(git: Path) -> None:
    (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{COMMIT} refs/heads/main\n")
    assert find_commit(git.parent) == COMMIT

    (git / "HEAD").write_text(f"{'f' * 40}\n")
    assert find_commit(git.parent) == "f" * 40


def test_a_worktree_finds_its_branch_in_the_repository(git: Path) -> None:
    (git / "packed-refs").write_text(f"{COMMIT} refs/heads/topic\n")
    inside = git / "worktrees/topic"
    inside.mkdir(parents=True)
    (inside / "HEAD").write_text("ref: refs/heads/topic\n")
    (inside / "commondir").write_text("../..\n")
    worktree = git.parent / "topic"
    worktree.mkdir()
    (worktree / ".git").write_text(f"gitdir: {inside}\n")

    assert find_commit(worktree) == COMMIT


def test_without_a_commit_there_is_none(git: Path) -> None:
    assert find_commit(git.parent) is None
    (git / "HEAD").unlink()
    assert "git_commit" not in describe_environment(git.parent)
