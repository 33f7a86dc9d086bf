"""What to write instead of a name that other clients have, or that is misspelt.

Whoever comes from httpx, requests, aiohttp, websockets, grpcio or k6 writes their names first.
Those names are no second set of ours: the error that meets them says what is written here.
Pure, and free of cost as long as a name exists.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar


class Advised:
    """The base of what scenarios use: a name that it lacks tells what to write.

    Attributes:
        advice: What to write, by the names that other clients have for it.
    """

    __slots__ = ()

    advice: ClassVar[Mapping[str, str]] = {}

    # Unseen by type checkers, for which every name would exist otherwise.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            text = f"{kind.__name__!r} object has no attribute {name!r}"
            if not name.startswith("_"):
                text += _advice(name, dir(kind), kind.advice)
            raise AttributeError(text, name=name, obj=self)


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
    told = ", ".join(name + _advice(name, known, advice) for name in sorted(unknown))
    return TypeError(f"{what} takes no {told}; it takes {', '.join(sorted(known))}")


def _advice(name: str, known: Iterable[str], advice: Mapping[str, str]) -> str:
    written = advice.get(name)
    if written is not None:
        return f" (write {written})"
    near = get_close_matches(name, [each for each in known if not each.startswith("_")], n=1)
    return f" (did you mean {near[0]}?)" if near else ""
