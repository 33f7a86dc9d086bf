"""Whether a reply of a real load test is what k6 replied, by section 13 of what was measured.

Exactly: the status, the type, the texts of errors but for those about bodies, the
members and their types, ids, and the counts of tests with a fixed number of
iterations. Not compared: the order of lists, rates, times, numbers of bytes, and what is a race in k6
itself: `status` and `vus` right after a resume or a stop, and whether ``vus``
and ``vus_max`` are there yet.
"""

import re

from tests.api.recorded import Exchange, without_own_words
from tests.run.live import Answer, Json

OURS = {"generator_lateness", "iteration_failures"}
"""Metrics that k6 does not have; they are in every list."""

_LATE = {"vus", "vus_max"}

# Metrics of the test with fixed iterations whose numbers do not depend on time.
_COUNTED = re.compile(r"my_.*|checks.*|vus|vus_max|http_reqs\{kind:alpha\}|w[tgcr]")


def differences(exchange: Exchange, answer: Answer) -> list[str]:
    """Return in what `answer` differs from k6's reply."""
    expected = exchange.response
    wanted = expected["type"]
    if exchange.document is not None and str(wanted).startswith("text/plain"):
        wanted = "application/json"
    pairs = [
        ("status", expected["status"], answer.status),
        ("type", wanted, answer.type),
        ("location", expected.get("location"), answer.location),
    ]
    if exchange.document is None:
        pairs.append(("body", expected["body"], answer.body))
    else:
        pairs.append(
            ("body", _plain(exchange, exchange.document), _plain(exchange, answer.document))
        )
    return [
        f"{what}: k6 {theirs!r}, here {ours!r}" for what, theirs, ours in pairs if theirs != ours
    ]


def _plain(exchange: Exchange, document: Json) -> Json:
    """Return a document without what is not compared."""
    data = document.get("data") if isinstance(document, dict) else None
    if isinstance(data, list):
        return {item["id"]: _item(exchange, item) for item in data if _is_compared(exchange, item)}
    return _item(exchange, data) if isinstance(data, dict) else without_own_words(document)


def _is_compared(exchange: Exchange, item: Json) -> bool:
    if item["type"] != "metrics":
        return True
    listed = {theirs["id"] for theirs in exchange.document.get("data", ())}
    return item["id"] not in OURS | (_LATE - listed)


def _item(exchange: Exchange, item: Json) -> Json:
    if item["type"] == "status":
        return {**item, "attributes": _status(exchange, item["attributes"])}
    if item["type"] == "metrics":
        return {**item, "attributes": _metric(exchange, item["id"], item["attributes"])}
    if item["type"] == "groups":
        return _group(exchange, item)
    return item


def _status(exchange: Exchange, attributes: Json) -> Json:
    body = exchange.request.get("body") or ""
    if exchange.request["method"] == "PATCH" and re.search(r'"paused": ?false', body):
        return {**attributes, "status": "any", "running": "any", "vus": "any"}
    if exchange.request["method"] == "PATCH" and re.search(r'"stopped": ?true', body):
        return {**attributes, "status": "any", "vus": "any"}
    return attributes


def _metric(exchange: Exchange, metric_id: str, attributes: Json) -> Json:
    is_exact = _is_counted(exchange) and _COUNTED.fullmatch(metric_id)
    sample = {
        name: value
        if is_exact and (attributes["type"], name) != ("counter", "rate")
        else _kind(value)
        for name, value in attributes["sample"].items()
    }
    return {**attributes, "sample": sample}


def _kind(value: object) -> str:
    return "number" if isinstance(value, int | float) else repr(value)


def _is_counted(exchange: Exchange) -> bool:
    return exchange.script == "weird_values" or (
        exchange.script == "metrics_all" and exchange.phase == "ended-linger"
    )


def _group(exchange: Exchange, item: Json) -> Json:
    checks = item["attributes"]["checks"]
    children = item["relationships"]["groups"]["data"]
    return {
        **item,
        "attributes": {
            **item["attributes"],
            "checks": checks and {check["id"]: _check(exchange, check) for check in checks},
        },
        "relationships": {
            **item["relationships"],
            "groups": sorted(child["id"] for child in children),
        },
    }


def _check(exchange: Exchange, check: Json) -> Json:
    if _is_counted(exchange):
        return check
    return {**check, "passes": _kind(check["passes"]), "fails": _kind(check["fails"])}
