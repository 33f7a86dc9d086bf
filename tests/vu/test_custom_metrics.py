import gc
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import pytest
import trio

from pytest_k6api.model import Contains, MetricError, MetricKind
from pytest_k6api.vu import VU, Counter, Gauge, Rate, Trend, declared_metrics
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import FakeLoadTest


@in_virtual_time
async def test_values_are_recorded_where_the_user_stands() -> None:
    load = FakeLoadTest()
    queue_time = Trend("queue_time", contains="time")

    async def browse(vu: VU) -> None:
        with vu.group("mail"):
            queue_time.add(12.5, tags={"queue": 3})
        others: list[Any] = [Decimal("0.5"), Fraction(1, 4)]
        for value in others:
            queue_time.add(value)

    await load.user(browse).run_iteration()

    assert load.samples("queue_time", "group", "queue") == [
        (12.5, "::mail", "3"),
        (0.5, "", None),
        (0.25, "", None),
    ]


@in_virtual_time
async def test_a_counter_counts_one_if_nothing_is_said() -> None:
    load = FakeLoadTest()
    orders = Counter("orders")

    async def browse() -> None:
        orders.add()

    await load.user(browse).run_iteration()

    assert load.samples("orders") == [1.0]


@in_virtual_time
async def test_a_timed_block_is_recorded_in_milliseconds_also_if_it_raises() -> None:
    load = FakeLoadTest()
    thinking = Trend("pondering", contains="time")

    async def browse(vu: VU) -> None:
        with thinking.timed(tags={"about": "cart"}):
            await vu.sleep(0.25)
            raise ValueError

    await load.user(browse).run_iteration()

    assert load.samples("pondering", "about") == [(250.0, "cart")]


@in_virtual_time
async def test_an_interrupted_timed_block_is_not_recorded() -> None:
    load = FakeLoadTest()
    thinking = Trend("thinking_long")

    async def browse(vu: VU) -> None:
        with thinking.timed():
            await vu.sleep(9)

    with trio.move_on_after(1):
        await load.user(browse).run_iteration()

    assert load.samples("thinking_long") == []


@in_virtual_time
@pytest.mark.parametrize("value", [math.nan, math.inf, None, "12", [1], 1j], ids=repr)
async def test_what_is_no_finite_number_fails_the_iteration(value: Any) -> None:
    load = FakeLoadTest()
    level = Gauge("level")

    async def browse() -> None:
        level.add(value)

    await load.user(browse).run_iteration()

    assert load.samples("level") == []
    assert load.the_failure().message == (
        f"MetricError: level: a gauge takes finite numbers up to 1.8e308, got {value!r}"
    )


@in_virtual_time
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**400, "an integer of 401 digits"),
        (-(10**5000), "an integer of 5,001 digits"),
        (Decimal("1e400"), "Decimal('1E+400')"),
        (Decimal("sNaN"), "Decimal('sNaN')"),
        (Fraction(10**310, 3), f"Fraction(1{'0' * 72}… (324 characters)"),
        ("\ud83d", r"'\ud83d'"),
    ],
    ids=["integer", "huge integer", "decimal", "signalling", "fraction", "text"],
)
async def test_a_number_that_no_float_can_hold_is_refused_where_it_enters(
    value: Any, shown: str
) -> None:
    load = FakeLoadTest()
    level = Gauge("level")

    async def browse() -> None:
        level.add(value)

    await load.user(browse).run_iteration()

    assert load.samples("level") == []
    assert load.the_failure().message == (
        f"MetricError: level: a gauge takes finite numbers up to 1.8e308, got {shown}"
    )


def test_outside_of_a_virtual_user_there_is_nothing_to_record_for() -> None:
    trend = Trend("nowhere")

    with pytest.raises(MetricError, match=r"nowhere: there is no virtual user to record for; call"):
        trend.add(1)
    with pytest.raises(MetricError, match=r"nowhere: there is no virtual user to record for; use"):
        trend.timed().__enter__()


def test_declared_metrics_are_known_for_as_long_as_they_live() -> None:
    first, again = Rate("retries"), Rate("retries")

    assert declared_metrics()["retries"].kind is MetricKind.RATE
    assert first.metric is again.metric
    del first, again
    gc.collect()
    assert "retries" not in declared_metrics()


def test_one_name_means_one_thing() -> None:
    first = Counter("traffic", contains="data")

    with pytest.raises(MetricError) as raised:
        Trend("traffic")

    assert first.metric.contains is Contains.DATA
    assert re.fullmatch(
        r".*/test_custom_metrics\.py:\d+: the metric 'traffic' is declared as a trend of default"
        r" values and was declared as a counter of data values at .*/test_custom_metrics\.py:\d+;"
        r" give one of them another name",
        str(raised.value),
    )


def test_a_declaration_of_a_module_that_is_gone_does_not_count() -> None:
    ring: list[object] = [Counter("forgotten")]
    ring.append(ring)  # only the collector finds it
    del ring

    assert Trend("forgotten").metric.kind is MetricKind.TREND


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: Trend("http_reqs"), "http_reqs: is the name of a built-in metric; choose another"),
        (lambda: Trend("x"), "cannot name a metric 'x'"),
        (
            lambda: Trend("wait", contains=cast("Any", "ms")),
            "wait: contains is 'default', 'time' or 'data', got",
        ),
    ],
)
def test_a_metric_that_cannot_be_is_refused(declare: Any, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        declare()
