"""Make the pictures of the terminal that the documentation shows.

Runs two examples in a pseudo-terminal, as people see them, and draws what they
print as SVG into ``docs/_static``: the live view, the summary, a failure report.

    python docs/screenshots.py
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs/_static"
COLUMNS, ROWS = 120, 60

PASSING = """
import pytest

@pytest.mark.scenario(
    vus=20, duration="3s",
    thresholds={"http_req_duration": ["p(95)<500"], "checks": ["rate>0.99"]},
)
async def test_browse(vu):
    with vu.group("visit homepage"):
        response = await vu.http.get("/")
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
    with vu.group("look around"):
        await vu.http.get("/products", name="products")
    await vu.sleep(0.1)
"""

FAILING = """
import pytest

@pytest.mark.scenario(
    vus=5, iterations=200, thresholds={"http_req_duration": ["p(95)<500", "max<0.5"]}
)
async def test_prices(vu):
    response = await vu.http.get("/products", name="products")
    price = response.json()[vu.iteration % 3]["price"]
    assert price < 1000
    vu.check(response, {"is fast": lambda r: r.timings.duration < 0.5})
"""

# The target, and the scenario below it.
_LIVE = re.compile(r"  http://[^\n]*\n[^\r\n]*req/s[^\r\n]*")


def run(source: str) -> str:
    """Return what pytest prints on a terminal for a test file of `source`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_shop.py").write_text(source, encoding="utf-8")
        (Path(folder) / "conftest.py").write_text(
            f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom examples.conftest import *\n",
            encoding="utf-8",
        )
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        plugins = ("-p", "k6api", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", *plugins, "--k6-address="]
        terminal = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
        # As a reader sees it who has installed nothing else.
        environment = {**os.environ, **terminal, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        with subprocess.Popen(
            command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        ):
            os.close(theirs)
            return _read_all(ours).replace(folder, "/home/anna/shop").replace("\r\n", "\n")


def _read_all(terminal: int) -> str:
    output = b""
    while True:
        try:
            output += os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            return output.decode("utf-8", "replace")


def draw(name: str, title: str, text: str) -> None:
    """Draw `text`, with the terminal's colours in it, as the picture `name`."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi(text))
        picture = console.export_svg(title=title)
    # rich names fonts in the net; a reader's own will do.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    passed = run(PASSING)
    live = _LIVE.findall(passed)
    draw("live", "pytest --k6-vus=20", live[len(live) // 2])
    draw("summary", "pytest", _between(passed, " load tests ", "NETWORK"))
    draw("failure", "pytest", _between(run(FAILING), " FAILURES ", " load tests "))


def _between(output: str, first: str, last: str) -> str:
    lines = output.splitlines()
    begins = next(number for number, line in enumerate(lines) if first in line)
    ends = next(number for number, line in enumerate(lines) if number > begins and last in line)
    return "\n".join(lines[begins:ends]).rstrip()


if __name__ == "__main__":
    main()
