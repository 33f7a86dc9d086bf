"""One checked plan from the options of several places."""

import pytest

from pytest_k6api.model import (
    ExecutorKind,
    Layer,
    LoadTestOptions,
    OptionError,
    ScenarioOptions,
    Stage,
    options_of,
    resolve_scenario,
)


def marker(**values):
    return Layer.read("@pytest.mark.scenario", values)


def command_line(**values):
    return Layer.read("command line", values, lambda name: f"--k6-{name.replace('_', '-')}")


@pytest.mark.parametrize(
    ("options", "executor"),
    [
        ({}, ExecutorKind.PER_VU_ITERATIONS),
        ({"vus": 5}, ExecutorKind.PER_VU_ITERATIONS),
        ({"iterations": 5}, ExecutorKind.SHARED_ITERATIONS),
        ({"duration": 5}, ExecutorKind.CONSTANT_VUS),
        ({"stages": [("5s", 3)]}, ExecutorKind.RAMPING_VUS),
        (
            {"rate": 5, "duration": 5, "pre_allocated_vus": 2},
            ExecutorKind.CONSTANT_ARRIVAL_RATE,
        ),
        ({"stages": [("5s", 3)], "pre_allocated_vus": 2}, ExecutorKind.RAMPING_ARRIVAL_RATE),
    ],
)
def test_shortcuts_choose_the_executor(options, executor):
    assert resolve_scenario("s", [marker(**options)]).executor is executor


def test_a_later_layer_wins():
    plan = resolve_scenario("s", [marker(vus=10, duration="30s"), command_line(vus=50)])

    assert (plan.vus, plan.duration) == (50, 30.0)


def test_a_later_workload_replaces_the_earlier_one():
    plan = resolve_scenario("s", [marker(vus=2, duration="30s"), command_line(iterations=8)])

    assert plan.executor is ExecutorKind.SHARED_ITERATIONS
    assert (plan.vus, plan.iterations, plan.duration) == (2, 8, 0.0)


@pytest.mark.parametrize(
    ("later", "rate", "duration"),
    [({"rate": 30}, 30, 60.0), ({"duration": 10}, 5, 10.0), ({"rate": 30, "duration": 10}, 30, 10)],
)
def test_a_rate_and_its_duration_can_be_changed_alone(later, rate, duration):
    written = marker(rate=5, duration="1m", pre_allocated_vus=2)

    plan = resolve_scenario("s", [written, command_line(**later)])

    assert plan.executor is ExecutorKind.CONSTANT_ARRIVAL_RATE
    assert (plan.rate, plan.duration) == (rate, duration)


@pytest.mark.parametrize(
    ("written", "later", "expected"),
    [
        (
            {"vus": 10, "duration": "30s"},
            {"stages": [("2s", 4)]},
            (ExecutorKind.RAMPING_VUS, "start_vus", 10),
        ),
        (
            {"start_vus": 7, "stages": [("2s", 4)]},
            {"duration": "5s"},
            (ExecutorKind.CONSTANT_VUS, "vus", 7),
        ),
        (
            {"vus": 10, "duration": "30s"},
            {"rate": 50},
            (ExecutorKind.CONSTANT_ARRIVAL_RATE, "pre_allocated_vus", 10),
        ),
        (
            {"rate": 50, "duration": "5s", "pre_allocated_vus": 8, "max_vus": 9},
            {"iterations": 20},
            (ExecutorKind.SHARED_ITERATIONS, "vus", 8),
        ),
    ],
)
def test_another_workload_keeps_the_number_of_vus_and_leaves_what_does_not_fit(
    written, later, expected
):
    plan = resolve_scenario("s", [marker(**written), command_line(**later)])

    executor, option, vus = expected
    assert (plan.executor, getattr(plan, option)) == (executor, vus)


def test_tags_of_several_layers_add_up_and_the_later_wins_by_name():
    plan = resolve_scenario(
        "s", [marker(tags={"kind": "smoke", "team": "a"}), command_line(tags={"team": "b"})]
    )

    assert plan.tags == {"kind": "smoke", "team": "b"}


def test_iterations_beside_a_duration_are_shared_and_the_duration_is_the_most():
    plan = resolve_scenario("s", [marker(vus=2, iterations=10, duration="20s")])

    assert plan.executor is ExecutorKind.SHARED_ITERATIONS
    assert plan.max_duration == 20.0


def test_stages_are_pairs_or_mappings():
    plan = resolve_scenario(
        "s", [marker(stages=[("30s", 20), {"duration": 10, "target": 0}], start_vus=0)]
    )

    assert plan.stages == (Stage(30.0, 20), Stage(10.0, 0))


def test_smoke_keeps_names_and_tags_and_runs_once():
    plan = resolve_scenario(
        "s", [marker(stages=[("30s", 20)], tags={"a": "b"}, start_time=5)], smoke=True
    )

    assert plan.executor is ExecutorKind.PER_VU_ITERATIONS
    assert (plan.vus, plan.iterations, plan.start_time) == (1, 1, 0.0)
    assert plan.tags == {"a": "b"}


