"""A suite of ordinary tests and load tests, written into a folder and run beside other plugins."""

CONFTEST = '''
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 7\\r\\n\\r\\nWelcome")

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def k6_base_url():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        service.daemon_threads = True
        threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{service.server_address[1]}"
        service.shutdown()


@pytest.fixture
def noted(request):
    """Note that a load test has run, in whichever process."""
    with (request.config.rootpath / "runs.txt").open("a") as runs:
        runs.write(f"{request.node.name}\\n")
'''

SUITE = """
import pytest


def test_passes():
    pass


def test_fails():
    assert False


@pytest.mark.skip
def test_is_skipped():
    pass


@pytest.mark.scenario(vus=2, iterations=2, thresholds={"http_reqs": ["count==2"]})
async def test_load(vu, noted):
    response = await vu.http.get("/")
    vu.check(response, {"welcomes": lambda r: r.text == "Welcome"})


@pytest.mark.scenario(vus=2, iterations=2)
def test_load_in_threads(vu, noted):
    assert vu.http.get("/").status_code == 200


@pytest.mark.scenario(vus=2, iterations=2)
async def test_load_that_fails(vu, noted):
    assert vu.iteration < 0


@pytest.mark.parametrize("page", ["home", "shop"])
@pytest.mark.scenario
async def test_pages(vu, page, noted):
    await vu.http.get(f"/{page}")


@pytest.mark.load_test
class TestMix:
    @pytest.mark.scenario
    async def test_browse(self, vu, noted):
        await vu.http.get("/")

    @pytest.mark.scenario
    async def test_buy(self, vu):
        await vu.http.get("/")
"""

LOAD_TESTS = [
    "TestMix",
    "test_load",
    "test_load_in_threads",
    "test_load_that_fails",
    "test_pages[home]",
    "test_pages[shop]",
]

OUTCOMES = {"passed": 6, "failed": 2, "skipped": 1}
