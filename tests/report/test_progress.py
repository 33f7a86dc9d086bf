"""The live view, drawn on a terminal that is a text in memory."""

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from io import StringIO
from typing import ClassVar, TextIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pytest_k6api.report import ProgressDisplay, ProgressLine, progress_text
from pytest_k6api.report.live.cells import table_of

BROWSE = ProgressLine(
    name="test_browse",
    state="running",
    share=0.5,
    elapsed=15.04,
    planned=30.0,
    vus=9,
    vus_max=10,
    iterations=12_345,
    requests_per_second=1234.5,
    p95=12.3456,
    failures=0,
)
STEERED = ProgressLine(
    name="test_steered",
    state="paused",
    share=None,
    elapsed=75.0,
    planned=None,
    vus=0,
    vus_max=3,
    iterations=0,
    requests_per_second=None,
    p95=None,
    failures=1_002,
)


lines = st.builds(
    ProgressLine,
    name=st.from_regex(r"test_[a-z_é漢]{0,40}", fullmatch=True),
    state=st.sampled_from(["waiting", "running", "paused", "ended", "setup"]),
    share=st.none() | st.floats(0, 1),
    elapsed=st.floats(0, 1e6),
    planned=st.none() | st.floats(0, 1e6),
    vus=st.integers(0, 100_000),
    vus_max=st.integers(0, 100_000),
    iterations=st.integers(0, 10**10),
    requests_per_second=st.none() | st.floats(0, 1e6),
    p95=st.none() | st.floats(0, 1e6),
    failures=st.none() | st.integers(0, 99_999),
)


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def lines_of(written: str) -> list[str]:
    """Return what a terminal shows of `written`, without bars, colours and cursor moves."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "")
    lines = [re.sub(r"[━╸╺ ]+", " ", line).strip() for line in plain.splitlines()]
    return [line for line in lines if line]


def test_every_scenario_has_a_line():
    stream = StringIO()
    display = ProgressDisplay(stream, nullcontext)

    display.show([BROWSE, STEERED])
    shown = lines_of(stream.getvalue())
    display.close()

    assert shown == [
        "test_browse running 15s / 30s 9/10 VUs 12,345 iterations 1,234 req/s p95 12.34ms 0 failed",
        "test_steered paused 1m15s 0/3 VUs 0 iterations – req/s p95 – 1,002 failed",
    ]


class Screen:
    """A terminal of 40 columns: what it shows of what is written to it."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.rows = [""]
        self.row = self.column = 0

    def flush(self) -> None:
        pass

    def write(self, text: str) -> int:
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x1b]", text):
            getattr(self, self._COMMANDS.get(part[-1] if part[0] == "\x1b" else part, "_put"))(part)
        return len(text)

    _COMMANDS: ClassVar = {
        "\n": "_feed",
        "\r": "_return",
        "A": "_up",
        "G": "_go",
        "K": "_erase",
        "m": "_colour",
    }

    def _feed(self, _: str) -> None:
        self.row, self.column = self.row + 1, 0
        self.rows += [""] * (self.row + 1 - len(self.rows))

    def _return(self, _: str) -> None:
        self.column = 0

    def _up(self, command: str) -> None:
        self.row -= int(command[2:-1])

    def _go(self, command: str) -> None:
        self.column = int(command[2:-1]) - 1

    def _erase(self, _: str) -> None:
        self.rows[self.row] = ""

    def _colour(self, _: str) -> None:
        pass

    def _put(self, char: str) -> None:
        if self.column == 40:
            self._feed("")
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + char + row[self.column + 1 :]
        self.column += 1

    @property
    def shown(self) -> list[str]:
        return [row.rstrip() for row in self.rows if row.strip()]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("COLUMNS", "40")
    return Screen()


@pytest.mark.parametrize("begun", ["", "test_shop.py .", "test_shop.py::" + "x" * 40 + " "])
def test_taking_it_away_leaves_the_cursor_where_it_was(screen: Screen, begun: str):
    screen.write(begun)
    before, at = screen.shown, (screen.row, screen.column)
    display = ProgressDisplay(cast("TextIO", screen), nullcontext, line=begun)

    display.show([BROWSE])
    display.show([BROWSE])
    drawn = screen.shown
    display.close()

    assert len(drawn) == len(before) + 1
    assert (screen.shown, screen.row, screen.column) == (before, *at)


def test_what_else_is_written_stands_above_it(screen: Screen):
    screen.write("test_shop.py ")
    display = ProgressDisplay(
        cast("TextIO", screen), nullcontext, line="test_shop.py ", target="http://shop"
    )

    with display.making_way():
        display.show([BROWSE])
        screen.write("\nk6: stopping")
        half = screen.shown
        screen.write("\n")
        whole = screen.shown
        display.show([BROWSE])
        screen.write("VU 1 says\n")
        display.close()
    screen.write("done")

    assert half == ["test_shop.py", "k6: stopping"]
    assert whole[:3] == ["test_shop.py", "k6: stopping", "  http://shop"]
    assert len(whole) == 4
    assert screen.shown == ["test_shop.py", "k6: stopping", "VU 1 says", "done"]


