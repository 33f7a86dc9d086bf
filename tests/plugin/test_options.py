"""Settings from the ini file, the marker, the environment and the command line."""

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_k6api.model import (
    OPTIONS,
    Layer,
    ScenarioOptions,
    Stage,
    fit_scenario,
    options_of,
    resolve_load_test,
)
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.plugin.settings.table import SETTINGS
from tests.plugin.conftest import RunPytest, Service

# A value of each setting in each place, lowest first, and what is in force in the end.
VALUES: Mapping[str, tuple[str, str, str]] = {
    "vus": ("2", "3", "4"),
    "duration": ("2s", "3s", "4s"),
    "iterations": ("2", "3", "4"),
    "stage": ("2s:2", "3s:3", "4s:4"),
    "rate": ("2", "3", "4.5"),
    "max_vus": ("2", "3", "4"),
    "min_iteration_duration": ("2s", "3s", "4s"),
    "setup_timeout": ("2s", "3s", "4s"),
    "teardown_timeout": ("2s", "3s", "4s"),
    "out": ("json=ini", "json=environment", "json=command"),
    "base_url": ("http://ini", "http://environment", "http://command"),
    "http_version": ("1.1", "auto", "1.1"),
    "tag": ("place=ini", "place=environment", "place=command"),
    "env": ("place=ini", "place=environment", "place=command"),
    "seed": ("2", "3", "-4"),
    "smoke": ("false", "0", ""),
    "address": ("localhost:1", "", "127.0.0.1:0"),
    "token": ("ini", "environment", "command"),
    "paused": ("false", "off", ""),
    "linger": ("no", "off", ""),
    "no_setup": ("false", "off", ""),
    "no_teardown": ("false", "off", ""),
    "no_thresholds": ("false", "off", ""),
    "thresholds": ("checks:rate>0.1", "checks:rate>0.2", "checks:rate>0.3"),
    "checks": ("fail", "record", "fail"),
    "progress": ("1s", "2m", "0"),
    "summary": ("full", "compact", "off"),
    "requests": ("record", "fail", "record"),
    "fail_fast": ("false", "off", ""),
    "summary_export": ("ini.json", "environment.json", "command.json"),
    "save": ("ini", "environment", "command"),
    "compare": ("ini", "environment", "command"),
    "compare_fail": ("checks:rate:1%", "checks:rate:2%", "checks:rate:3%"),
    "report": ("ini.html", "environment.html", "command.html"),
    "results_dir": ("ini", "environment", "command"),
    "execution_segment": ("0:1/2", "0:1/3", "0:1/4"),
    "execution_segment_sequence": ("0,1/2,1", "0,1/3,1", "0,1/4,1"),
    "trend_memory": ("1MB", "20 kB", "1.5GB"),
    "workers": ("2", "3", "4"),
    "ca_file": ("ini.pem", "environment.pem", "command.pem"),
    "insecure_skip_tls_verify": ("false", "off", ""),
    "http_debug": ("failed", "all", "failed"),
    "client_cert": ("ini.pem", "environment.pem", "command.pem"),
    "client_key": ("ini.key", "environment.key", "command.key"),
    "proxy": ("ini.test", "environment.test", "command.test"),
    "hosts": ("ini=127.0.0.1", "environment=127.0.0.1", "command=127.0.0.1"),
    "dns": ("ttl=1s", "ttl=2s", "ttl=3s"),
    "local_ips": ("127.0.0.1", "127.0.0.2", "127.0.0.3"),
    "tls_version": ("tls1.2", "tls1.3", "tls1.2-tls1.3"),
    "tls_cipher_suites": ("AES128-SHA", "AES256-SHA", "AES128-SHA256"),
    "discard_response_bodies": ("false", "off", ""),
    "no_connection_reuse": ("false", "off", ""),
    "no_vu_connection_reuse": ("false", "off", ""),
    "metadata": ("false", "off", ""),
    "trace": ("0.1", "0.2", "1"),
    "mask": ("ini", "environment", "command"),
    "hide_bodies": ("false", "off", ""),
    "worker_loss": ("replan", "fail", "replan"),
    "ship": ("false", "off", ""),
}

PLACES = ("ini file", "marker", "environment", "command line")


