"""The live page in a real browser: a load test that runs, its control, the token, interruptions."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.api import ApiServer, ApiSettings
from pytest_k6api.metrics import LoadTimeline
from pytest_k6api.model import WorkerState, WorkerStatus
from tests.api.fake import FakeLoadTest, FakeSession
from tests.page.conftest import OpenPage
from tests.page.samples import sample_load_test

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.sockets]

TESTS = """
import pytest

@pytest.mark.load_test(thresholds={"http_req_duration": ["p(95)<5000"]})
class TestMix:
    @pytest.mark.scenario(executor="constant-arrival-rate", rate=20, duration="10m", pre_allocated_vus=3)
    async def test_buy(self, vu):
        with vu.group("shop"):
            response = await vu.http.get("/cart", name="cart")
            vu.check(response, {"status is 200": lambda r: r.status_code == 200})

    @pytest.mark.scenario(vus=2, duration="10m")
    async def test_look(self, vu):
        await vu.http.get("/status/503", name="flaky")
        await vu.sleep(0.05)

@pytest.mark.scenario(vus=1, iterations=1)
async def test_after(vu):
    await vu.http.get("/", name="home")
"""

INTERRUPTED = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_CONNECTION_RESET", "ERR_EMPTY")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = int(self.path.rsplit("/", 1)[1]) if self.path.startswith("/status/") else 200
        self.wfile.write(b"HTTP/1.1 %d Said So\r\nContent-Length: 7\r\n\r\nWelcome" % status)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def session(tmp_path: Path, service: str) -> Iterator[str]:
    """Run the load tests in a process of its own, paused before the start; give the API's URL."""
    (tmp_path / "test_shop.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--k6-paused",
        "--k6-linger",
    ]
    process = subprocess.Popen(
        [*command, "--k6-address=127.0.0.1:0", f"--k6-base-url={service}"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("K6_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    address = ""
    for line in process.stdout:
        found = re.search(r"k6 control API: (\S+)", line)
        address = found[1] if found else address
        if "is paused before its start" in line:
            break
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    drain.start()
    yield address
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        drain.join(10)
        process.stdout.close()


def text_of(page: Any, selector: str, pattern: str) -> None:
    """Wait until what `selector` selects has a text that `pattern` matches."""
    page.wait_for_function(
        "([selector, pattern]) => new RegExp(pattern).test("
        "document.querySelector(selector)?.innerText ?? '')",
        arg=[selector, pattern],
        timeout=20_000,
    )


@pytest.fixture
def running(session: str, open_page: OpenPage) -> Any:
    """Give the page of a load test that was started there."""
    page = open_page(session, tolerates=("status of 400", "status of 500"))
    text_of(page, "#tools .badge", "paused before its start")
    page.get_by_role("button", name="Start", exact=True).click()
    text_of(page, "#tools .badge", "running")
    return page


def test_a_load_test_is_watched_while_it_runs(running: Any) -> None:
    text_of(running, ".figures", r"Requests\n[1-9]")
    text_of(running, ".failures", "503 GET flaky")
    text_of(running, "main", "status is 200")
    running.wait_for_selector("svg .series path")
    rows = running.locator(".control tbody tr")
    assert rows.locator("th").all_inner_texts() == ["test_buy", "test_look"]


def test_vus_and_rates_are_set_and_given_back(running: Any) -> None:
    running.get_by_label("New VUs of test_look").fill("1")
    running.get_by_role("button", name="Set VUs of test_look").click()
    running.get_by_role("button", name="Back to the plan: test_look").wait_for()
    running.get_by_label("New rate of test_buy").fill("35")
    running.get_by_role("button", name="Set rate of test_buy").click()
    text_of(running, ".control tbody tr", "35/s")

    running.get_by_role("button", name="Back to the plan: test_buy").click()

    text_of(running, ".control tbody tr", "20/s")


def test_a_load_test_and_its_scenarios_are_paused_and_resumed(running: Any) -> None:
    running.get_by_role("button", name="Pause test_look").click()
    running.get_by_role("button", name="Resume test_look").click()
    running.get_by_role("button", name="Pause test_look").wait_for()

    running.get_by_role("button", name="Pause", exact=True).click()
    text_of(running, "#tools .badge", "paused")
    running.get_by_role("button", name="Resume", exact=True).click()
    text_of(running, "#tools .badge", "running")


def test_a_stop_is_asked_back_and_the_next_load_test_is_followed(running: Any) -> None:
    running.get_by_role("button", name="Stop…").click()
    running.get_by_role("button", name="Let it run").click()
    running.get_by_role("button", name="Stop…").click()
    running.get_by_role("button", name="Stop it").click()

    text_of(running, "h2", "test_after")
    picker = running.get_by_label("Load test", exact=True)
    assert [text[0] for text in picker.locator("option").all_inner_texts()] == ["✗", "●"]
    picker.select_option(index=0)
    text_of(running, "h2", "TestMix")
    text_of(running, "#tools .badge", "interrupted")
    text_of(running, ".reasons", "stopped early: the control API stopped it")
    assert running.locator(".control").is_hidden()


def test_what_is_refused_says_why(running: Any) -> None:
    running.get_by_label("New VUs of test_look").fill("999999999")
    running.get_by_role("button", name="Set VUs of test_look").click()

    text_of(running, ".message", "^Refused: data.attributes.vus: ")


def test_a_page_that_is_opened_late_shows_the_load_test_from_its_start(
    session: str, running: Any, open_page: OpenPage
) -> None:
    text_of(running, ".charts", "0:02")

    late = open_page(session)

    text_of(late, ".charts", "0:00")
    text_of(late, ".figures", r"Requests\n[1-9]")


def make_server(
    load_test: FakeLoadTest, address: str = "127.0.0.1:0", token: str | None = None
) -> Any:
    return ApiServer(FakeSession(load_test), ApiSettings(address=address, token=token))


class SampleTimeline(LoadTimeline):
    """A timeline that was measured by nobody."""

    def __init__(self, document: Any) -> None:
        self._sample = document

    def document(self, most_points: int = 0, since: int = 0) -> Any:
        return self._sample if self._sample["seconds"][-1] >= since else {"seconds": []}


def change(load_test: FakeLoadTest, **members: Any) -> None:
    """Let the next report have other members."""
    load_test.shown = {**load_test.shown, **members}


@pytest.fixture
def shown() -> FakeLoadTest:
    """Give a load test that runs and has measured two minutes."""
    load_test = FakeLoadTest()
    sample = sample_load_test()
    load_test.timeline = SampleTimeline(sample.pop("timeline"))
    load_test.shown = {**sample, "outcome": None}
    return load_test


def test_the_token_is_asked_for_in_a_form_and_never_kept_where_scripts_read_it(
    shown: FakeLoadTest, open_page: OpenPage
) -> None:
    server = make_server(shown, token="s3cret")
    url = server.start()
    try:
        page = open_page(url, tolerates=("status of 401", *INTERRUPTED))
        page.get_by_label("Token of this session").fill("wrong")
        page.get_by_role("button", name="Open").click()
        text_of(page, "form .bad", "not the token")

        page.get_by_label("Token of this session").fill("s3cret")
        page.keyboard.press("Enter")

        text_of(page, ".figures", "29,000")
        assert page.evaluate("document.cookie + JSON.stringify({...localStorage})") == "{}"
        page.get_by_role("button", name="Pause", exact=True).click()
        text_of(page, "#tools .badge", "paused")
        assert shown.paused
    finally:
        server.stop()


@pytest.fixture
def served(shown: FakeLoadTest) -> Iterator[str]:
    server = make_server(shown)
    yield server.start()
    server.stop()


def test_what_is_new_comes_by_itself_and_nothing_is_asked_for_again(
    served: str, shown: FakeLoadTest, open_page: OpenPage
) -> None:
    page = open_page(served, tolerates=INTERRUPTED)
    text_of(page, ".figures", "29,000")
    page.wait_for_selector("svg .series path")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    numbers = {"http_reqs": {"count": 31_000, "rate": 250.0}}
    shown.timeline = SampleTimeline(sample_load_test(seconds=200)["timeline"])
    change(shown, numbers=numbers, elapsed=200.0)

    text_of(page, ".figures", "31,000")
    text_of(page, ".charts", "3:00")
    assert asked == []


def test_an_open_failure_stays_open_and_keeps_the_focus_while_numbers_change(
    served: str, shown: FakeLoadTest, open_page: OpenPage
) -> None:
    page = open_page(served, tolerates=INTERRUPTED)
    details = page.locator(".failures pre")
    details.wait_for()
    details.focus()
    row = page.get_by_role("button", name="GET /products/1")

    sample = sample_load_test()
    change(shown, failures=[{**sample["failures"][0], "count": 999}])

    text_of(page, ".failures summary", "^999")
    assert details.evaluate("each => each === document.activeElement")
    row.focus()
    change(shown, requests=[{**each, "count": 77} for each in sample["requests"]])
    text_of(page, "[aria-label='Requests by name']", "77")
    assert row.evaluate("each => each === document.activeElement")


def test_workers_are_listed_where_there_are_some(
    served: str, shown: FakeLoadTest, open_page: OpenPage
) -> None:
    page = open_page(served, tolerates=INTERRUPTED)
    text_of(page, ".figures", "29,000")
    assert page.get_by_role("heading", name="Workers").is_hidden()

    shown.workers = [worker(1), worker(2, state=WorkerState.LOST, lost="its process ended")]

    page.get_by_role("heading", name="Workers").wait_for()
    table = page.get_by_role("region", name="Workers")
    assert table.locator("tbody tr").first.inner_text().split("\t") == [
        "1", "process 11", "running", "25", "12.5/s", "83%", "61.2 MB", "2.1 ms", "-40 µs", "310 ms",
    ]  # fmt: skip
    assert table.locator("td.bad").inner_text() == "lost"
    text_of(page, ".workers", "worker 2: given up: its process ended")


def worker(number: int, state: WorkerState = WorkerState.RUNNING, lost: str = "") -> WorkerStatus:
    return WorkerStatus(
        number=number,
        share=number,
        place=f"process {10 + number}",
        state=state,
        vus=25,
        rate=12.5,
        cpu=0.83,
        memory=61_210_624,
        late=0.0021,
        clock_offset=-0.00004,
        last_heard=0.31,
        lost=lost,
        limits=(),
    )


def test_what_a_blocked_loop_does_not_tell_is_shown_when_it_goes_on(
    served: str, shown: FakeLoadTest, open_page: OpenPage
) -> None:
    shown.blocked = 3.0
    page = open_page(served, tolerates=("status of 503", *INTERRUPTED))
    text_of(page, ".figures", "29,000")
    assert page.locator("svg .series path").count() == 0

    shown.unblock()

    page.wait_for_selector("svg .series path")


def test_a_silent_stream_is_left_for_a_new_one(served: str, open_page: OpenPage) -> None:
    page = open_page(served, tolerates=INTERRUPTED)
    text_of(page, ".figures", "29,000")

    with page.expect_request("**/v1/events?*", timeout=20_000):
        # As if the computer had slept: more time has gone each time somebody looks.
        page.evaluate("() => { let now = Date.now(); Date.now = () => (now += 20_000); }")

    text_of(page, "#tools .badge", "running")


def test_before_the_first_load_test_it_waits_for_one(
    open_page: OpenPage, shown: FakeLoadTest
) -> None:
    session = FakeSession()
    server = ApiServer(session, ApiSettings(address="127.0.0.1:0"))
    page = open_page(server.start(), tolerates=INTERRUPTED)
    try:
        text_of(page, "main", "No load test has started yet.")
        text_of(page, "#tools .badge", "waiting")

        session.load_tests.append(shown)

        text_of(page, ".figures", "29,000")
    finally:
        server.stop()


def test_the_control_is_used_by_keyboard_alone(
    served: str, shown: FakeLoadTest, open_page: OpenPage
) -> None:
    page = open_page(served, tolerates=INTERRUPTED)
    text_of(page, ".figures", "29,000")

    for _ in range(3):  # the colours, Pause, Stop
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Stop the load test")
    dialog.wait_for()
    assert dialog.evaluate("each => each.contains(document.activeElement)")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    text_of(page, "#tools .badge", "paused")
    assert (shown.paused, shown.stopped) == (True, False)


def test_on_a_narrow_screen_the_control_is_within_reach(served: str, open_page: OpenPage) -> None:
    page = open_page(served, tolerates=INTERRUPTED, viewport={"width": 400, "height": 800})
    box = page.get_by_role("button", name="Set VUs of default").bounding_box()

    assert 0 < box["x"] < 400 - box["width"]


def test_form_workers_and_question_are_accessible(
    shown: FakeLoadTest, open_page: OpenPage, violations: Callable[[Any], list[str]]
) -> None:
    shown.workers = [worker(1), worker(2, state=WorkerState.LOST, lost="its process ended")]
    server = make_server(shown, token="s3cret")
    page = open_page(server.start(), tolerates=("status of 401", *INTERRUPTED))
    try:
        page.get_by_label("Token of this session").wait_for()
        found = violations(page)
        page.get_by_label("Token of this session").fill("s3cret")
        page.keyboard.press("Enter")
        page.wait_for_selector("svg .series path")
        page.get_by_role("button", name="Stop…").click()

        assert found + violations(page) == []
    finally:
        server.stop()


def test_it_connects_again_after_an_interruption(shown: FakeLoadTest, open_page: OpenPage) -> None:
    server = make_server(shown)
    url = server.start()
    page = open_page(url, tolerates=INTERRUPTED)
    text_of(page, ".figures", "29,000")

    server.stop()
    text_of(page, "main", "The connection is interrupted")
    assert page.locator("svg .series path").count() > 0
    server = make_server(shown, url.removeprefix("http://"))
    server.start()
    try:
        page.wait_for_function(
            "() => !document.body.innerText.includes('is interrupted')", timeout=20_000
        )
        text_of(page, "#tools .badge", "running")
    finally:
        server.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_is_accessible_and_fits_the_screen(
    shown: FakeLoadTest,
    open_page: OpenPage,
    violations: Callable[[Any], list[str]],
    scheme: str,
    width: int,
) -> None:
    server = make_server(shown)
    url = server.start()
    try:
        page = open_page(
            url,
            tolerates=INTERRUPTED,
            color_scheme=scheme,
            viewport={"width": width, "height": 800},
        )
        text_of(page, ".figures", "29,000")
        page.wait_for_selector("svg .series path")

        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        server.stop()
