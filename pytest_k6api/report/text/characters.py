"""Forms in ASCII for the characters of our own that a terminal or a log cannot carry. Pure."""

from collections.abc import Mapping

_FORMS: Mapping[str, str] = {
    "✓": "+",
    "✗": "x",
    "↳": ">",
    "→": "->",
    "–": "-",
    "—": "-",
    "…": "...",
    "µ": "u",
    "━": "-",
    "╸": "-",
    "╺": "-",
}


def in_encoding(text: str, encoding: str) -> str:
    r"""Return `text` with all characters that `encoding` has; the others in another form.

    What has no form in ASCII is shown by its number.

    >>> in_encoding("✓ p(95)<200  850µs – ű", "latin-1")
    '+ p(95)<200  850µs - \\u0171'
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_in_encoding(char, encoding) for char in text)
    except LookupError:
        return in_encoding(text, "ascii")
    return text


def _in_encoding(char: str, encoding: str) -> str:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return _FORMS.get(char) or char.encode("ascii", "backslashreplace").decode()
    return char