def settings(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    *,
    ini: str = "",
    environment: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
) -> Settings:
    pytester.makeini(f"[pytest]\n{ini}")
    for variable, text in (environment or {}).items():
        monkeypatch.setenv(variable, text)
    return Settings(pytester.parseconfig("-p", "k6api", *arguments))


def test_every_setting_is_tested_here():
    assert set(VALUES) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_ini_file_yields_to_the_environment_and_that_to_the_command_line(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, setting
):
    ini, environment, command = VALUES[setting.name]
    flag = f"{setting.flag}={command}" if setting.metavar else setting.flag
    ini_lines = f"{setting.ini} =\n    {ini}" if setting.repeated else f"{setting.ini} = {ini}"

    nothing = settings(pytester, monkeypatch)
    assert not nothing.was_given(setting.name)
    assert nothing.text(setting.name) == setting.default
    from_ini = settings(pytester, monkeypatch, ini=ini_lines)
    assert from_ini.text(setting.name) == ini
    variables = {setting.variable: environment}
    from_environment = settings(pytester, monkeypatch, ini=ini_lines, environment=variables)
    assert from_environment.text(setting.name) == environment
    from_command = settings(
        pytester, monkeypatch, ini=ini_lines, environment=variables, arguments=(flag,)
    )
    assert from_command.text(setting.name) == (command if setting.metavar else "true")
    assert from_command.problems == []


# What a marker says beside each option, so that its executor takes that, and a value
# of the option in each place, lowest first.
PRECEDENCE: Mapping[str, tuple[dict[str, object], tuple[Any, Any, Any, Any]]] = {
    "vus": ({"duration": "9s"}, (2, 1, 3, 4)),
    "duration": ({"vus": 1}, (2, 9, 3, 4)),
    "iterations": ({"vus": 1}, (2, 1, 3, 4)),
    "stages": ({}, ([(2, 2)], [(9, 9)], [(3, 3)], [(4, 4)])),
    "rate": (
        {"executor": "constant-arrival-rate", "duration": "9s", "pre_allocated_vus": 1},
        (2, 1, 3, 4.5),
    ),
    "max_vus": ({"executor": "externally-controlled", "duration": 0}, (2, 1, 3, 4)),
    "tags": (
        {},
        ({"place": "ini"}, {"place": "marker"}, {"place": "environment"}, {"place": "command"}),
    ),
    "env": (
        {},
        ({"place": "ini"}, {"place": "marker"}, {"place": "environment"}, {"place": "command"}),
    ),
    "min_iteration_duration": ({}, (2, 1, 3, 4)),
    "setup_timeout": ({}, (2, 1, 3, 4)),
    "teardown_timeout": ({}, (2, 1, 3, 4)),
    "thresholds": (
        {},
        (
            {"checks": ["rate>0.1"]},
            {"checks": ["rate>0.9"]},
            {"checks": ["rate>0.2"]},
            {"checks": ["rate>0.3"]},
        ),
    ),
    "base_url": ({}, ("", "http://marker", "http://environment", "http://command")),
    "http_versions": ({}, ("1.1", "2", "auto", "1.1")),
    "discard_response_bodies": ({}, (False, True, False, True)),
    "no_connection_reuse": ({}, (False, True, False, True)),
    "no_vu_connection_reuse": ({}, (False, True, False, True)),
    "checks": ({}, ("fail", "record", "record", "fail")),
    "requests": ({}, ("record", "fail", "fail", "record")),
    "fail_fast": ({}, (False, True, False, True)),
}


def test_every_setting_with_an_option_of_a_marker_is_in_the_table_of_precedence():
    assert set(PRECEDENCE) == {setting.option for setting in SETTINGS if setting.option}
    assert set(PRECEDENCE) <= set(OPTIONS)


