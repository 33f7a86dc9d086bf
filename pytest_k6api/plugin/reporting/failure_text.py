"""The text of a failed load test: reasons, and one example of each kind of failure."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import outcome
import trio
from _pytest._code import ExceptionInfo, Traceback

from pytest_k6api.model import TRACE_HEADER, printable
from pytest_k6api.report import format_share
from pytest_k6api.run import LoadTest
from pytest_k6api.vu import Failure

PACKAGE = Path(__file__).parents[2]
"""The folder of this package."""

_SHOWN_FAILURES = 4
_SHOWN_REQUESTS = 2
_BODY_LINES = 3
_TRACE = f"> {TRACE_HEADER}: "
_HIDDEN = (PACKAGE, *(Path(str(module.__file__)).parent for module in (outcome, trio)))


def render(error: BaseException, *, shows_locals: bool = False) -> str:
    """Return the traceback of `error` as pytest shows it, with introspected assertions.

    Empty for an error without a traceback.

    Args:
        error: From user code.
        shows_locals: Show local variables, too, as with ``--showlocals``.
    """
    if error.__traceback__ is None:
        # It was never raised, such as for a wrong return value of setup; its message says it.
        return ""
    info = ExceptionInfo.from_exception(error)
    shown = info.getrepr(
        style="long" if shows_locals else "short",  # the short one has no room for them
        showlocals=shows_locals,
        tbfilter=_of_user_code,
        truncate_locals=True,
    )
    return str(shown)


def _of_user_code(info: ExceptionInfo[BaseException]) -> Traceback:
    """Return the traceback of `info` without the frames of this package and of Trio."""
    theirs = info.traceback.filter(
        lambda entry: not any(folder in Path(entry.path).parents for folder in _HIDDEN)
    )
    return theirs or info.traceback


def in_user_code(error: BaseException) -> BaseException:
    """Leave the frames of this package out of the traceback of `error`, if others are left; return it."""
    steps = []
    step = error.__traceback__
    while step is not None:
        if PACKAGE not in Path(step.tb_frame.f_code.co_filename).parents:
            steps.append(step)
        step = step.tb_next
    kept: TracebackType | None = None
    for step in reversed(steps):
        kept = TracebackType(kept, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return error.with_traceback(kept or error.__traceback__)


def failure_text(load_test: LoadTest) -> str:
    """Return why `load_test` failed: the reasons, then the failures inside VUs.

    Args:
        load_test: A load test that has ended.

    Returns:
        The text; empty if it passed.
    """
    verdict = load_test.verdict
    assert verdict is not None
    if not verdict.reasons:
        return ""
    first, *others = map(printable, verdict.reasons)
    # pytest's short summary shows the first line alone.
    more = f" (and {len(others)} more)" if others else ""
    lines = [f"load test {verdict.outcome}: {first}{more}", *(f"  ✗ {text}" for text in others)]
    failures = load_test.results.failures
    shown = _shown(failures)
    for failure in shown:
        lines += ["", *_failure_lines(failure)]
    if len(failures) > len(shown):
        lines += ["", f"… and {len(failures) - len(shown)} more kinds of failures"]
    if failures:
        lines += ["", f"to see one alone: pytest --k6-smoke '{load_test.name}'"]
    return "\n".join(printable(line, lines=True) for line in lines)


def first_error(load_test: LoadTest) -> BaseException | None:
    """Return the first exception inside a VU, for a debugger; None without one.

    Call it before the failures are shown: that releases their frames.
    """
    for failure in sorted(load_test.results.failures, key=lambda failure: failure.first_at):
        if failure.first_traceback is not None and failure.first_traceback.error is not None:
            return failure.first_traceback.error
    return None


def _shown(failures: Sequence[Failure]) -> list[Failure]:
    """Return the failures to show: tracebacks first, because they explain failed requests."""
    requests = [failure for failure in failures if failure.kind.is_protocols]
    others = [failure for failure in failures if not failure.kind.is_protocols]
    return [*others[:_SHOWN_FAILURES], *requests[:_SHOWN_REQUESTS]]


def _failure_lines(failure: Failure) -> Iterator[str]:
    of = failure.kind.whole
    share = f" ({format_share(failure.share)} of {of})" if failure.share is not None else ""
    when = f"first at {failure.first_at:.1f} s, last at {failure.last_at:.1f} s"
    where = ", ".join(filter(None, (failure.scenario, failure.location, failure.on_workers)))
    yield f"{failure.count:,}x {failure.kind.value} failed{share}: {printable(failure.message)}"
    yield f"    {'; '.join(filter(None, (where, when)))}"
    if failure.hint:
        yield f"    {failure.hint}"
    for line in failure.traceback.splitlines():
        yield f"    {line}"
    for example in failure.examples[:1]:
        if example.place:
            yield f"    {example.place}, at {example.at:.3f} s"
        for line in _brief(example.exchange, _BODY_LINES):
            yield f"      {line}"


def _brief(exchange: str, body_lines: int) -> list[str]:
    """Return the request line, the trace, the status line and the start of the body of `exchange`."""
    lines = exchange.splitlines()
    sent = [line for line in lines if line.startswith("> ")]
    received = [line for line in lines if line.startswith("< ")]
    traces = [line for line in sent if line.lower().startswith(_TRACE)]
    body = lines[len(sent) + len(received) :]
    return [*sent[:1], *traces, *received[:1], *(f"  {line}" for line in body[:body_lines])]
