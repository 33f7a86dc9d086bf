"""Lines are the same whether their values differ or not."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.outputs.files.columns import LineFormat

FORMAT = LineFormat(";", repr)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1, max_size=5))
def test_there_is_a_line_for_each_time_and_value(values):
    times = [f"t{number}" for number in range(len(values))]

    lines = FORMAT.lines("<", times, values, ">\n")

    assert lines == "".join(f"<t{number};{value}>\n" for number, value in enumerate(values))
    assert FORMAT.lines_with_ends("<", times, values, [">\n"] * len(values)) == lines
