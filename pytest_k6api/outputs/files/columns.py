"""The lines of one series, made a column at a time. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How time and value stand in a line.

    Attributes:
        between: The text between them.
        form: Returns the text of a value.
    """

    between: str
    form: Callable[[float], str]

    def lines(self, head: str, times: Sequence[str], values: Sequence[float], tail: str) -> str:
        """Return a line for each time and value; there is at least one.

        Values that are all the same, as most columns of a request are, are formatted once, and
        the lines joined in C.

        Args:
            head: The beginning of each line.
            times: As many as there are values.
            values: The values.
            tail: The end of each line, its line break included.
        """
        first = values[0]
        if values[-1] == first and values.count(first) == len(values):
            end = f"{self.between}{self.form(first)}{tail}"
            return f"{head}{f'{end}{head}'.join(times)}{end}"
        return self.lines_with_ends(head, times, values, [tail] * len(values))

    def lines_with_ends(
        self, head: str, times: Sequence[str], values: Sequence[float], tails: Sequence[str]
    ) -> str:
        """Return the same, where each line has an end of its own."""
        between, rows = self.between, zip(times, map(self.form, values), tails, strict=True)
        return "".join([f"{head}{time}{between}{text}{tail}" for time, text, tail in rows])