@pytest.mark.parametrize(
    ("option", "places", "expected"),
    [
        pytest.param(option, places, place, id=f"{option}: {' < '.join(PLACES[: place + 1])}")
        for option in PRECEDENCE
        for place, places in enumerate([(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)])
    ],
)
def test_the_ini_file_yields_to_the_marker_that_to_the_environment_and_that_to_the_command_line(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    places: tuple[int, ...],
    expected: int,
):
    setting = next(setting for setting in SETTINGS if setting.option == option)
    ini, environment, command = VALUES[setting.name]
    beside, values = PRECEDENCE[option]
    marker = Layer.read("marker", {**beside, option: values[1]} if 1 in places else beside)
    given = settings(
        pytester,
        monkeypatch,
        ini=f"{setting.ini} =\n    {ini}" if setting.repeated else f"{setting.ini} = {ini}",
        environment={setting.variable: environment} if 2 in places else {},
        arguments=(f"{setting.flag}={command}".rstrip("="),) if 3 in places else (),
    )

    assert given.problems == []
    assert in_force(option, marker, given) == OPTIONS[option].metadata["read"](values[expected])


def in_force(option: str, marker: Layer, given: Settings) -> object:
    session = given.layers()
    if option in options_of(ScenarioOptions):
        options, _ = fit_scenario("s", [marker], session)
        return getattr(options, option)
    return getattr(resolve_load_test(session.around([marker])), option)


@pytest.mark.parametrize(
    ("marker", "ini", "words"),
    [
        ('stages=[("1s", 2)]', "k6_vus = 9", "ramping-vus: up to 2 VUs in 1 stage of 1s"),
        ("vus=3", "k6_duration = 5s", "constant-vus: 3 VUs for 5s"),
        ("vus=3", "k6_stage = 5s:5", "per-vu-iterations: 3 VUs x 1 iteration"),
        ("iterations=4", "k6_duration = 5s", "shared-iterations: 4 iterations shared by 1 VU"),
        ("iterations=4", "k6_vus = 9", "shared-iterations: 4 iterations shared by 1 VU"),
        ('executor="constant-vus", vus=2', "k6_duration = 5s", "constant-vus: 2 VUs for 5s"),
        ("", "k6_vus = 9", "per-vu-iterations: 9 VUs x 1 iteration"),
    ],
)
def test_the_ini_file_fills_in_what_a_marker_leaves_open_and_gives_way_in_silence(
    pytester: pytest.Pytester, run_pytest: RunPytest, marker: str, ini: str, words: str
):
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.scenario({marker})
        async def test_browse(vu): ...
    """)

    result = run_pytest("--collect-only", "-v")

    result.stdout.fnmatch_lines([f"*{words}"])
    result.stdout.no_fnmatch_line("k6: *")


def test_a_workload_on_the_command_line_replaces_that_of_the_marker(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(vus=10, duration="1h")
        async def test_browse(vu): ...
    """)

    result = run_pytest("--collect-only", "-v", "--k6-iterations=20", "--k6-vus=5")
    result.stdout.fnmatch_lines(["*shared-iterations: 20 iterations shared by 5 VUs"])
    result = run_pytest("--collect-only", "-v", "--k6-duration=3s")
    result.stdout.fnmatch_lines(["*constant-vus: 10 VUs for 3s"])


