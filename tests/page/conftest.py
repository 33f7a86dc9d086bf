"""A real browser, if there is one, that notes what it should not do."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MODULES = Path(os.environ.get("K6API_NODE_MODULES", Path(__file__).parent / "node_modules"))
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Give a browser of the system's; none is ever downloaded."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Debian's package chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[OpenPage]:
    """Return a function that opens a URL; at the end nothing may have complained, or left it."""
    contexts, complaints = [], []
    allowed: list[str] = []

    def open_page(url: str, *, tolerates: tuple[str, ...] = (), **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        allowed.append(url.split("/", 3)[2] or "file")

        def note(text: str) -> None:
            if not any(each in text for each in tolerates):
                complaints.append(text)

        page.on("console", lambda message: note(f"console: {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("request", lambda request: note_request(request.url, note))
        page.goto(url)
        return page

    def note_request(url: str, note: Callable[[str], None]) -> None:
        host = "file" if url.startswith("file:") else url.split("/", 3)[2]
        if host not in allowed and not url.startswith(("data:", "blob:")):
            note(f"request: {url}")

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def violations() -> Callable[[Any], list[str]]:
    """Return a function that tells what of a page axe finds inaccessible."""
    source = MODULES / "axe-core/axe.min.js"
    if not source.exists():
        pytest.skip("needs axe: npm install --prefix tests/page")

    def violations(page: Any) -> list[str]:
        page.evaluate(source.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['html'][:150]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    return violations
