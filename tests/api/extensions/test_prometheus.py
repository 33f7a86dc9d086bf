from prometheus_client.parser import text_string_to_metric_families

from pytest_k6api.api.extensions.prometheus import exposition
from pytest_k6api.metrics import GroupSnapshot, MetricSnapshot, Snapshot, ThresholdSnapshot
from pytest_k6api.model import Contains, MetricKind, RunStatus, StatusSnapshot

STATUS = StatusSnapshot(
    status=RunStatus.RUNNING,
    paused=True,
    vus=2,
    vus_max=5,
    stopped=False,
    running=True,
    tainted=False,
    elapsed=3.5,
)


def metric(
    metric_id: str, kind: MetricKind, contains: Contains, **numbers: float
) -> MetricSnapshot:
    sample = {name.replace("p9", "p(9").replace("0", "0)"): n for name, n in numbers.items()}
    return MetricSnapshot(
        id=metric_id,
        name=metric_id.partition("{")[0],
        kind=kind,
        contains=contains,
        sample=sample,
        extra={},
        samples=7,
    )


def scraped(*metrics: MetricSnapshot) -> dict[tuple[str, str, str], float]:
    """Return every sample by its name, filter and quantile, as Prometheus' parser reads it."""
    root = GroupSnapshot(id="", path="", name="")
    snapshot = Snapshot(elapsed=3.5, metrics={m.id: m for m in metrics}, root=root)
    text = exposition(snapshot, 'test_shop.py::test_buy[a"b]', STATUS).decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    assert {sample.labels["test"] for sample in samples} == {'test_shop.py::test_buy[a"b]'}
    return {
        (s.name, s.labels.get("filter", ""), s.labels.get("quantile", "")): s.value for s in samples
    }


def test_every_kind_of_metric_has_its_form_and_base_units() -> None:
    samples = scraped(
        metric("http_reqs", MetricKind.COUNTER, Contains.DEFAULT, count=70, rate=17.5),
        metric("data_sent", MetricKind.COUNTER, Contains.DATA, count=5160, rate=1.0),
        metric("vus", MetricKind.GAUGE, Contains.DEFAULT, value=3),
        metric("checks", MetricKind.RATE, Contains.DEFAULT, rate=0.75),
        metric(
            "http_req_duration", MetricKind.TREND, Contains.TIME, med=250.0, p90=500.0, sum=1000
        ),
    )

    assert samples == {
        ("k6_http_reqs_total", "", ""): 70,
        ("k6_data_sent_bytes_total", "", ""): 5160,
        ("k6_vus", "", ""): 3,
        ("k6_checks_ratio", "", ""): 0.75,
        ("k6_http_req_duration_seconds", "", "0.5"): 0.25,
        ("k6_http_req_duration_seconds", "", "0.9"): 0.5,
        ("k6_http_req_duration_seconds_count", "", ""): 7,
        ("k6_http_req_duration_seconds_sum", "", ""): 1,
        ("k6_status", "", ""): 7,
        ("k6_paused", "", ""): 1,
        ("k6_elapsed_seconds", "", ""): 3.5,
    }


def test_a_sub_metric_is_a_series_of_its_metric() -> None:
    samples = scraped(
        metric("http_reqs", MetricKind.COUNTER, Contains.DEFAULT, count=70),
        metric("http_reqs{name:login}", MetricKind.COUNTER, Contains.DEFAULT, count=3),
    )

    assert samples["k6_http_reqs_total", "", ""] == 70
    assert samples["k6_http_reqs_total", "{name:login}", ""] == 3


def test_thresholds_are_there_once_they_were_judged() -> None:
    judged = ThresholdSnapshot(metric="checks", source="rate>0.9", ok=False, samples=1)
    waiting = ThresholdSnapshot(metric="checks", source="rate>0.8", ok=None)
    checks = MetricSnapshot(
        id="checks",
        name="checks",
        kind=MetricKind.RATE,
        contains=Contains.DEFAULT,
        sample={"rate": 0.5},
        extra={},
        samples=1,
        thresholds=(judged, waiting),
    )
    root = GroupSnapshot(id="", path="", name="")

    text = exposition(Snapshot(elapsed=1, metrics={"checks": checks}, root=root), "t", STATUS)

    assert b'k6_threshold_ok{expression="rate>0.9",metric="checks",test="t"} 0.0' in text
    assert b"rate>0.8" not in text


def test_with_k6s_names_series_are_those_of_its_remote_write() -> None:
    metrics = (
        metric("http_reqs", MetricKind.COUNTER, Contains.DEFAULT, count=70, rate=17.5),
        metric("data_sent", MetricKind.COUNTER, Contains.DATA, count=5160, rate=1.0),
        metric("vus", MetricKind.GAUGE, Contains.DEFAULT, value=3),
        metric("checks", MetricKind.RATE, Contains.DEFAULT, rate=0.75),
        metric("checks{a:b}", MetricKind.RATE, Contains.DEFAULT, rate=0.5),
        metric("http_req_duration", MetricKind.TREND, Contains.TIME, med=250.0, p90=500.0),
    )
    root = GroupSnapshot(id="", path="", name="")
    snapshot = Snapshot(elapsed=3.5, metrics={each.id: each for each in metrics}, root=root)

    text = exposition(snapshot, "test_shop.py::test_buy", STATUS, k6_names=True).decode()

    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    assert all(sample.labels["testid"] == "test_shop.py::test_buy" for sample in samples)
    state = {"k6_status", "k6_paused", "k6_elapsed_seconds"}
    assert {s.name: s.value for s in samples if s.name not in state} == {
        "k6_http_reqs_total": 70,
        "k6_data_sent_total": 5160,
        "k6_vus": 3,
        "k6_checks_rate": 0.75,
        "k6_http_req_duration_med": 0.25,
        "k6_http_req_duration_p90": 0.5,
    }
