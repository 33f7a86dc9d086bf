"""Numbers as people read them; the golden ones are what k6 v1.1.0's binary printed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import Contains
from pytest_k6api.report.text.units import (
    format_bytes,
    format_count,
    format_number,
    format_per_second,
    format_share,
    format_time,
    format_value,
)

# Milliseconds given to a Trend of times.
K6_TIMES = {
    0: "0s",
    0.0000009: "0ns",
    0.00012: "120ns",
    0.000999: "999ns",
    0.001: "1µs",
    0.0123456: "12.34µs",
    0.5: "500µs",
    0.999999: "999.99µs",
    1: "1ms",
    1.15: "1.14ms",  # binary fractions, cut: k6 shows the same
    12.3456: "12.34ms",
    850: "850ms",
    999.999: "999.99ms",
    1000: "1s",
    1234.5678: "1.23s",
    59999.9: "59.99s",
    60000: "1m0s",
    61000: "1m1s",
    89900: "1m29s",
    3599999: "59m59s",
    3600000: "1h0m0s",
    3661000: "1h1m1s",
    90061000: "25h1m1s",
    86400000: "24h0m0s",
}

# Numbers given to a Gauge.
K6_NUMBERS = {
    0: "0",
    0.001: "0.001",
    0.0000123: "0.000012",
    0.12345678: "0.123457",
    1: "1",
    12.5: "12.5",
    1234567: "1234567",
    1234.5678: "1234.5678",
    -3.25: "-3.25",
    100000000: "100000000",
    1e15: "1000000000000000",
}

# By k6's source: its own counters of bytes cannot be given numbers.
BYTES = {
    0: "0 B",
    1.5: "1.5 B",
    9: "9 B",
    10: "10 B",
    999: "999 B",
    1000: "1.0 kB",
    1234: "1.2 kB",
    9940: "9.9 kB",
    9960: "10 kB",
    122_450: "123 kB",  # rounded twice, as in k6
    34_567_890: "35 MB",
    1_200_000_000: "1.2 GB",
    5e12: "5.0 TB",
    7e15: "7.0 PB",
    7e18: "7000 PB",
}


@pytest.mark.parametrize(("milliseconds", "text"), K6_TIMES.items())
def test_times_read_as_in_k6(milliseconds: float, text: str):
    assert format_time(milliseconds) == text
    assert format_value(milliseconds, Contains.TIME) == text


@pytest.mark.parametrize(("number", "text"), K6_NUMBERS.items())
def test_plain_numbers_read_as_in_k6(number: float, text: str):
    assert format_number(number) == text
    assert format_value(number, Contains.DEFAULT) == text


@pytest.mark.parametrize(("count", "text"), BYTES.items())
def test_bytes_read_as_in_k6(count: float, text: str):
    assert format_bytes(count) == text
    assert format_per_second(count, Contains.DATA) == f"{text}/s"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.00%"), (1 / 3, "33.33%"), (99_999 / 100_000, "99.99%"), (1, "100.00%")],
)
def test_shares_read_as_in_k6_and_never_round_up_to_all(share: float, text: str):
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (7, "7"), (1_234_567, "1,234,567"), (1234.5, "1,234.50")]
)
def test_counts_have_separators(count: float, text: str):
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0/s"),
        (0.00001, "0.00001/s"),
        (0.5, "0.5/s"),
        (12.3456789, "12.3457/s"),
        (63_012.7, "63,013/s"),
    ],
)
def test_rates_have_as_many_digits_as_people_read(rate: float, text: str):
    assert format_per_second(rate) == text


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(Contains))
def test_every_number_has_a_form(number: float, contains: Contains):
    assert format_value(number, contains)
    assert format_per_second(number, contains).endswith("/s")
    assert format_count(number)


@given(st.floats(0.001, 1e9))
def test_a_time_is_never_shown_longer_than_it_was(milliseconds: float):
    per_unit = {"µs": 1e-3, "ms": 1.0, "h": 3.6e6, "m": 6e4, "s": 1e3}
    text, shown = format_time(milliseconds), 0.0
    while text:
        digits = text[: next(i for i, c in enumerate(text) if not (c.isdigit() or c == "."))]
        unit = next(
            unit for unit in ("µs", "ms", "h", "m", "s") if text[len(digits) :].startswith(unit)
        )
        shown += float(digits) * per_unit[unit]
        text = text[len(digits) + len(unit) :]

    assert shown <= milliseconds or math.isclose(shown, milliseconds)
