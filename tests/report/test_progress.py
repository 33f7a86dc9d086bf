"""The live view, drawn on a terminal that is a text in memory."""

import re
from contextlib import AbstractContextManager, nullcontext
from io import StringIO

import pytest

from pytest_k6api.report import ProgressDisplay, ProgressLine

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


def test_what_was_never_shown_is_not_taken_away():
    stream = StringIO()

    ProgressDisplay(stream, nullcontext).close()

    assert stream.getvalue() == ""
