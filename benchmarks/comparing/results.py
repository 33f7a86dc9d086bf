"""From runs to figures: cost per request, memory, lateness, and ratios with their spread.

Pure: numbers in, text out.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comparing.measuring import Run
from comparing.workloads import Workload

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pair:
    """One generator's two runs of a round: with less load, and with the load itself."""

    base: Run
    full: Run

    @property
    def is_disturbed(self) -> bool:
        """True if the load itself made no more requests than the base, or took no more time."""
        return self.full.requests <= self.base.requests or self.full.cpu <= self.base.cpu

    @property
    def cpu_per_request(self) -> float:
        """Seconds of processor time that one request more has cost."""
        return (self.full.cpu - self.base.cpu) / (self.full.requests - self.base.requests)

    @property
    def start_up(self) -> float:
        """Seconds of processor time that remain when no request is made."""
        return self.base.cpu - self.base.requests * self.cpu_per_request

    @property
    def requests_per_second(self) -> float:
        """Requests per second of the time that the full run took longer."""
        longer = self.full.wall - self.base.wall
        return (self.full.requests - self.base.requests) / longer if longer > 0 else 0.0


def spread(values: Sequence[float], form: str = "{:.1f}") -> str:
    """Return the median with the least and the greatest, as text."""
    low, middle, high = min(values), statistics.median(values), max(values)
    if len(values) == 1:
        return form.format(middle)
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"


def table(workload: Workload, rounds: dict[str, list[Pair]], served: dict[str, list[float]]) -> str:
    """Return what was measured of one workload, as Markdown."""
    heading, describe = _VIEWS[workload.shows]
    columns = ["generator", *heading]
    lines = [_row(columns), _row(["---"] * len(columns))]
    lines += [_row([name, *describe(workload, pairs)]) for name, pairs in rounds.items()]
    title = f"### ({workload.key}) {workload.about}"
    return "\n".join([title, "", *lines, *_ratios(rounds), *_served(served), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ratios(rounds: dict[str, list[Pair]]) -> list[str]:
    if "plugin" not in rounds or len(rounds) < 2:
        return []
    lines = [""]
    for name, pairs in rounds.items():
        if name == "plugin":
            continue
        ratios = [
            other.cpu_per_request / ours.cpu_per_request
            for ours, other in zip(rounds["plugin"], pairs, strict=True)
        ]
        times = spread(ratios, "{:.2f}")
        lines.append(f"Requests per CPU-second, the plugin against {name}: {times} times.")
    return lines


def _served(served: dict[str, list[float]]) -> list[str]:
    told = [
        f"{name} {times[len(times) // 2] * 1e3:.0f}, {times[len(times) * 99 // 100] * 1e3:.0f},"
        f" {times[-1] * 1e3:.0f}"
        for name, times in served.items()
        if times
    ]
    return ["", f"nginx took, in ms (p(50), p(99), max): {'; '.join(told)}."] if told else []


def _cpu(_: Workload, pairs: Sequence[Pair]) -> list[str]:
    return [
        spread([pair.cpu_per_request * 1e6 for pair in pairs]),
        f"{1 / statistics.median(pair.cpu_per_request for pair in pairs):,.0f}",
        f"{statistics.median(pair.requests_per_second for pair in pairs):,.0f}",
        f"{statistics.median(pair.start_up for pair in pairs):.2f}",
        f"{max(pair.full.peak for pair in pairs) / _MEGABYTE:.0f}",
    ]


def _memory(workload: Workload, pairs: Sequence[Pair]) -> list[str]:
    more = workload.load.vus - workload.base.vus
    per_vu = [(pair.full.peak - pair.base.peak) / more / 1024 for pair in pairs]
    return [
        spread(per_vu),
        f"{max(pair.full.peak for pair in pairs) / _MEGABYTE:.0f}",
        spread([pair.cpu_per_request * 1e6 for pair in pairs]),
        f"{statistics.median(pair.full.requests for pair in pairs):,.0f}",
    ]


def _growth(_: Workload, pairs: Sequence[Pair]) -> list[str]:
    slopes, totals = [], []
    for pair in pairs:
        requests, _held = pair.full.growth[-1]
        # Not from the start on: until then, things are allocated once.
        settled = [point for point in pair.full.growth if point[0] >= min(100_000, requests / 2)]
        first = settled[0]
        # The last tenth of a run is its end, where a summary is made.
        last = max(settled[: max(1, len(settled) * 9 // 10)], key=lambda point: point[0])
        more = max(1, last[0] - first[0])
        slopes.append((last[1] - first[1]) / _MEGABYTE / more * 1e6)
        totals.append(requests)
    return [
        spread(slopes),
        f"{statistics.median(totals):,.0f}",
        f"{max(pair.full.peak for pair in pairs) / _MEGABYTE:.0f}",
    ]


def _arrivals(workload: Workload, pairs: Sequence[Pair]) -> list[str]:
    rate = int(workload.environment["RATE"])
    due = round(rate * workload.load.seconds)
    within, late, missed = [], [], []
    for pair in pairs:
        seen = pair.full.arrivals
        offsets = [at - number / rate for number, at in enumerate(seen)]
        lateness = sorted(offset - min(offsets) for offset in offsets)
        within.append(sum(value <= 0.002 for value in lateness) / max(1, len(lateness)) * 100)
        late.append(lateness[len(lateness) * 99 // 100] * 1e3)
        missed.append(due - len(seen))
    return [
        spread(within),
        spread(late),
        spread(missed, "{:.0f}"),
        spread([pair.cpu_per_request * 1e6 for pair in pairs]),
    ]


View = Callable[[Workload, Sequence[Pair]], list[str]]
_VIEWS: dict[str, tuple[list[str], View]] = {
    "cpu": (
        ["CPU µs/request", "requests/CPU-s", "requests/s", "start-up CPU s", "peak MB"],
        _cpu,
    ),
    "memory": (["KB per VU", "peak MB", "CPU µs/request", "requests"], _memory),
    "growth": (["MB per million requests", "requests", "peak MB"], _growth),
    "arrivals": (
        ["% within 2 ms of due", "99th percentile, ms late", "not sent", "CPU µs/request"],
        _arrivals,
    ),
}