def test_arrival_rates_may_use_as_many_vus_as_they_prepared():
    plan = resolve_scenario("s", [marker(rate=5, duration=5, pre_allocated_vus=7)])

    assert plan.max_vus == 7


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"vus": "3"}, "vus: takes a whole number, got '3'"),
        ({"vus": True}, "vus: takes a whole number, got True"),
        ({"vus": -1}, "vus: can't be negative, got -1"),
        ({"vus": 10**30}, "vus: can't be more than 10,000,000, got a number of 31 digits"),
        (
            {"max_vus": 10**5000},
            "max_vus: can't be more than 10,000,000, got a number of 5,001 digits",
        ),
        ({"vus": -(10**5000)}, "vus: can't be negative, got a number of 5,001 digits"),
        (
            {"iterations": 2**53 + 1},
            "iterations: can't be more than 9,007,199,254,740,992, got 9007199254740993",
        ),
        ({"rate": 1e300}, "rate: can't be more than 9,007,199,254,740,992, got 1e+300"),
        (
            {"rate": 10**400},
            "rate: can't be more than 9,007,199,254,740,992, got a number of 401 digits",
        ),
        ({"rate": float("nan")}, "rate: takes a number of 0 or more, got nan"),
        ({"duration": -1}, "duration: can't be negative, got -1"),
        (
            {"duration": 1e300},
            "duration: a duration is at most 9,223,372,036 s (292 years), got 1e+300",
        ),
        (
            {"duration": 10**400},
            "duration: a duration is at most 9,223,372,036 s (292 years), got a number of 401 digits",
        ),
        ({"stages": []}, "stages: at least one stage has to be specified"),
        ({"stages": [("5s", -1)]}, "stages: the target of stage 1 can't be negative, got -1"),
        (
            {"stages": [("5s", 10**30)]},
            "stages: the target of stage 1 can't be more than 10,000,000, got a number of 31 digits",
        ),
        ({"tags": ["a"]}, "tags: takes a mapping such as {'kind': 'smoke'}, got ['a']"),
        ({"after": 1}, "after: must be a string, got 1"),
        ({"setup": "seed"}, "setup: takes a function, got 'seed'"),
        ({"setup_timeout": 0}, "setup_timeout: must be more than 0, got 0"),
        (
            {"base_url": "localhost:80"},
            "base_url: takes a URL such as 'http://localhost:80', got 'localhost:80'",
        ),
        (
            {"base_url": "unix:/run/app.sock"},
            "base_url: takes a URL such as 'http://app', with --k6-hosts=app=unix:/run/app.sock for"
            " the socket, got 'unix:/run/app.sock'",
        ),
        ({"base_url": "ftp://x"}, "base_url: takes a URL such as 'http://x', got 'ftp://x'"),
        (
            {"thresholds": ["p(95)<200"]},
            "thresholds: takes a mapping such as {'http_req_duration': ['p(95)<200']}, got ['p(95)<200']",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_place(written, message):
    with pytest.raises(OptionError) as caught:
        marker(**written)

    assert str(caught.value) == f"@pytest.mark.scenario: {message}"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [marker(stages=[("30s", 20)], vus=3)],
            "@pytest.mark.scenario: ramping-vus does not take vus; use stages",
        ),
        (
            [marker(stages=[("30s", 20)]), command_line(vus=50)],
            "command line: ramping-vus does not take --k6-vus; use --k6-stages",
        ),
        (
            [marker(vus=0, duration=5)],
            "constant-vus: the number of VUs must be more than 0",
        ),
        (
            [marker(duration=0.5)],
            "constant-vus: the duration must be at least 1s, but is 500ms",
        ),
        (
            [marker(vus=5, iterations=3)],
            "shared-iterations: the number of iterations (3) can't be less than the"
            " number of VUs (5); give more iterations, or fewer vus",
        ),
        (
            [marker(rate=10**9, duration=5, pre_allocated_vus=1)],
            "constant-arrival-rate: the iteration rate can't be more than 10,000,000 a second",
        ),
        (
            [marker(rate=5)],
            "constant-arrival-rate needs duration; give the marker duration=, or choose another workload",
        ),
        (
            [marker(executor="externally-controlled", duration=5, graceful_stop=1)],
            "@pytest.mark.scenario: externally-controlled does not take graceful_stop;"
            " it takes after, duration, env, max_vus, min_iteration_duration, start_time, tags,"
            " vus",
        ),
        (
            [marker(executor="externally-controlled", vus=5, max_vus=3, duration=0)],
            "externally-controlled: the number of active VUs (5) must be less than or"
            " equal to the number of max_vus (3)",
        ),
        (
            [marker(stages=[("5s", 0)], start_vus=0)],
            "ramping-vus: either start_vus or one of the stages' target values must be"
            " greater than 0",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_place_and_the_remedy(layers, message):
    with pytest.raises(OptionError) as caught:
        resolve_scenario("s", layers)

    assert str(caught.value) == message


def test_every_option_says_what_it_is_for():
    for kind in (ScenarioOptions, LoadTestOptions):
        for entry in options_of(kind).values():
            assert entry.metadata.get("about")


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no repr")

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    def __hash__(self):
        return 0


ODD = {
    "no repr": (Unprintable(), "<Unprintable that cannot be printed>"),
    "a list of it": ([Unprintable()], "<list that cannot be printed>"),
    "more digits than Python prints": ({"a": 10**5000}, "that cannot be printed>"),
    "very long": (b"x" * 10_000, "… (10,003 characters)"),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize(
    "option", ["executor", "vus", "duration", "rate", "http_versions", "checks"]
)
def test_a_value_that_cannot_be_printed_is_refused_as_any_other(option, case):
    value, told = ODD[case]

    with pytest.raises(OptionError) as raised:
        marker(**{option: value})

    assert told in str(raised.value)
    assert len(str(raised.value)) < 2_000


def test_a_tag_of_more_digits_than_python_prints_is_refused():
    with pytest.raises(OptionError, match="takes text as keys and values, got 'a': <int that"):
        marker(tags={"a": 10**5000})
