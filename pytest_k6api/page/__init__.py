"""Pages in one file: the front end that the report and the API's page share.

Scripts are modules with types in JSDoc (``tsc -p pytest_k6api/page``), read as they are in the
repository; here the modules that a page needs become one script, without a tool to build them.
A page loads nothing: its policy allows its own script and style, by their hashes, and no more.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

__all__ = ["Page", "bundle", "make_page", "read"]

_IMPORT = re.compile(r'^import [^;]* from "\./([\w.]+)";\n', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the policy that a server should send with it.

    Attributes:
        html: All of it.
        policy: The value of the header ``Content-Security-Policy``.
    """

    html: str
    policy: str


def make_page(entry: str, *, title: str, heading: str, body: str, connects: bool = False) -> Page:
    """Return a page that runs a script of this folder.

    Args:
        entry: The script's file.
        title: The title, as text.
        heading: The heading, as text.
        body: What stands below the heading, as HTML.
        connects: Whether the script may ask the server that the page is from.
    """
    script, style = bundle(entry), read("style.css")
    asks = "'self'" if connects else "'none'"
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"connect-src {asks}",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<header class="top"><h1>{escape(heading)}</h1><div id="tools"></div></header>
{body}
<script type="module">{script}</script>
</body>
</html>
"""
    return Page(html, f"{policy}; frame-ancestors 'none'")


@cache
def bundle(entry: str) -> str:
    """Return a module and all that it imports as one script, each module once and before its users.

    Names are those of one scope: no two modules may have one in common.
    """
    found: dict[str, str] = {}

    def add(name: str) -> None:
        if name in found:
            return
        source = read(name)
        for needed in _IMPORT.findall(source):
            add(needed)
        found[name] = re.sub(r"^export ", "", _IMPORT.sub("", source), flags=re.MULTILINE)

    add(entry)
    return "\n".join(found.values())


@cache
def read(name: str) -> str:
    """Return the text of a file of this folder."""
    return (files(__name__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
