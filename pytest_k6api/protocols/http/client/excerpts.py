"""The start of a body as people can read it: text, or the title and the text of a page.

Pure, and linear in what it looks at: a body is the service's, and may be anything.
"""

import codecs
import html
import re

from pytest_k6api.model import Secrets, printable

LONGEST_PAGE = 300
"""Characters shown of the text of an HTML page."""

_LOOKED_AT = 65_536  # bytes of a body
_TEXT = re.compile(
    r"text/|.*[/+](?:json|xml|javascript|yaml|x-ndjson|graphql|x-www-form-urlencoded)",
    re.IGNORECASE,
)
_FORM = "application/x-www-form-urlencoded"
_PAGE = re.compile(rb"\s*(?:<!--[^>]*>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:\-]+)", re.IGNORECASE)
_TAG = re.compile(r"<!--(?:[^-]|-(?!->))*(?:-->|\Z)|<([/!?]?)([A-Za-z][\w:\-]*)?[^<>]*>")
_UNSEEN = frozenset({"head", "noscript", "script", "style", "svg", "template", "title"})
_BLANKS = re.compile(r"\s+")


def excerpt(content: bytes, content_type: str, limit: int, secrets: Secrets) -> str:
    """Return the start of the body `content`; ``""`` if there is none.

    Args:
        content: The body, decoded.
        content_type: The header ``Content-Type``; may be empty.
        limit: Characters at the most, of text that is no HTML.
        secrets: What is masked, and whether bodies are left out.
    """
    if not content:
        return ""
    size = f"({len(content):,} bytes{_of(content_type)})"
    if secrets.hides_bodies:
        return size
    if "html" in content_type.lower() or (not content_type and _PAGE.match(content, 0, _LOOKED_AT)):
        return secrets.mask_text(_page(_decode(content, content_type))) or size
    if not _is_text(content, content_type):
        return size
    text = _decode(content, content_type)
    shown = text[:limit]
    if _media_type(content_type) == _FORM:
        shown = secrets.mask_url(f"?{shown}")[1:]
    shown = printable(secrets.mask_text(shown), lines=True)
    return shown if len(content) <= limit else f"{shown}… {size}"


def _of(content_type: str) -> str:
    kind = printable(_media_type(content_type)[:60])
    return f" of {kind}" if kind else ""


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_text(content: bytes, content_type: str) -> bool:
    if content_type:
        return _TEXT.match(content_type) is not None
    try:
        start = codecs.getincrementaldecoder("utf-8")().decode(content[:_LOOKED_AT])
    except UnicodeDecodeError:
        return False
    return "\0" not in start


def _decode(content: bytes, content_type: str) -> str:
    charset = _CHARSET.search(content_type)
    start = content[:_LOOKED_AT]
    try:
        return start.decode(charset[1] if charset else "utf-8", "backslashreplace")
    except (LookupError, ValueError):
        return start.decode("utf-8", "backslashreplace")


def _page(text: str) -> str:
    """Return the title and what a reader of the page `text` sees first, in one line."""
    title: list[str] = []
    seen: list[str] = []
    unseen, at = "", 0
    for tag in _TAG.finditer(text):
        _keep(text[at : tag.start()], unseen, title, seen)
        at = tag.end()
        name = (tag[2] or "").lower()
        if tag[1] == "/":
            unseen = "" if name in (unseen, "head") else unseen
        elif name == "body":
            unseen = ""
        elif name in _UNSEEN and unseen in ("", "head"):
            unseen = name
    _keep(text[at:], unseen, title, seen)
    parts = [_plain(title), _plain(seen)]
    shown = ": ".join(dict.fromkeys(filter(None, parts)))
    return f"{shown[:LONGEST_PAGE]}…" if len(shown) > LONGEST_PAGE else shown


def _keep(piece: str, unseen: str, title: list[str], seen: list[str]) -> None:
    if unseen == "title":
        title.append(piece)
    elif not unseen:
        seen.append(piece)


def _plain(pieces: list[str]) -> str:
    return printable(_BLANKS.sub(" ", html.unescape(" ".join(pieces))).strip())
