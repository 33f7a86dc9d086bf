"""What to write instead of a name that other clients have, or that is misspelt.

Whoever comes from httpx, requests, aiohttp, websockets, grpcio or k6 writes their names first.
Those names are no second set of ours: the failure that they end in says what is written here.
Asked for when a failure is told; a ``__getattr__`` would make every attribute of its class slow.
Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import ClassVar


class Advised:
    """The base of what scenarios use.

    Attributes:
        advice: What to write, by the names that other clients have for it.
    """

    __slots__ = ()

    advice: ClassVar[Mapping[str, str]] = {}

    def advise(self, name: str) -> str:
        """Return what to write for `name`, which it lacks; empty if nothing is known."""
        return _advice(name, dir(type(self)), self.advice)


def advice_on(error: AttributeError) -> str:
    """Return what to write for the name that `error` misses; empty if nothing is known."""
    return error.obj.advise(error.name or "") if isinstance(error.obj, Advised) else ""


def unknown_options(
    what: str, unknown: Iterable[str], known: Collection[str], advice: Mapping[str, str]
) -> TypeError:
    """Return the error about options that `what` does not take.

    Args:
        what: The beginning of the text, such as ``a request``.
        unknown: The options that it was given, one or more.
        known: The options that it takes.
        advice: What to write, by the names that other clients have for it.
    """
    told = {name: _advice(name, known, advice) for name in sorted(unknown)}
    names = ", ".join(f"{name} ({text})" if text else name for name, text in told.items())
    return TypeError(f"{what} takes no {names}; it takes {', '.join(sorted(known))}")


def _advice(name: str, known: Iterable[str], advice: Mapping[str, str]) -> str:
    written = advice.get(name)
    if written is not None:
        return f"write {written}"
    near = get_close_matches(name, [each for each in known if not each.startswith("_")], n=1)
    return f"did you mean {near[0]}?" if near else ""