def test_stages_come_from_every_place(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    pytester.makeini("[pytest]\nk6_stage =\n    2s:2\n    3s:1\n")
    result = run_pytest("--collect-only", "-v")
    result.stdout.fnmatch_lines(["*up to 2 VUs in 2 stages of 5s"])
    monkeypatch.setenv("K6_STAGE", "2s:3,3s:1,4s:0")
    result = run_pytest("--collect-only", "-v")
    result.stdout.fnmatch_lines(["*up to 3 VUs in 3 stages of 9s"])
    result = run_pytest("--collect-only", "-v", "--k6-stage=10s:4", "--k6-stage=10s:0")
    result.stdout.fnmatch_lines(["*up to 4 VUs in 2 stages of 20s"])


def test_tags_and_env_add_up(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("K6_ENV", "b=environment,c=environment")
    pytester.makeini("[pytest]\nk6_tag =\n    kind=smoke\n    size=small\n")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(env={"a": "marker", "b": "marker"}, tags={"kind": "load"})
        async def test_browse(vu):
            assert dict(vu.env) == {"a": "marker", "b": "environment", "c": "command"}
            await vu.http.get("/")

        def test_tags(k6):
            assert k6.metrics["http_reqs{kind:load,size:small}"].count == 1
    """)

    run_pytest("--k6-env=c=command").assert_outcomes(passed=2)


def test_the_seed_makes_chance_repeatable(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(vus=2, thresholds={"http_reqs": ["count==2"]})
        async def test_browse(vu):
            await vu.http.get(f"/{vu.id}-{vu.random.random()}")
    """)

    def paths(*arguments: str) -> list[str]:
        service.paths.clear()
        run_pytest(*arguments).assert_outcomes(passed=1)
        return sorted(service.paths)

    first = paths("--k6-seed=1")
    assert paths("--k6-seed=1") == first
    assert paths("--k6-seed=2") != first


def test_a_seed_of_more_digits_than_python_reads_is_refused(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("import pytest\n@pytest.mark.scenario\nasync def test_it(vu): pass")

    result = run_pytest("--k6-seed=" + "9" * 5000)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: command line: --k6-seed: takes a whole number, got '999*"])


# Where it is written, and what is told.
BAD = {
    "a switch": (("no_setup", "maybe"), "takes true or false, got 'maybe'"),
    "a choice": (("checks", "maybe"), "takes fail or record, got 'maybe'"),
    "a number": (("seed", "lucky"), "takes a whole number, got 'lucky'"),
    "a size": (
        ("trend_memory", "much"),
        "takes a size such as 40MB, in B, kB, MB or GB, got 'much'",
    ),
    "a count": (("vus", "-3"), "can't be negative, got -3"),
    "a duration": (
        ("duration", "30"),
        "the duration '30' has no unit; write '30s' for seconds or '30ms' for milliseconds",
    ),
    "a stage": (
        ("stage", "30s"),
        "cannot read the stage '30s'; write DURATION:TARGET, as in '30s:20'",
    ),
    "a tag": (("tag", "kind"), "cannot read 'kind'; write NAME=VALUE"),
    "a rate": (("rate", "nan"), "takes a number of 0 or more, got nan"),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param((place, *case), id=f"{place}: {name}")
        for place in ("ini file", "environment", "command line")
        for name, case in BAD.items()
        # On the command line a switch has no value; in the environment these names may be others'.
        if (place, name) != ("command line", "a switch")
        and (
            place != "environment"
            or name not in {"a choice", "a number", "a rate", "a stage", "a tag"}
        )
    ],
)
def test_a_bad_value_is_a_usage_error_that_names_its_place(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str, tuple[str, str], str],
):
    place, (name, text), told = case
    setting = next(setting for setting in SETTINGS if setting.name == name)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): await vu.http.get("/")
    """)
    spelt = {"ini file": setting.ini, "environment": setting.variable}.get(place, setting.flag)
    arguments = [f"{setting.flag}={text}"] if place == "command line" else []
    if place == "ini file":
        line = f"{setting.ini} =\n    {text}" if setting.repeated else f"{setting.ini} = {text}"
        pytester.makeini(f"[pytest]\n{line}")
    if place == "environment":
        monkeypatch.setenv(setting.variable, text)

    result = run_pytest(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: {place}: {spelt}: {told}"]
    assert service.paths == []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_an_empty_text_in_the_environment_is_none_save_for_address_and_proxy(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, setting
):
    found = settings(
        pytester, monkeypatch, ini=f"{setting.ini} =", environment={setting.variable: ""}
    )

    assert found.problems == []
    assert found.was_given(setting.name) == (setting.name in {"address", "proxy"})


MIXED = """
    import pytest

    @pytest.mark.scenario(duration="1s")
    async def test_constant(vu): ...

    @pytest.mark.scenario(stages=[("1s", 2)])
    async def test_ramp(vu): ...

    @pytest.mark.scenario(rate=5, duration="1s", pre_allocated_vus=2)
    async def test_rate(vu): ...

    @pytest.mark.scenario(iterations=4)
    async def test_shared(vu): ...

    def test_ordinary(): ...
