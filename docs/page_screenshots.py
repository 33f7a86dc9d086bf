"""Make the pictures of the report and of the live page that the documentation shows.

Runs the shop of the examples as load, opens both in Debian's chromium, and keeps what
it shows in ``docs/_static``.

    pip install -e '.[browser,examples]' && python docs/page_screenshots.py
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs/_static"
PORT = 6577

MIX = """
import pytest

@pytest.mark.load_test(thresholds={"http_req_duration": ["p(95)<250"], "checks": ["rate>0.99"]})
class TestShop:
    @pytest.mark.scenario(executor="ramping-vus", stages=[("10s", 20), ("20s", 20)])
    async def test_browse(self, vu):
        with vu.group("visit homepage"):
            response = await vu.http.get("/", name="home")
            vu.check(response, {"status is 200": lambda r: r.status_code == 200})
        await vu.http.get("/products", name="products")
        await vu.sleep(0.1)

    @pytest.mark.scenario(executor="constant-arrival-rate", rate=40, duration="30s", pre_allocated_vus=10)
    async def test_buy(self, vu):
        await vu.http.get("/products", name="cart")
"""


def main() -> None:
    """Make both pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "test_shop.py").write_text(MIX, encoding="utf-8")
        (Path(folder) / "conftest.py").write_text(
            f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom examples.conftest import *\n",
            encoding="utf-8",
        )
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1180})
        options = [f"--k6-address=127.0.0.1:{PORT}", "--k6-report=report.html"]
        plugins = ["-p", "k6api", "-p", "no:cacheprovider"]
        with subprocess.Popen(
            [sys.executable, "-m", "pytest", *plugins, *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        ):
            _open_live_page(page)
            page.wait_for_timeout(22_000)
            page.screenshot(path=PICTURES / "live-page.png")
        page.goto((Path(folder) / "report.html").as_uri())
        page.wait_for_selector("svg .series path")
        page.screenshot(path=PICTURES / "report.png")
        browser.close()


def _open_live_page(page: Any) -> None:
    for _ in range(300):
        try:
            page.goto(f"http://127.0.0.1:{PORT}/")
        except Exception:  # noqa: BLE001 - Playwright's own error: not up yet
            page.wait_for_timeout(200)
        else:
            return
    raise SystemExit("the control API did not come up")


if __name__ == "__main__":
    main()
