"""A generator that has no time left says so."""

from pytest_k6api.run.generator import GeneratorProbe


def probe(*, late_us: int, busy: float, readings: int = 100) -> GeneratorProbe:
    probe = GeneratorProbe()
    for _ in range(readings):
        probe.add(late_us, busy * 0.05, 0.05)
    return probe


def test_a_generator_with_time_left_says_nothing() -> None:
    assert probe(late_us=900, busy=0.5).warnings() == ()


def test_a_few_readings_say_nothing() -> None:
    assert probe(late_us=900_000, busy=1.0, readings=5).warnings() == ()


def test_a_busy_core_limits_the_load() -> None:
    (warning,) = probe(late_us=900, busy=0.97).warnings()

    assert warning.startswith("limited by the generator: it used 97% of its core")


def test_a_loop_that_wakes_late_limits_the_load() -> None:
    (warning,) = probe(late_us=30_000, busy=0.3).warnings()

    assert warning.startswith("limited by the generator: its loop woke more than 10 ms late 100%")
