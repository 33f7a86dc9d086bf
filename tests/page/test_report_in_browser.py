"""Reports in a real browser, from the disk: what people see, reach by keyboard, and print."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.report import html_report
from tests.page.conftest import OpenPage
from tests.page.samples import sample_load_test, sample_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def report(tmp_path: Path) -> str:
    path = tmp_path / "report.html"
    path.write_text(html_report(sample_report(), "Load tests of shop"), encoding="utf-8")
    return path.as_uri()


def pixels_of(chart: Any) -> tuple[float, float, float, float]:
    chart.scroll_into_view_if_needed()
    box = chart.locator(".plot").bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def test_a_report_tells_verdict_numbers_thresholds_failures_and_draws_every_chart(
    report: str, open_page: OpenPage
) -> None:
    page = open_page(report)

    assert page.inner_text("h2") == "test_shop.py::test_browse"
    assert page.inner_text("details.test > summary .badge") == "failed"
    assert "the threshold p(95)<20 was crossed" in page.inner_text(".reasons")
    assert "29,000" in page.inner_text(".figures")
    assert page.locator(".thresholds tbody tr").count() == 2
    assert "503 Service Unavailable" in page.inner_text(".failures pre")
    assert page.locator("figure.chart:visible svg").count() == 8
    assert page.locator("svg line.limit.crossed").count() == 1
    assert page.locator("svg path.baseline").count() == 2
    assert page.locator("svg path.heat").count() == 8


def test_workers_are_listed_with_their_losses_and_successors(
    tmp_path: Path, open_page: OpenPage
) -> None:
    whole = sample_report()
    none = {"follows": None, "began_at": None, "lost": "", "lost_at": None, "kept_until": None}
    whole["load_tests"][0]["workers"] = [
        {"number": 1, "share": 1, "place": "process 11", **none},
        {"number": 2, "share": 2, "place": "process 12", **none}
        | {"lost": "killed by SIGKILL", "lost_at": 5.3, "kept_until": 5.1},
        {"number": 3, "share": 2, "place": "process 13", **none, "follows": 2, "began_at": 6.9},
    ]
    path = tmp_path / "report.html"
    path.write_text(html_report(whole, "Load tests of shop"), encoding="utf-8")

    page = open_page(path.as_uri())

    table = page.get_by_role("region", name="Workers")
    assert [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()] == [
        ["1", "1", "process 11", "", "–", "–", "–", ""],
        ["2", "2", "process 12", "", "–", "5.3 s", "5.1 s", "killed by SIGKILL"],
        ["3", "2", "process 13", "2", "6.9 s", "–", "–", ""],
    ]


def test_what_went_over_other_protocols_has_figures_and_tables_and_no_empty_chart(
    tmp_path: Path, open_page: OpenPage
) -> None:
    whole = sample_report()
    (load_test,) = whole["load_tests"]
    call = load_test["requests"][0] | {"name": "/shop.Shop/Get", "count": 7, "failed": 2}
    load_test["requests"] = []
    load_test["comparison"] = None
    load_test["other_requests"] = [
        {"protocol": "GRPC", "title": "calls by name", "requests": [call]}
    ]
    load_test["measured"] = [{"metric": "grpc_req_duration", "result": "avg=5.12ms, p(95)=9ms"}]
    load_test["numbers"] = {"grpc_req_failed": {"rate": 0.5, "passes": 2, "fails": 2}}
    timeline = load_test["timeline"]
    seconds = timeline["seconds"]
    timeline["requests"] = [
        series | {"count": [0 for _ in seconds], "errors": []}
        for series in timeline["requests"]
        if series["name"] is None
    ]
    timeline["heatmap"]["counts"] = [[0 for _ in row] for row in timeline["heatmap"]["counts"]]
    path = tmp_path / "report.html"
    path.write_text(html_report(whole, "Load tests of shop"), encoding="utf-8")

    page = open_page(path.as_uri())

    figures = page.inner_text(".figures")
    assert "gRPC calls\n4\n50% failed" in figures
    assert "Failed requests" not in figures
    calls = page.get_by_role("region", name="calls by name").locator("tbody tr")
    assert calls.inner_text().split("\t")[0] == "/shop.Shop/Get"
    metrics = page.get_by_role("region", name="All metrics").locator("tbody tr")
    assert metrics.inner_text() == "grpc_req_duration\tavg=5.12ms, p(95)=9ms"
    shown = page.locator("figure.chart:visible figcaption").all_inner_texts()
    assert not [text for text in shown if "Latency" in text or "Requests" in text]
    assert [text for text in shown if text.startswith("Virtual users")]


def test_the_slowest_requests_are_listed_with_their_traces(
    tmp_path: Path, open_page: OpenPage, report: str
) -> None:
    assert open_page(report).get_by_role("heading", name="Slowest requests").is_hidden()
    whole = sample_report()
    some = {"scenario": "test_browse", "name": "home", "method": "GET", "status": "200", "at": 1.0}
    whole["load_tests"][0]["slowest"] = [
        {"duration": 28.2, "trace_id": "dc0742" + 26 * "a", **some},
        {"duration": 812.5, "trace_id": "dc0742" + 26 * "b", **some},
    ]
    path = tmp_path / "report.html"
    path.write_text(html_report(whole, "Load tests of shop"), encoding="utf-8")

    page = open_page(path.as_uri())

    table = page.get_by_role("region", name="Slowest requests")
    assert [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()] == [
        ["813 ms", "dc0742" + 26 * "b", "GET", "home", "test_browse", "200"],
        ["28.2 ms", "dc0742" + 26 * "a", "GET", "home", "test_browse", "200"],
    ]


def test_the_values_of_the_second_under_the_pointer_are_shown_in_all_charts(
    report: str, open_page: OpenPage
) -> None:
    page = open_page(report)
    rate = page.locator("figure.chart").first
    x, y, width, height = pixels_of(rate)

    page.mouse.move(x + width / 2, y + height / 2)

    moments = page.locator(".legend .moment").all_inner_texts()
    assert len({text for text in moments if text}) == 1
    assert sum(bool(text) for text in moments) == 7
    assert rate.locator(".legend b").first.inner_text().endswith("/s")


def test_dragging_zooms_all_charts_and_a_button_shows_all_again(
    report: str, open_page: OpenPage
) -> None:
    page = open_page(report)
    page.wait_for_selector("svg .series path")
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    before = page.locator("figure.chart").nth(4).inner_text()
    x, y, width, height = pixels_of(page.locator("figure.chart").first)

    page.mouse.move(x + width * 0.4, y + height / 2)
    page.mouse.down()
    page.mouse.move(x + width * 0.6, y + height / 2, steps=4)
    page.mouse.up()
    page.mouse.move(0, 0)

    fifth = "document.querySelectorAll('figure.chart')[4].innerText"
    page.wait_for_function(f"before => {fifth} !== before", arg=before)
    assert "Of the time that is shown;" in page.inner_text(".charts")
    page.get_by_role("button", name="Show all of the time").click()
    page.mouse.move(0, 0)
    page.wait_for_function(f"before => {fifth} === before", arg=before)


def test_charts_are_read_and_zoomed_by_keyboard(report: str, open_page: OpenPage) -> None:
    page = open_page(report)
    plot = page.get_by_role("slider", name="Latency, by second")
    plot.focus()

    for key in ("Home", "ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)

    assert plot.get_attribute("aria-valuenow") == "12"
    assert "p95" in plot.get_attribute("aria-valuetext")
    page.keyboard.press("+")
    assert page.get_by_role("button", name="Show all of the time").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("button", name="Show all of the time").is_hidden()


def test_a_chosen_name_is_followed_by_all_charts_of_requests(
    report: str, open_page: OpenPage
) -> None:
    page = open_page(report)
    page.wait_for_selector("svg .series path")
    titles = [
        "Requests and failures",
        "Latency",
        "Latency, heat map",
        "Latency, distribution",
        "Errors",
    ]
    charts = [page.locator("figure.chart", has_text=title).first for title in titles]
    before = [chart.locator("svg").inner_html() for chart in charts]

    page.get_by_role("button", name="GET /products/1").click()

    picker = page.get_by_label("Requests to show")
    assert picker.evaluate("each => each.selectedOptions[0].text") == "GET /products/1"
    after = [chart.locator("svg").inner_html() for chart in charts]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False] * 5
    assert page.locator("tr.chosen th").inner_text() == "GET /products/1"
    assert page.get_by_text("Of the whole load test.").count() == 3


def test_a_chosen_name_that_is_clicked_again_gives_way_to_all(
    report: str, open_page: OpenPage
) -> None:
    page = open_page(report)
    name = page.get_by_role("button", name="GET /products/1")

    name.click()
    name.click()

    picker = page.get_by_label("Requests to show")
    assert picker.evaluate("each => each.selectedOptions[0].text") == "All requests"
    assert page.locator("tr.chosen").count() == 0


def test_of_thousands_of_failures_the_first_are_shown_and_all_are_searched(
    tmp_path: Path, open_page: OpenPage
) -> None:
    load_test = sample_load_test(seconds=10)
    (failure,) = load_test["failures"]
    load_test["failures"] = [{**failure, "message": f"503 GET /{n}"} for n in range(3000)]
    path = tmp_path / "report.html"
    path.write_text(html_report(sample_report(load_test), "shop"), encoding="utf-8")
    page = open_page(path.as_uri())
    failures = page.locator(".failures details")

    failures.first.wait_for()
    assert failures.count() == 20
    page.get_by_role("button", name="Show more: 2,980 are left").click()
    assert failures.count() == 100
    page.get_by_label("Filter Failures").fill("/2999")
    (text,) = failures.all_inner_texts()
    assert text.endswith("503 GET /2999")


def test_paper_shows_whole_charts(report: str, open_page: OpenPage) -> None:
    page = open_page(report)
    page.wait_for_selector("svg .series path")

    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 900})

    fits = "each => each.getBoundingClientRect().width <= each.parentElement.clientWidth + 1 && each.viewBox.baseVal.width > 0"
    assert all(svg.evaluate(fits) for svg in page.locator(".plot svg").all())


def test_the_table_is_sorted_filtered_and_its_columns_chosen(
    report: str, open_page: OpenPage
) -> None:
    page = open_page(report)
    table = page.get_by_role("region", name="Requests by name")
    names = table.locator("tbody th")

    table.get_by_role("button", name="Name").click()
    assert names.first.inner_text() == "GET /products/0"
    table.get_by_role("button", name="Name").click()
    assert names.first.inner_text() == "GET /products/4"
    page.get_by_label("Filter Requests by name").fill("products/3")
    assert names.all_inner_texts() == ["GET /products/3"]
    page.get_by_text("Columns").click()
    page.get_by_label("p99.9").check()
    assert "p99.9" in table.locator("thead").inner_text()


def test_names_and_texts_are_data_never_markup(tmp_path: Path, open_page: OpenPage) -> None:
    load_test = sample_load_test(NASTY, seconds=10, names=1)
    load_test["requests"][0]["name"] = load_test["failures"][0]["message"] = NASTY
    load_test["timeline"]["requests"][1]["name"] = load_test["target"] = NASTY
    load_test["timeline"]["errors"][0]["kind"] = NASTY
    path = tmp_path / "report.html"
    path.write_text(html_report(sample_report(load_test), NASTY), encoding="utf-8")

    page = open_page(path.as_uri())

    assert page.inner_text("h1") == NASTY
    assert page.inner_text("h2") == NASTY
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_is_accessible_and_fits_the_screen(
    report: str,
    open_page: OpenPage,
    violations: Callable[[Any], list[str]],
    scheme: str,
    width: int,
) -> None:
    page = open_page(report, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.wait_for_selector("svg .series path")

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_switch_makes_it_dark(report: str, open_page: OpenPage) -> None:
    page = open_page(report, color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)

    page.get_by_label("Colours").select_option("dark")

    assert before == "rgb(255, 255, 255)"
    assert page.evaluate(colour) == "rgb(20, 23, 28)"


def test_it_prints_every_load_test_on_pages_of_a4(tmp_path: Path, open_page: OpenPage) -> None:
    path = tmp_path / "report.html"
    tests = [sample_load_test(), sample_load_test("test_shop.py::test_other")]
    path.write_text(html_report(sample_report(*tests), "shop"), encoding="utf-8")
    page = open_page(path.as_uri())
    page.wait_for_selector("details.test[open]")  # the page is made when its results are read

    printed = page.pdf(format="A4", print_background=True)

    assert printed.startswith(b"%PDF")
    assert page.locator("details.test[open]").count() == 2


def test_an_hour_with_50_names_is_shown_soon(tmp_path: Path, open_page: OpenPage) -> None:
    path = tmp_path / "report.html"
    report = sample_report(sample_load_test(seconds=3_600, names=50, values=5_000))
    path.write_text(html_report(report, "shop"), encoding="utf-8")

    page = open_page(path.as_uri())
    page.wait_for_selector("svg .series path")

    assert page.locator("tbody tr").count() >= 50
