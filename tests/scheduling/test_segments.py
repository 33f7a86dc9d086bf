"""k6's sharing out of VUs and iterations, on its recorded runs and by properties."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.model import OptionError
from pytest_k6api.scheduling import WHOLE, ExecutionSegment, read_segment

unhurried = settings(deadline=None, max_examples=100)

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/k6/segments.jsonl").read_text().splitlines()
]

# Sixtieths, so that sequences repeat soon: dealing out takes as long as they do.
sequences = st.lists(st.integers(1, 59), max_size=5).map(
    lambda points: tuple(Fraction(point, 60) for point in sorted({0, 60, *points}))
)


def segments_of(bounds: tuple[Fraction, ...]) -> list[ExecutionSegment]:
    return [ExecutionSegment(bounds, index) for index in range(len(bounds) - 1)]


def test_all_recorded_rows_are_there() -> None:
    assert len(RECORDED) == 43


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: f"{row['segment']}-{row['vus']}")
def test_a_segment_has_the_vus_and_iterations_that_k6_gives_it(row: dict[str, object]) -> None:
    segment = read_segment(str(row["segment"]), str(row["sequence"]))
    vus, iterations = int(str(row["vus"])), int(str(row["iterations"]))

    share = segment.recut(vus)

    assert segment.scale(vus) == row["k6_vus"]
    assert (share.scale(iterations) if share else 0) == row["k6_iterations"]


@pytest.mark.parametrize(
    ("sequence", "owners"),
    [("0,1/2,3/4,1", [0, 1, 0, 2]), ("0,0.2,0.5,1", [2, 1, 2, 0, 2, 1, 2, 1, 2, 0])],
)
def test_elements_are_dealt_out_as_k6_does(sequence: str, owners: list[int]) -> None:
    bounds = tuple(Fraction(part) for part in sequence.split(","))
    positions = [
        (segment.position(number), segment.index)
        for segment in segments_of(bounds)
        for number in range(segment.scale(len(owners)))
    ]

    assert [owner for _, owner in sorted(positions)] == owners


@unhurried
@given(sequences, st.integers(0, 5_000))
def test_the_shares_of_all_segments_add_up_to_the_whole(
    bounds: tuple[Fraction, ...], value: int
) -> None:
    assert sum(segment.scale(value) for segment in segments_of(bounds)) == value


@unhurried
@given(sequences, st.integers(1, 300))
def test_the_shares_of_all_segments_cut_anew_add_up_too(
    bounds: tuple[Fraction, ...], vus: int
) -> None:
    shares = [segment.recut(vus) for segment in segments_of(bounds)]

    assert sum(share.scale(1_000) for share in shares if share) == 1_000


@unhurried
@given(sequences, st.integers(0, 200))
def test_position_inverts_scale(bounds: tuple[Fraction, ...], number: int) -> None:
    for segment in segments_of(bounds):
        position = segment.position(number)

        assert segment.scale(position) == number
        assert segment.scale(position + 1) == number + 1


def test_everything_is_its_own_share() -> None:
    assert WHOLE.is_whole
    assert WHOLE.fraction == 1.0
    assert (WHOLE.scale(7), WHOLE.position(7)) == (7, 7)
    assert WHOLE.recut(3) == WHOLE


@pytest.mark.parametrize(
    ("segment", "sequence", "expected"),
    [
        ("1/4", "", "0:1/4"),
        ("0:1/4", "", "0:1/4"),
        ("25%:0.5", "", "1/4:1/2"),
        (" 0 : .5 ", " 0 , 1/2 , 1 ", "0:1/2"),
        ("1/2:1", "1/2,1", "1/2:1"),
        ("1/4:1/2", "1/4,1/2", "1/4:1/2"),
        ("", "", "0:1"),
        ("1", "", "0:1"),
    ],
)
def test_texts_of_segments_are_read(segment: str, sequence: str, expected: str) -> None:
    assert str(read_segment(segment, sequence)) == expected


def test_a_missing_sequence_is_what_comes_before_and_after() -> None:
    bounds = read_segment("1/4:1/2").bounds

    assert bounds == (Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(1))


@pytest.mark.parametrize(
    ("segment", "sequence", "message"),
    [
        (
            "1/2:1/4",
            "",
            "an execution segment A:B has 0 <= A < B <= 1, got '1/2:1/4'; write '0:1/4'",
        ),
        ("1/2:3/2", "", "an execution segment A:B has 0 <= A < B <= 1, got '1/2:3/2'"),
        ("0:0", "", "has 0 <= A < B <= 1, got '0:0'"),
        (
            "a:b",
            "",
            "cannot read 'a' in the execution segment 'a:b'; write a fraction such as '1/4'",
        ),
        ("0:-1", "", "cannot read '-1'"),
        ("0:1.5%", "", "cannot read '1.5%'"),
        ("0:1/0", "", "cannot read '1/0'"),
        ("0:1e-2", "", "cannot read '1e-2'"),
        # Python itself refuses integers of more than 4,300 digits.
        ("9" * 5000, "", "cannot read '999"),
        ("1/" + "9" * 5000, "", "cannot read '1/999"),
        ("9" * 5000 + "%", "", "cannot read '999"),
        (":1", "", "cannot read '' in the execution segment ':1'"),
        (
            "0:1/3",
            "0,1/2,1",
            "the execution segment sequence '0,1/2,1' does not contain the segment '0:1/3'",
        ),
        ("0:1/2", "0,1/2,1/4,1", "a sequence ascends from 0 to 1"),
        ("", "0,1/2,1", "the execution segment sequence '0,1/2,1' says nothing without a segment"),
    ],
)
def test_segments_that_make_no_sense_are_refused(segment: str, sequence: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_segment(segment, sequence)

    assert message.replace("a sequence", "an execution segment sequence") in str(caught.value)


def test_a_segment_is_one_of_its_sequence() -> None:
    with pytest.raises(OptionError, match="there is no segment 2 in '0,1/2,1'"):
        ExecutionSegment((Fraction(0), Fraction(1, 2), Fraction(1)), 2)


def test_sequences_that_take_too_long_to_deal_out_are_refused() -> None:
    segment = read_segment("0:0.12345678", "")

    with pytest.raises(OptionError, match="repeats only after 50000000 elements, 1000000 are"):
        segment.scale(10)
