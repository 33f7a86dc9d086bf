"""Make the pictures of the report and of the live page that the documentation shows.

Runs the shop of the examples as load, opens both in Debian's chromium, on a screen and on a
telephone, in the light and in the dark, and keeps what it shows in ``docs/_static``. Takes a minute.

    pip install -e '.[browser,examples]' && python docs/page_screenshots.py
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs/_static"
SCREEN = {"width": 1280, "height": 1180}
TELEPHONE = {"width": 400, "height": 1000}

MIX = """
import pytest

@pytest.mark.load_test(thresholds={"http_req_duration": ["p(95)<250"], "checks": ["rate>0.99"]})
class TestShop:
    @pytest.mark.scenario(executor="ramping-vus", stages=[("10s", 10), ("20s", 10)])
    async def test_browse(self, vu):
        with vu.group("visit homepage"):
            response = await vu.http.get("/", name="home")
            vu.check(response, {"status is 200": lambda r: r.status_code == 200})
        await vu.http.get("/products", name="products")
        await vu.sleep(0.1)

    @pytest.mark.scenario(executor="constant-arrival-rate", rate=20, duration="30s", pre_allocated_vus=10)
    async def test_buy(self, vu):
        await vu.http.get("/products", name="cart")
"""


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as parent, sync_playwright() as playwright:
        folder = Path(parent) / "shop"
        folder.mkdir()
        (folder / "test_shop.py").write_text(MIX, encoding="utf-8")
        (folder / "conftest.py").write_text(
            f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom examples.conftest import *\n",
            encoding="utf-8",
        )
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        with _running(folder) as url:
            page = browser.new_page(viewport=SCREEN)
            narrow = browser.new_page(viewport=TELEPHONE)
            page.goto(url)
            narrow.goto(url)
            # Long enough for charts that show something, and before the end.
            page.wait_for_function(
                "() => [...document.querySelectorAll('svg text')].some(each => each.textContent === '0:20')",
                timeout=60_000,
            )
            page.screenshot(path=PICTURES / "live-page.png")
            narrow.screenshot(path=PICTURES / "live-page-narrow.png")
        report = (folder / "report.html").as_uri()
        for name, options in (("report", {}), ("report-dark", {"color_scheme": "dark"})):
            page = browser.new_page(viewport=SCREEN, **options)
            page.goto(report)
            page.wait_for_selector("svg .series path")
            page.screenshot(path=PICTURES / f"{name}.png")
        browser.close()


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    """Run the load test to its end; give the address of its page."""
    options = ["--k6-address=127.0.0.1:0", "--k6-report=report.html"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "k6api", "-p", "no:cacheprovider", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    ) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        found = (re.search(r"k6 control API: (\S+)", line) for line in lines)
        address = next((match[1] for match in found if match), None)
        if address is None:
            raise SystemExit("the load test did not start")
        Thread(target=process.stdout.read, daemon=True).start()
        yield address


if __name__ == "__main__":
    main()
