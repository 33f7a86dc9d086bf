import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.model import OptionError
from pytest_k6api.vu import VU, Feeder, FeederError, FeederExhausted, RowClaims, VirtualUser, feeder
from pytest_k6api.vu.feeders import feeder as feeder_module
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import FakeLoadTest


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_rows_are_dictionaries_of_text(tmp_path: Path) -> None:
    path = _write(tmp_path, "users.csv", '\ufeffname,city\nAda,"London, UK"\n\nGrace,NYC\n')

    rows = feeder(path)

    assert [next(rows), next(rows)] == [
        {"name": "Ada", "city": "London, UK"},
        {"name": "Grace", "city": "NYC"},
    ]


def test_json_lines_are_any_values(tmp_path: Path) -> None:
    path = _write(tmp_path, "users.jsonl", '{"name": "Ada"}\n\n[1, 2]\n')

    rows = feeder(str(path))

    assert [next(rows), next(rows)] == [{"name": "Ada"}, [1, 2]]


def test_a_relative_path_begins_at_the_module_that_declares() -> None:
    with pytest.raises(OptionError) as raised:
        feeder("data/no_such.csv")

    folder = Path(__file__).parent
    assert str(raised.value) == (
        f"there is no file '{folder}/data/no_such.csv' to feed from; write a path from '{folder}'"
        " on, where its module is, or an absolute one"
    )


def test_a_file_of_nearly_that_name_is_suggested(tmp_path: Path) -> None:
    _write(tmp_path, "users.csv", "name\nAda\n")

    with pytest.raises(OptionError) as raised:
        feeder(tmp_path / "user.csv")

    assert str(raised.value) == (
        f"there is no file '{tmp_path}/user.csv' to feed from; did you mean '{tmp_path}/users.csv'?"
    )


def test_what_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "users.csv").mkdir()

    with pytest.raises(OptionError) as raised:
        feeder(tmp_path / "users.csv")

    assert str(raised.value) == (
        f"cannot read '{tmp_path}/users.csv' to feed from: Is a directory; write the path of a file"
        " that may be read"
    )


def test_a_pipe_is_no_file_to_feed_from_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "users.csv")

    with pytest.raises(OptionError, match=r"users.csv' to feed from: it is no regular file; write"):
        feeder(tmp_path / "users.csv")


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(OptionError, match="to feed from: embedded null byte; write the path"):
        feeder("users\0.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv: there are no rows; write one at least"),
        ("a.csv", b"x,y\n", "a.csv: there are no rows; write one at least"),
        ("a.jsonl", b"\n\n", "a.jsonl: there are no rows; write one at least"),
        ("a.csv", b"x,x\n1,2\n", "a.csv:1: two columns have the same name: ['x', 'x']"),
        ("a.csv", b"name\nJos\xe9\n", "a.csv:2: no UTF-8: the byte 0xe9; save it as UTF-8"),
        ("a.csv", "x\n1\n".encode("utf-16"), "a.csv:1: no UTF-8: the byte 0xff; save it as UTF-8"),
        ("a.csv", b'x\n"1\n2\n', "a.csv:3: no CSV: unexpected end of data; close every quote"),
        (
            "a.jsonl",
            b"{\n",
            "a.jsonl:1: no JSON: Expecting property name enclosed in double quotes at column 2",
        ),
    ],
)
def test_a_file_without_a_first_row_is_refused_at_once_with_its_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(OptionError) as raised:
        feeder(tmp_path / name)

    assert str(raised.value) == message


@pytest.mark.parametrize("order", ["unique", "circular", "random"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            b"x,y\n1,2\n3\n4,5\n",
            "a.csv:3: the header has 2 columns, this row has 1: ['3']",
        ),
        ("a.csv", b"x\n1\n\xe9\n", "a.csv:3: no UTF-8: the byte 0xe9; save it as UTF-8"),
        (
            "a.jsonl",
            b"1\n{]\n2\n",
            "a.jsonl:2: no JSON: Expecting property name enclosed in double quotes at column 2",
        ),
        (
            "a.jsonl",
            b"1\n" + b"[" * 100_000,
            "a.jsonl:2: no JSON: maximum recursion depth exceeded"
            " while decoding a JSON array from a unicode string",
        ),
    ],
)
def test_a_malformed_row_is_told_with_its_line_and_ends_the_feeder(
    tmp_path: Path, name: str, content: bytes, message: str, order: Any
) -> None:
    (tmp_path / name).write_bytes(content)
    rows = feeder(tmp_path / name, order)

    said = []
    for _ in range(4):
        try:
            next(rows)
        except FeederError as error:
            said.append(str(error))

    assert set(said) == {message}
    assert len(said) == (4 if order == "random" else 3)


def test_rows_of_an_iterable_that_has_raised_are_not_all_rows() -> None:
    def broken() -> Any:
        yield 1
        raise KeyError("price")

    rows = feeder(broken())

    assert next(rows) == 1
    with pytest.raises(KeyError):
        next(rows)
    with pytest.raises(FeederError, match="a generator: no more rows, after KeyError: 'price'"):
        next(rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "users.xml"}, r"a feeder reads .csv, .jsonl, .ndjson files, or any iterable"),
        ({"source": 5}, "a feeder takes a path or an iterable, got 5"),
        ({"source": [], "order": "shuffled"}, "order is one of unique, circular, random; got"),
        ({"source": [], "on_exhausted": "wait"}, "on_exhausted is one of stop, fail; got 'wait'"),
    ],
)
def test_what_cannot_work_is_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        feeder(**arguments)


