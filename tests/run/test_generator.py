"""A generator that has no time left says so."""

from pytest_k6api.run.generator import GeneratorProbe


def probe(*, late: float, busy: float, readings: int = 100) -> GeneratorProbe:
    probe = GeneratorProbe()
    for _ in range(readings):
        elapsed = 0.05 + late
        probe.add(late, busy * elapsed, elapsed)
    return probe


def test_a_generator_with_time_left_says_nothing() -> None:
    assert probe(late=0.0009, busy=0.5).warnings() == ()


def test_less_than_a_second_says_nothing() -> None:
    assert probe(late=0.1, busy=1.0, readings=5).warnings() == ()


def test_a_busy_core_limits_the_load() -> None:
    (warning,) = probe(late=0.0009, busy=0.97).warnings()

    assert warning.startswith("limited by the generator: it used 97% of a core")


def test_a_loop_that_wakes_late_limits_the_load() -> None:
    (warning,) = probe(late=0.03, busy=0.3).warnings()

    assert warning.startswith(
        "limited by the generator: its event loop was late for 3.0 of 8.0 seconds"
    )


def test_one_call_that_blocks_for_long_is_enough() -> None:
    (warning,) = probe(late=1.2, busy=0.1, readings=1).warnings()

    assert "time.sleep" in warning
