"""Load tests where nothing is as on Linux, by `tests.systems.macos`: they count what they count there."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocols.grpc.greeting import running_greeter

for name in ("jh2", "grpc_tools", "grpc_reflection"):
    pytest.importorskip(name)

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PATIENCE = 120

# The page of the tutorial has the first one.
SUITE = """
import json
import sys

import pytest

from pytest_k6api import StatusCode


@pytest.mark.scenario(vus=5, iterations=20)
async def test_browse(vu):
    response = await vu.http.get("/")
    assert "Welcome" in response.text


@pytest.mark.scenario(vus=5, iterations=20, http_versions="2-prior-knowledge")
async def test_http2(vu):
    answers = await vu.http.batch(["/", "/products"])
    vu.check(answers, {"over HTTP/2": lambda all: {r.http_version for r in all} == {"HTTP/2.0"}})


@pytest.mark.scenario(vus=5, iterations=20)
async def test_websocket(vu):
    credentials = {"user": "ann", "password": "let me in"}
    token = (await vu.http.post("/login", json=credentials)).json()["token"]
    async with vu.ws.connect("/chat", params={"token": token}, subprotocols=["chat.v1"]) as ws:
        await ws.receive()
        await ws.send(json.dumps({"type": "bye"}))
        async for message in ws:
            pass


@pytest.mark.scenario(vus=5, iterations=20)
async def test_grpc(vu):
    answer = await vu.grpc.invoke("shop.Greeter/Greet", {"name": "Ann"}, target=GREETER)
    vu.check(answer, {"is OK": lambda a: a.status == StatusCode.OK})
    often = {"name": "Ann", "times": 100}
    answers = await vu.grpc.invoke("shop.Greeter/GreetOften", often, target=GREETER)
    vu.check(answers, {"has all": lambda a: len(a.message) == 100})


@pytest.mark.scenario(vus=5, iterations=20)
async def test_without_server(vu):
    response = await vu.http.get("http://127.0.0.1:9/", expected_statuses=None)
    vu.check(response, {"is refused": lambda r: r.error_code == 1212})


def test_everything_was_counted(k6):
    browse, http2, websocket, grpc, refused = (k6.tests[test].metrics for test in k6.tests)
    assert (browse["http_reqs"].count, http2["http_reqs"].count) == (20, 40)
    assert (websocket["ws_sessions"].count, websocket["ws_failed"].rate) == (20, 0)
    calls = grpc["grpc_req_duration{service:shop.Greeter}"]
    assert (calls.count, grpc["checks"].rate) == (40, 1)
    assert (refused["http_reqs"].count, refused["checks"].rate) == (20, 1)


def test_it_is_another_system():
    assert sys.platform == "darwin"
    with pytest.raises(FileNotFoundError):
        open("/proc/self/statm")
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where the shop of the examples and a service of gRPC are."""
    command = [sys.executable, "-m", "examples.shop", "--end-with-stdin"]
    pipe = subprocess.PIPE
    with (
        running_greeter(tmp_path_factory.mktemp("greeter")) as greeter,
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as shop,
    ):
        assert shop.stdout
        yield shop.stdout.readline().strip(), greeter
        shop.terminate()


@pytest.mark.parametrize("workers", [(), ("--k6-workers=2",)], ids=["alone", "two workers"])
def test_every_protocol_counts_as_on_linux(
    services: tuple[str, str],
    workers: tuple[str, ...],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop, greeter = services
    pytester.makepyfile(SUITE.replace("GREETER", repr(greeter)))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = ("-p", "tests.systems.macos", "-p", "k6api", "-p", "no:cacheprovider")

    result = pytester.runpytest_subprocess(
        *plugins, "--k6-address=", f"--k6-base-url={shop}", *workers, timeout=PATIENCE
    )

    result.assert_outcomes(passed=7)
