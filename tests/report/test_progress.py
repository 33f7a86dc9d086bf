"""The live view, drawn on a terminal that is a text in memory."""

import re
from contextlib import AbstractContextManager, nullcontext
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pytest_k6api.report import ProgressDisplay, ProgressLine
from pytest_k6api.report.progress_cells import table_of

BROWSE = ProgressLine(
    name="test_browse",
    state="running",
    share=0.5,
    elapsed=15.04,
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
    vus=0,
    vus_max=3,
    iterations=0,
    requests_per_second=0,
    p95=None,
    failures=1_002,
)


lines = st.builds(
    ProgressLine,
    name=st.from_regex(r"test_[a-z_é漢]{0,40}", fullmatch=True),
    state=st.sampled_from(["waiting", "running", "paused", "ended", "setup"]),
    share=st.none() | st.floats(0, 1),
    elapsed=st.floats(0, 1e6),
    vus=st.integers(0, 100_000),
    vus_max=st.integers(0, 100_000),
    iterations=st.integers(0, 10**10),
    requests_per_second=st.floats(0, 1e6),
    p95=st.none() | st.floats(0, 1e6),
    failures=st.integers(0, 99_999),
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
        "test_browse running 15s 9/10 VUs 12,345 iterations 1,234 req/s p95 12.34ms 0 failed",
        "test_steered paused 1m15s 0/3 VUs 0 iterations 0 req/s 1,002 failed",
    ]


def test_it_is_drawn_outside_of_pytests_capture_and_taken_away_at_the_end():
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
    assert "\x1b[?25h" in stream.getvalue(), "the cursor is shown again"
    assert stream.getvalue().endswith("\x1b[2K"), "the line is erased"


BUSY = ProgressLine(
    name="test_browse_the_catalogue",
    state="running",
    share=0.5,
    elapsed=3725.04,
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
                "test_browse_the_catalogue running 1h2m5s 900/1000 VUs 12,345,678 iterations"
                " 12,346 req/s p95 1.23s 1,234 failed",
                "test_steered paused 1m15s 0/3 VUs 0 iterations 0 req/s 1,002 failed",
            ],
        ),
        (
            80,
            [
                "test_browse_the_… 50% 900/1000 VUs 12,346 req/s p95 1.23s 1,234 failed",
                "test_steered paused 0/3 VUs 0 req/s 1,002 failed",
            ],
        ),
        (
            60,
            [
                "test_browse_the_catal… 50% 12,346 req/s 1,234 failed",
                "test_steered paused 0 req/s 1,002 failed",
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
        assert text.rstrip().endswith(f"{line.failures:,} failed")


def test_what_was_never_shown_is_not_taken_away():
    stream = StringIO()

    ProgressDisplay(stream, nullcontext).close()

    assert stream.getvalue() == ""
