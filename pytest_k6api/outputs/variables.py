"""k6's environment variables for an output, read with their types."""

from collections.abc import Mapping

from pytest_k6api.model import OptionError, parse_duration
from pytest_k6api.outputs.base import OutputError

_SWITCHES = {
    **dict.fromkeys(("1", "t", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "f", "false", "no", "off"), False),
}


class Variables:
    """The environment variables whose names begin with `prefix`; an empty one counts as unset.

    Each method takes the rest of the name and returns the value, or `default` if it is not set.

    Args:
        prefix: Such as ``K6_STATSD_``.
        environment: All variables.
    """

    def __init__(self, prefix: str, environment: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environment = environment

    def text(self, name: str, default: str = "") -> str:
        """Return text."""
        return self._environment.get(self._prefix + name) or default

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return what stands between commas."""
        text = self.text(name)
        return tuple(word.strip() for word in text.split(",")) if text else default

    def switch(self, name: str, *, default: bool = False) -> bool:
        """Return whether it is on.

        Raises:
            OutputError: It is neither true nor false.
        """
        text = self.text(name)
        if not text:
            return default
        if text.lower() not in _SWITCHES:
            raise self.unreadable(name, "true or false")
        return _SWITCHES[text.lower()]

    def seconds(self, name: str, default: float) -> float:
        """Return a duration above 0.

        Raises:
            OutputError: It is not one.
        """
        text = self.text(name)
        try:
            seconds = parse_duration(text) if text else default
        except OptionError:
            seconds = 0.0
        if seconds <= 0:
            raise self.unreadable(name, "a duration such as 5s")
        return seconds

    def pairs(self, name: str, separator: str) -> dict[str, str]:
        """Return what stands between commas, each a name and a value.

        Raises:
            OutputError: One of them has no separator.
        """
        found = {}
        for pair in self.words(name, ()):
            key, given, value = pair.partition(separator)
            if not given or not key.strip():
                raise self.unreadable(name, f"NAME{separator}VALUE, several with commas between")
            found[key.strip()] = value.strip()
        return found

    def beginning_with(self, name: str) -> dict[str, str]:
        """Return all variables whose names begin so, by the rest of their names."""
        start = self._prefix + name
        return {
            key.removeprefix(start): text
            for key, text in self._environment.items()
            if key.startswith(start) and text
        }

    def unreadable(self, name: str, wanted: str) -> OutputError:
        """Return the error that `name` is not what is `wanted`."""
        return OutputError(f"{self._prefix}{name}: takes {wanted}, got {self.text(name)!r}")
