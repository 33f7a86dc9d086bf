"""Files that are whole or old."""

import os
import stat
import threading
from pathlib import Path

import pytest

from pytest_k6api.report import write_whole


def test_a_file_is_written_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "folder" / "result.json"

    write_whole(path, "{}\n")

    assert path.read_text(encoding="utf-8") == "{}\n"
    assert [each.name for each in path.parent.iterdir()] == ["result.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_file_that_was_there_keeps_its_permissions(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)

    write_whole(path, b"new")

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_half_of_a_surrogate_pair_is_written_as_json_escapes_it(tmp_path):
    write_whole(tmp_path / "a.json", '"\ud83d"')

    assert (tmp_path / "a.json").read_bytes() == rb'"\ud83d"'


def test_a_name_as_long_as_names_can_be_is_written(tmp_path):
    path = tmp_path / ("x" * 255)

    write_whole(path, "{}")

    assert path.read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_what_was_there_stays_when_writing_fails(tmp_path, monkeypatch, failing):
    path = tmp_path / "result.json"
    path.write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "somewhere else")

    if failing == "write":
        monkeypatch.setattr(os, "fchmod", full)
    elif failing == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_whole(path, "new")

    assert str(caught.value) == f"[Errno 28] No space left on device: '{path}'"
    assert path.read_text(encoding="utf-8") == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]


def test_what_was_there_stays_when_writing_is_interrupted(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    path.write_text("old", encoding="utf-8")

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", press)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")

    assert path.read_text(encoding="utf-8") == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]


def test_a_file_that_cannot_be_replaced_is_written_in_place(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    path.write_text("old", encoding="utf-8")

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    write_whole(path, "new")

    assert path.read_text(encoding="utf-8") == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    target = tmp_path / "real" / "result.json"
    target.parent.mkdir()
    link = tmp_path / "latest.json"
    link.symlink_to("real/result.json")

    write_whole(link, "first")  # leads to where nothing is yet
    write_whole(link, "second")

    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "second"


def test_a_folder_is_no_place_for_a_file(tmp_path):
    with pytest.raises(IsADirectoryError) as caught:
        write_whole(tmp_path, "{}")

    assert str(caught.value) == f"[Errno 21] Is a directory: '{tmp_path}'"


def test_links_that_go_round_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        write_whole(tmp_path / "a", "{}")


def test_a_pipe_is_written_to(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)

    def reading() -> None:
        with os.fdopen(descriptor, "rb") as file:
            read.append(file.read())

    thread = threading.Thread(target=reading)
    data = b"x" * 300_000  # more than a pipe holds
    writer = os.open(path, os.O_WRONLY)  # so that the reader sees no end before the data
    thread.start()
    write_whole(path, data)
    os.close(writer)
    thread.join(10)

    assert read == [data]
    assert path.is_fifo()


def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)

    with pytest.raises(OSError, match="No such device or address"):
        write_whole(path, "{}")


def test_an_open_file_behind_proc_is_written_to_and_not_replaced(tmp_path):
    path = tmp_path / "output.txt"
    with path.open("w", encoding="utf-8") as output:
        inode = path.stat().st_ino

        write_whole(Path(f"/dev/fd/{output.fileno()}"), "{}\n")

    assert path.read_text(encoding="utf-8") == "{}\n"
    assert path.stat().st_ino == inode


def test_of_many_that_write_at_once_one_wins_as_a_whole(tmp_path):
    path = tmp_path / "result.json"
    texts = [str(number) * 200_000 for number in range(8)]
    threads = [threading.Thread(target=write_whole, args=(path, text)) for text in texts]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert path.read_text(encoding="utf-8") in texts
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]
