"""How a few metrics went, second by second: little enough to be kept for any load test.

Kept are counts and sums, no values: for each second how many samples there were,
what they add up to, and the greatest. So it costs a sum over a column that was
just counted, and memory for at most `MOST_POINTS` points: a load test that lasts
longer than so many seconds has points of two seconds, then of four, and so on.

Pure: the engine says what time it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_k6api.model import Metric, MetricKind
from pytest_k6api.model import metrics as built_in

MOST_POINTS = 3_600

KEPT = frozenset(
    metric.name
    for metric in (
        built_in.HTTP_REQS,
        built_in.HTTP_REQ_FAILED,
        built_in.HTTP_REQ_DURATION,
        built_in.ITERATIONS,
        built_in.VUS,
    )
)
"""The metrics that have a timeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One second of a metric.

    Attributes:
        second: When it begins, in seconds of test-run time.
        seconds: How long it is: 1, or a power of two in a load test of more than an hour.
        count: How many samples came in it.
        value: What a counter did per second, the share of a rate, the mean of a
            trend, the last value of a gauge; in the metric's unit.
        max: The greatest sample, in the metric's unit.
    """

    second: int
    seconds: int
    count: int
    value: float
    max: float


@dataclass(slots=True)
class _Cell:
    count: int
    total: float
    greatest: float
    last: float

    def add(self, younger: "_Cell") -> None:
        self.count += younger.count
        self.total += younger.total
        self.greatest = max(self.greatest, younger.greatest)
        self.last = younger.last


class Timeline:
    """What the samples of one metric add up to in each second.

    Attributes:
        now: Seconds of test-run time up to which samples have come.
    """

    __slots__ = ("_cells", "_metric", "_width", "now")

    def __init__(self, metric: Metric) -> None:
        self.now = 0.0
        self._metric = metric
        self._width = 1
        self._cells: dict[int, _Cell] = {}

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples, oldest first; there is at least one."""
        is_rate = self._metric.kind is MetricKind.RATE
        total = len(values) - values.count(0) if is_rate else sum(values)
        self._add(int(self.now) // self._width, _Cell(len(values), total, max(values), values[-1]))
        if len(self._cells) > MOST_POINTS:
            self._fold()

    def points(self) -> tuple[Point, ...]:
        """Return the seconds in their order.

        Seconds without a sample are left out, save for a counter's between two that
        have some: there it did nothing, which is worth knowing.
        """
        numbers = sorted(self._cells)
        if numbers and self._metric.kind is MetricKind.COUNTER:
            numbers = list(range(numbers[0], numbers[-1] + 1))
        nothing = _Cell(0, 0, 0, 0)
        return tuple(self._point(number, self._cells.get(number, nothing)) for number in numbers)

    def _add(self, number: int, younger: _Cell) -> None:
        cell = self._cells.get(number)
        if cell is None:
            self._cells[number] = younger
        else:
            cell.add(younger)

    def _fold(self) -> None:
        cells, self._cells = self._cells, {}
        self._width *= 2
        for number in sorted(cells):
            self._add(number // 2, cells[number])

    def _point(self, number: int, cell: _Cell) -> Point:
        unit = self._metric.samples_per_unit
        match self._metric.kind:
            case MetricKind.COUNTER:
                value = cell.total / unit / self._width
            case MetricKind.GAUGE:
                value = cell.last / unit
            case _:
                value = cell.total / unit / cell.count
        return Point(
            second=number * self._width,
            seconds=self._width,
            count=cell.count,
            value=value,
            max=cell.greatest / unit,
        )
