"""Documents of load tests that nobody ran: of any length, with any number of names."""

import math
import random
from typing import Any

EDGES = [round(0.1 * 10 ** (index / 8), 4) for index in range(41)]

Document = dict[str, Any]


def sample_timeline(seconds: int = 120, names: int = 5, slower: float = 1.0) -> Document:
    """Return a ramp with a peak of latency in the middle, in the form of the API."""
    chance = random.Random(7)
    shape = [
        1 + 6 * math.exp(-(((second - seconds * 0.6) / max(1, seconds * 0.03)) ** 2))
        for second in range(seconds)
    ]
    vus = [min(50, 1 + second * 100 // seconds) for second in range(seconds)]
    latencies = [slower * peak for peak in shape]
    heat = [
        _column(count * 10, 8 * slower * peak, chance)
        for count, peak in zip(vus, shape, strict=True)
    ]
    heat_width = 1
    while seconds > 240 * heat_width:
        heat_width *= 2
    requests = [_series(None, None, vus, latencies, chance)]
    for number in range(names):
        part = [max(0, count // (number + 2)) for count in vus]
        series = _series(None, f"GET /products/{number}", part, latencies, chance)
        series["heat"] = [
            [
                sum(counts) // (number + 2)
                for counts in zip(*heat[start : start + heat_width], strict=True)
            ]
            for start in range(0, seconds, heat_width)
        ]
        requests.append(series)
    failing = [0 if peak < 4 else int(peak) for peak in shape]
    errors = [
        {"kind": "1212 connection refused", "counts": failing},
        {"kind": "503", "counts": [count // 2 for count in failing]},
    ]
    requests[0]["errors"] = errors
    return {
        "width": 1,
        "seconds": list(range(seconds)),
        "vus": {
            "active": vus,
            "planned": [count + (second % 7 == 0) for second, count in enumerate(vus)],
        },
        "lateness_p95_ms": [round(peak * chance.random(), 2) for peak in shape],
        "data": {
            "sent": [count * 900 for count in vus],
            "received": [count * 12_000 for count in vus],
        },
        "errors": errors,
        "heatmap": {"edges_ms": EDGES, "counts": heat},
        "heat_width": heat_width,
        "requests": requests,
    }


def _series(
    scenario: str | None,
    name: str | None,
    vus: list[int],
    latencies: list[float],
    chance: random.Random,
) -> Document:
    rows = [
        (vus_now * 10, latency * (0.8 + 0.4 * chance.random()))
        for vus_now, latency in zip(vus, latencies, strict=True)
    ]

    def times(factor: float) -> list[float | None]:
        return [round(factor * base, 3) if count else None for count, base in rows]

    failed = [int(base > 4) * count // 40 for count, base in rows]
    sent = [count * 300 for count, _ in rows]
    return {
        "scenario": scenario,
        "name": name,
        "count": [count for count, _ in rows],
        "failed": failed,
        "p50_ms": times(8),
        "p95_ms": times(21),
        "p99_ms": times(34),
        "max_ms": times(55),
        "heat": None,
        "errors": [{"kind": "503", "counts": failed}] if any(failed) else [],
        "data": {"sent": sent, "received": sent} if name is None else None,
    }


def _column(count: int, median: float, chance: random.Random) -> list[int]:
    counts = [0] * 40
    for _ in range(min(count, 60)):
        value = median * math.exp(chance.gauss(0, 0.5))
        bucket = int(8 * math.log10(max(value, 0.1) / 0.1))
        counts[min(39, bucket)] += max(1, count // 60)
    return counts


def sample_load_test(
    name: str = "test_shop.py::test_browse",
    *,
    seconds: int = 120,
    names: int = 5,
    values: int = 2_000,
) -> Document:
    """Return the document of a load test that failed, with everything a report can show."""
    check = {
        "name": "status is 200",
        "path": "::shop::status is 200",
        "id": "a",
        "passes": 990,
        "fails": 10,
    }
    shop = {
        "name": "shop",
        "path": "::shop",
        "id": "b",
        "groups": {},
        "checks": {"status is 200": check},
    }
    durations = {
        "avg": 12.5,
        "min": 0.9,
        "med": 8.0,
        "max": 412.0,
        "p(90)": 17.0,
        "p(95)": 21.3,
        "p(99)": 34.4,
    }
    count = 29_000
    return {
        "format": "pytest-k6api results",
        "version": 1,
        "name": name,
        "outcome": "failed",
        "started_at": 1_800_000_000.0,
        "elapsed": float(seconds),
        "target": "http://shop.example",
        "environment": {"pytest_k6api": "0.1.0", "python": "3.11.2", "cpus": "2"},
        "scenarios": {"test_browse": {"executor": "ramping-vus", "stages": [[60.0, 50]], "tags": {}}},
        "thresholds": [
            {"metric": "http_req_duration", "expression": "p(95)<20", "window": "", "ok": False, "observed": 21.3, "observed_text": "p(95)=21.3ms"},
            {"metric": "checks", "expression": "rate>0.9", "window": "", "ok": True, "observed": 0.99, "observed_text": "rate=99.00%"},
        ],
        "root_group": {"name": "", "path": "", "id": "c", "groups": {"shop": shop}, "checks": {}},
        "request_names": {"kept": names, "seen": names},
        "metrics": {key: _trend(values) for key in _trend_ids(names)} | {"http_reqs": _counter(count)},
        "reasons": ["http_req_duration: the threshold p(95)<20 was crossed: p(95)=21.3ms"],
        "warnings": ["the generator was busy for 93% of the time"],
        "numbers": {
            "http_req_duration": durations,
            "http_reqs": {"count": count, "rate": 241.7},
            "http_req_failed": {"rate": 0.0123, "passes": 357, "fails": 28_643},
            "checks": {"rate": 0.99, "passes": 990, "fails": 10},
            "iterations": {"count": 5_800, "rate": 48.3},
            "vus": {"value": 0, "min": 0, "max": 50},
        },
        "requests": [_request(number) for number in range(names)],
        "failures": [
            {
                "kind": "request", "scenario": "test_browse", "message": "503 GET /products/0", "place": "",
                "count": 357, "share": 0.0123, "first_at": 61.2, "last_at": 80.9,
                "details": "> GET /products/0 HTTP/1.1\n< HTTP/1.1 503 Service Unavailable\n\nbusy",
            }
        ],
        "comparison": {
            "title": "main (passed, 2026-11-26 18:00 UTC)",
            "numbers": [{"metric": "http_req_duration", "stat": "p(95)", "before": "15.1ms", "after": "21.3ms", "change": "+41.1%", "noise": "more than noise (p<0.001)", "broken": True}],
            "failures": [],
            "notes": [],
            "timeline": sample_timeline(seconds, names, slower=0.7),
        },
        "timeline": sample_timeline(seconds, names),
    }  # fmt: skip


def sample_report(*load_tests: Document) -> Document:
    """Return the document of a session."""
    return {
        "format": "pytest-k6api report",
        "version": 1,
        "created_at": 1_800_000_100.0,
        "load_tests": list(load_tests) or [sample_load_test()],
    }


def _request(number: int) -> Document:
    times = {
        "min": 0.9,
        "avg": 9.1,
        "p50": 8.0,
        "p90": 17.0,
        "p95": 21.0,
        "p99": 34.0,
        "p99.9": 80.0,
        "max": 412.0,
    }
    count = 10_000 // (number + 1)
    return {
        "scenario": "", "is_sum": False, "name": f"GET /products/{number}", "count": count, "per_second": count / 120,
        "failed": 357 if number == 0 else 0, "failed_share": 0.03 if number == 0 else 0.0, **times, "size": 1_234.0,
    }  # fmt: skip


def _trend_ids(names: int) -> list[str]:
    metrics = [
        "http_req_duration",
        "http_req_waiting",
        "http_req_receiving",
        "http_req_sending",
        "iteration_duration",
    ]
    return metrics + [
        f"http_req_duration{{name:GET /products/{number}}}" for number in range(names)
    ]


def _trend(values: int) -> Document:
    chance = random.Random(3)
    counts: dict[int, int] = {}
    for _ in range(values):
        value = int(8_000 * math.exp(chance.gauss(0, 0.8)))
        counts[value] = counts.get(value, 0) + 1
    pairs = sorted(map(list, counts.items()))
    return {
        "name": "http_req_duration", "type": "trend", "contains": "time", "samples_per_unit": 1000, "samples": values,
        "sum": sum(value * count for value, count in pairs), "min": pairs[0][0], "max": pairs[-1][0], "digits": None, "values": pairs,
    }  # fmt: skip


def _counter(count: int) -> Document:
    return {
        "name": "http_reqs",
        "type": "counter",
        "contains": "default",
        "samples_per_unit": 1,
        "samples": count,
        "sum": count,
    }