"""


def told(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("k6: ")]


def test_load_tests_without_a_place_for_an_option_run_as_planned_and_one_line_says_so(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(MIXED)

    result = run_pytest("--k6-vus=5", "--collect-only", "-v")

    assert told(result) == [
        "k6: run as planned, without --k6-vus: test_ramp (ramping-vus does not take --k6-vus; use"
        " --k6-stage); test_rate (constant-arrival-rate does not take --k6-vus; use --k6-max-vus);"
        " test_shared (shared-iterations: the number of iterations (4) can't be less than the number"
        " of VUs (5); give more iterations, or fewer vus)"
    ]
    result.stdout.fnmatch_lines(
        [
            "*constant-vus: 5 VUs for 1s",
            "*ramping-vus: up to 2 VUs in 1 stage of 1s",
            "*constant-arrival-rate: 5 iterations per 1s for 1s, 2 VUs",
            "*shared-iterations: 4 iterations shared by 1 VU",
            "*Function test_ordinary*",
        ]
    )


def test_a_long_list_of_load_tests_without_a_place_is_cut(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("n", range(7))
        @pytest.mark.scenario(stages=[("1s", 2)])
        async def test_ramp(vu, n): ...

        @pytest.mark.scenario
        async def test_once(vu): ...
    """)

    result = run_pytest("--k6-vus=5", "--collect-only")

    assert told(result) == [
        "k6: run as planned, without --k6-vus: test_ramp[0], test_ramp[1], test_ramp[2],"
        " test_ramp[3] and 3 more (ramping-vus does not take --k6-vus; use --k6-stage)"
    ]


def test_a_list_of_ids_for_programs_has_nothing_else(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(test_mixed=MIXED)

    result = run_pytest("--k6-vus=5", "--collect-only", "-q")

    assert [line for line in result.outlines if line][:-1] == [
        "test_mixed.py::test_constant",
        "test_mixed.py::test_ramp",
        "test_mixed.py::test_rate",
        "test_mixed.py::test_shared",
        "test_mixed.py::test_ordinary",
    ]


def test_an_option_that_no_load_test_can_take_is_refused_with_what_would_work(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(stages=[("1s", 2)])
        async def test_browse(vu): await vu.http.get("/")
    """)

    result = run_pytest("--k6-vus=5")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        "ERROR: command line: no load test of this session can take --k6-vus: test_browse"
        " (ramping-vus does not take --k6-vus; use --k6-stage)"
    ]
    assert service.paths == []


def test_an_option_in_the_environment_that_no_load_test_can_take_is_told(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("K6_VUS", "5")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario(stages=[("1s", 2)])
            async def test_browse(self, vu): ...
    """)

    result = run_pytest("--collect-only")

    assert told(result) == [
        "k6: run as planned, without K6_VUS: TestMix::test_browse (ramping-vus does not take K6_VUS;"
        " use K6_STAGE)"
    ]


def test_what_fits_is_taken_even_if_another_option_does_not_fit(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(MIXED)

    result = run_pytest("--k6-vus=3", "--k6-max-vus=7", "--collect-only", "-v")

    result.stdout.fnmatch_lines(
        [
            "k6: run as planned, without --k6-vus: test_ramp (*); test_rate (*)",
            "k6: run as planned, without --k6-max-vus: test_constant (*); test_ramp (*); test_shared"
            " (shared-iterations does not take --k6-max-vus; it takes --k6-env, --k6-iterations,"
            " --k6-min-iteration-duration, --k6-tag, --k6-vus)",
            "*constant-vus: 3 VUs for 1s",
            "*constant-arrival-rate: 5 iterations per 1s for 1s, 2 to 7 VUs",
            "*shared-iterations: 4 iterations shared by 3 VUs",
        ]
    )


def test_a_comma_in_a_value_is_part_of_it_on_the_command_line_and_in_the_ini_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    given = settings(
        pytester,
        monkeypatch,
        ini="k6_env =\n    HOSTS=a,b\n    ONE=1\nk6_thresholds =\n    checks{a:b,c:d}: rate>0.9",
        arguments=("--k6-tag=team=a=1,b=2",),
    )

    assert given.problems == []
    session = given.layers()
    assert session.defaults.values["env"] == {"HOSTS": "a,b", "ONE": "1"}
    assert session.defaults.values["thresholds"] == {"checks{a:b,c:d}": ["rate>0.9"]}
    assert session.overrides[-1].values["tags"] == {"team": "a=1,b=2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HOSTS=a,TWO=2", {"HOSTS": "a", "TWO": "2"}),
        ("HOSTS=a,b\nTWO=2\n", {"HOSTS": "a,b", "TWO": "2"}),
    ],
)
def test_in_the_environment_entries_are_separated_by_commas_or_by_lines(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str, expected: object
):
    given = settings(pytester, monkeypatch, environment={"K6_ENV": text})

    assert given.layers().overrides[0].values["env"] == expected


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ("K6_ENV=staging", "cannot read 'staging'; write NAME=VALUE"),
        ("K6_TAG=nightly", "cannot read 'nightly'; write NAME=VALUE"),
        ("K6_STAGE=dev", "cannot read the stage 'dev'; write DURATION:TARGET, as in '30s:20'"),
        ("K6_STAGES=dev", "cannot read the stage 'dev'; write DURATION:TARGET, as in '30s:20'"),
        ("K6_SEED=lucky", "takes a whole number, got 'lucky'"),
        ("K6_RATE=weekly", "takes a number, got 'weekly'"),
        ("K6_SUMMARY=mine", "takes full or compact or off, got 'mine'"),
    ],
)
def test_a_variable_of_the_users_own_does_not_stop_the_session(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    why: str,
):
    name, _, text = variable.partition("=")
    monkeypatch.setenv(name, text)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    result = run_pytest()

    assert told(result) == [f"k6: {name} in the environment is not used: {why}"]
    result.assert_outcomes(passed=1)


