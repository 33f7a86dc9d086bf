r"""Text from servers and test code, made safe to keep and safe to show.

Names, tags, messages and printed text hold whatever a service answered: half of
a surrogate pair, which has no UTF-8, a NUL, a million characters, a terminal's
escape sequences. `storable` is applied where such text enters, once for each
different name, so that every file and document can carry it. `printable` is
applied where text leaves for a terminal, Markdown or XML: what would steer the
reader's terminal is shown instead.

>>> storable("half an emoji: \ud83d")
'half an emoji: �'
>>> print(printable("red: \x1b[31m"))
red: \x1b[31m

Pure. Both return text that needs nothing as it is.
"""

import re
from unicodedata import category

LONGEST_NAME = 1000
"""Characters of a group, check, tag or metric name that are kept."""

_HOMELESS = re.compile("[\0\ud800-\udfff]")
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# They join letters and emoji, and belong to what people write.
_JOINERS = "\u200c\u200d"
_NO_CHARACTERS = "\ufffe\uffff"  # which XML does not allow


def storable(text: str, longest: int = LONGEST_NAME) -> str:
    r"""Return `text` as every file and document can carry it.

    Halves of surrogate pairs and NUL become U+FFFD, as k6 and HTML have it. Of a
    text beyond `longest` characters the beginning is kept, and its length is told.
    Applied twice it changes nothing more.

    Args:
        text: From a server, or from test code.
        longest: Characters to keep; at least 40.
    """
    if len(text) > longest:
        told = f"… ({len(text):,} characters)"
        text = text[: longest - len(told)] + told
    return _HOMELESS.sub("\ufffd", text)


def shown(value: object) -> str:
    """Return `value` as a message quotes it: its repr, cut short if it is long.

    Args:
        value: From test code; its repr may raise, as that of an endless integer does.
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the test's code
        return f"<{type(value).__name__} that cannot be printed>"
    return storable(text)


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return `text` with everything that a terminal or a page would obey shown as an escape.

    Control characters, line ends included, become ``\x1b``, ``\r``, ``\n``; so do
    marks that turn the direction of writing or take no room, and halves of
    surrogate pairs: ``\u202e``, ``\ud83d``. Applied twice it changes nothing more.

    Args:
        text: From a server, or from test code.
        lines: Keep line feeds and tabs, for text of several lines; the carriage
            return of a line end is dropped.
    """
    if lines:
        text = text.replace("\r\n", "\n")
        return "\n".join(map(_shown, text.split("\n"))) if "\n" in text else _shown(text)
    return _shown(text, tabs=False)


def _shown(line: str, *, tabs: bool = True) -> str:
    if line.isprintable():
        return line
    return "".join(
        char.encode("unicode_escape").decode() if _is_obeyed(char, tabs=tabs) else char
        for char in line
    )


def _is_obeyed(char: str, *, tabs: bool) -> bool:
    if char in _JOINERS or (tabs and char == "\t"):
        return False
    return category(char) in _STEERING or char in _NO_CHARACTERS