def test_what_is_written_behind_an_echoed_interrupt_begins_at_the_margin(screen: Screen):
    display = ProgressDisplay(cast("TextIO", screen), nullcontext)

    with display.making_way():
        display.show([BROWSE])
        Screen.write(screen, "^C")  # by the terminal itself
        screen.write("k6: ending at once\n")
        display.close()

    assert screen.shown == ["k6: ending at once"]
    assert screen.rows[0].startswith("k6:")


def test_it_is_drawn_outside_of_pytests_capture():
    stream = StringIO()
    opened: list[str] = []

    class Uncaptured(AbstractContextManager[None]):
        def __exit__(self, *error: object) -> None:
            opened.append(stream.getvalue())

    display = ProgressDisplay(stream, Uncaptured)
    display.show([BROWSE])
    display.show([BROWSE])
    display.close()

    assert len(opened) == 3
    assert stream.getvalue() == opened[-1]


def test_a_terminal_that_has_gone_is_no_error():
    stream = StringIO()
    display = ProgressDisplay(stream, nullcontext)
    display.show([BROWSE])

    stream.close()

    display.show([BROWSE])
    display.close()


class Latin(StringIO):
    encoding = "ascii"


def test_where_the_terminal_has_ascii_only_so_has_the_view():
    stream = Latin()
    display = ProgressDisplay(stream, nullcontext)

    display.show([replace(BUSY, name="test_ä_" + "x" * 200, p95=0.5)])
    [shown] = lines_of(stream.getvalue())

    assert shown.isascii()
    assert "test_\\xe4_xxx" in shown
    assert shown.endswith("12,346 req/s p95 500us 1,234 failed")


def test_as_text_it_tells_what_the_view_shows():
    assert progress_text(BROWSE, "http://127.0.0.1:8000") == (
        "test_browse on http://127.0.0.1:8000: 15s / 30s, 9/10 VUs, 12,345 iterations,"
        " 1,234 req/s, p95 12.34ms, 0 failed"
    )
    assert progress_text(STEERED, "") == (
        "test_steered: paused, 1m15s, 0/3 VUs, 0 iterations, – req/s, p95 –, 1,002 failed"
    )


BUSY = ProgressLine(
    name="test_browse_the_catalogue",
    state="running",
    share=0.5,
    elapsed=3725.04,
    planned=7200.0,
    vus=900,
    vus_max=1000,
    iterations=12_345_678,
    requests_per_second=12_345.6,
    p95=1234.5,
    failures=1_234,
)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            120,
            [
                "test_browse_the_catal… running 1h2m5s / 2h0m0s 900/1000 VUs 12,345,678 iter"
                " 12,346 req/s p95 1.23s 1,234 failed",
                "test_steered paused 1m15s 0/3 VUs 0 iter – req/s p95 – 1,002 failed",
            ],
        ),
        (
            80,
            [
                "test_browse_the_… 50% 900/1000 VUs 12,346 req/s p95 1.23s 1,234 failed",
                "test_steered paused 0/3 VUs – req/s p95 – 1,002 failed",
            ],
        ),
        (
            60,
            [
                "test_browse_the_catal… 50% 12,346 req/s 1,234 failed",
                "test_steered paused – req/s 1,002 failed",
            ],
        ),
        (
            40,
            ["test_browse_the… 50% 1,234 failed", "test_steered paused 1,002 failed"],
        ),
        (20, ["tes… 1,234 failed", "tes… 1,002 failed"]),
    ],
)
def test_on_a_narrow_terminal_a_line_shows_less_and_never_wraps(
    monkeypatch: pytest.MonkeyPatch, width: int, expected: list[str]
):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = StringIO()
    display = ProgressDisplay(stream, nullcontext)

    display.show([BUSY, STEERED])
    shown = lines_of(stream.getvalue())
    display.close()

    assert shown == expected


@given(st.integers(20, 200), st.lists(lines, min_size=1, max_size=4))
def test_every_scenario_has_one_line_at_any_width(width: int, drawn: list[ProgressLine]):
    console = Console(width=width, file=StringIO())

    shown = console.render_lines(table_of(drawn, width), pad=False)

    assert len(shown) == len(drawn)
    for row, line in zip(shown, drawn, strict=True):
        text = "".join(segment.text for segment in row)
        assert text.rstrip().endswith(line.failures_text)


def test_what_was_never_shown_is_not_taken_away():
    stream = StringIO()

    ProgressDisplay(stream, nullcontext).close()

    assert stream.getvalue() == ""