def test_variables_of_k6_say_what_they_say_to_k6(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    variables = {
        "K6_STAGES": "1s:1,2s:0",
        "K6_TAGS": "kind:smoke,page:a:b",
        "K6_HTTP_DEBUG": "full",
        "K6_SETUP_TIMEOUT": "5s",
        "K6_SUMMARY_MODE": "disabled",
    }

    given = settings(pytester, monkeypatch, environment=variables)

    assert (given.problems, given.remarks) == ([], [])
    assert given.text("http_debug") == "all"
    assert given.text("summary") == "off"
    assert dict(given.layers().overrides[0].values) == {
        "stages": (Stage(1.0, 1), Stage(2.0, 0)),
        "tags": {"kind": "smoke", "page": "a:b"},
        "setup_timeout": 5.0,
    }


def test_variables_of_k6_that_nothing_reads_are_told_once_and_others_not_at_all(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    for variable in ("K6_RPS", "K6_CLOUD_TOKEN", "K6_MINE"):
        monkeypatch.setenv(variable, "5")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    result = run_pytest()

    assert told(result) == [
        "k6: K6_CLOUD_TOKEN, K6_RPS in the environment are variables of k6 without effect here"
    ]


@pytest.mark.parametrize("switch", ["--k6-paused", "--k6-linger"])
def test_nobody_could_end_waiting_without_a_control_api(
    pytester: pytest.Pytester, run_pytest: RunPytest, switch: str
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    result = run_pytest(switch)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: {switch} needs the control API, and an empty --k6-address switches it off"]
    )


def test_a_segment_sequence_alone_is_refused(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    result = run_pytest("--k6-execution-segment-sequence=0,1/2,1")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: --k6-execution-segment-sequence '0,1/2,1' needs --k6-execution-segment, which"
            " says which of the shares this instance runs"
        ]
    )


def test_a_size_without_unit_is_refused(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    result = run_pytest("--k6-trend-memory=32")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: command line: --k6-trend-memory: takes a size such as 40MB, in B, kB, MB or GB,"
            " got '32'"
        ]
    )


def test_trends_beyond_their_memory_say_so_in_the_summary(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import Trend

        SPREAD = Trend("spread")

        @pytest.mark.scenario
        async def test_browse(vu):
            for number in range(20_000):
                SPREAD.add(1 + number / 70_000)
    """)

    result = run_pytest("--k6-trend-memory=100kB")

    result.stdout.fnmatch_lines(
        [
            "*spread: more different values than fit into the 0.1 MB that all trends share"
            " (--k6-trend-memory), so they are kept with 5 significant digits; percentiles are"
            " exact to 0.005 %"
        ]
    )


def test_a_suite_without_load_tests_is_not_bothered_by_bad_settings(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("def test_ordinary(): ...")

    run_pytest("--k6-vus=many").assert_outcomes(passed=1)


def test_the_help_tells_all_three_spellings(run_pytest: RunPytest):
    result = run_pytest("--help")

    result.stdout.fnmatch_lines(
        [
            "load tests:",
            "*--k6-base-url=URL * [[]ini: k6_base_url, environment:",
            " *K6_BASE_URL[]]",
        ]
    )