def test_unique_rows_are_handed_out_once_and_then_no_more() -> None:
    rows = feeder([1, 2])

    assert [next(rows), next(rows)] == [1, 2]
    for _ in range(2):
        with pytest.raises(FeederExhausted, match="a list: all 2 rows have been handed out"):
            next(rows)


def test_an_exhausted_feeder_may_fail_instead() -> None:
    rows = feeder([1], on_exhausted="fail")
    next(rows)

    with pytest.raises(FeederError, match="a list: all 1 rows have been handed out"):
        next(rows)


@pytest.mark.parametrize("order", ["unique", "circular", "random"])
def test_no_rows_at_all_is_a_mistake_and_no_end(order: Any) -> None:
    with pytest.raises(FeederError, match="a tuple: there are no rows"):
        next(feeder((), order))


def test_circular_rows_begin_anew() -> None:
    rows = feeder(iter("abc"), "circular")

    assert [next(rows) for _ in range(7)] == list("abcabca")


def test_unique_rows_may_come_without_end() -> None:
    def numbers() -> Any:
        number = 0
        while True:
            yield number
            number += 1

    rows = feeder(numbers())

    assert [next(rows) for _ in range(3)] == [0, 1, 2]


def test_a_row_that_was_taken_may_be_changed() -> None:
    rows = feeder([{"stock": 1}], "circular")

    next(rows)["stock"] = 0

    assert next(rows) == {"stock": 1}


def test_threads_never_get_the_same_unique_row() -> None:
    rows = feeder(number for number in range(2000))
    taken: list[int] = []

    def take() -> None:
        taken.extend(next(rows) for _ in range(500))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == list(range(2000))


@in_virtual_time
async def test_random_rows_are_drawn_with_the_users_chance() -> None:
    seen: list[list[int]] = []

    async def browse(vu: VU) -> None:
        seen.append([next(rows) for _ in range(5)] + [rows.next(vu)])

    for numbers in ((1, 2), (2, 1)):
        rows = feeder(range(1000), "random")
        scenario = FakeLoadTest().scenario(browse)
        for number in numbers:
            await VirtualUser(number, scenario).run_iteration()

    first_of_1, first_of_2, second_of_2, second_of_1 = seen
    assert (first_of_1, first_of_2) == (second_of_1, second_of_2)
    assert first_of_1 != first_of_2


def test_random_rows_outside_of_users_are_the_same_each_time() -> None:
    first, second = feeder(range(1000), "random"), feeder(range(1000), "random")

    assert [next(first) for _ in range(5)] == [next(second) for _ in range(5)]


@in_virtual_time
async def test_an_exhausted_feeder_ends_the_load_test_once_and_gracefully() -> None:
    load = FakeLoadTest()
    rows = feeder(["ada"])

    async def browse() -> None:
        next(rows)

    user = load.user(browse)
    for _ in range(3):
        await user.run_iteration()

    assert load.finishes == ["a list: all 1 rows have been handed out"]
    assert load.samples("iterations_skipped") == [1.0, 1.0]
    assert load.failures.snapshot() == ()


@in_virtual_time
async def test_feeders_of_one_line_have_rows_of_their_own() -> None:
    first, second = (feeder(rows) for rows in ([1, 2, 3], [10, 20, 30]))
    seen = []

    async def browse() -> None:
        seen.append((next(first), next(first), next(second)))

    await FakeLoadTest().user(browse).run_iteration()

    assert seen == [(1, 2, 10)]


@pytest.mark.parametrize("used", [0, 1, 3, 4, 5, 77, 500])
@in_virtual_time
async def test_rows_that_a_lost_process_may_have_handed_out_are_not_handed_out_again(
    monkeypatch: pytest.MonkeyPatch, used: int
) -> None:
    def suite() -> Feeder[int]:  # as another process imports it
        monkeypatch.setattr(feeder_module, "_made", Counter())
        return feeder(range(1000))

    seen: list[int] = []

    async def browse() -> None:
        row = next(rows)
        seen.append(row)
        assert row < max(load.claims.values()), "it was told before"

    load, successor = FakeLoadTest(), FakeLoadTest()
    rows = suite()
    user = load.user(browse)
    for _ in range(used):
        await user.run_iteration()
    successor.context.rows.skip(load.claims)
    load, rows = successor, suite()
    await load.user(browse).run_iteration()

    assert seen[:-1] == [*range(used)]
    assert used <= seen[-1] < used + max(4, used // 8)


def test_claims_of_rows_are_told_in_blocks_that_grow() -> None:
    told = []
    claims = RowClaims(lambda _, until: told.append(until))

    for row in range(100_000):
        claims.claim("users", row)

    assert told[:10] == [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]
    assert told[-2:] == [99_254, 100_254]
    assert len(told) < 150
