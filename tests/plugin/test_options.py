"""Settings from the marker, the ini file, the environment and the command line."""

from collections.abc import Mapping

import pytest

from pytest_k6api.plugin.options import Settings
from pytest_k6api.plugin.settings_table import SETTINGS
from tests.plugin.conftest import RunPytest, Service

# A value of each setting in each place, lowest first, and what is in force in the end.
VALUES: Mapping[str, tuple[str, str, str]] = {
    "vus": ("2", "3", "4"),
    "duration": ("2s", "3s", "4s"),
    "iterations": ("2", "3", "4"),
    "stage": ("2s:2", "3s:3", "4s:4"),
    "rate": ("2", "3", "4.5"),
    "max_vus": ("2", "3", "4"),
    "base_url": ("http://ini", "http://environment", "http://command"),
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
    "summary_export": ("ini.json", "environment.json", "command.json"),
    "save": ("ini", "environment", "command"),
    "compare": ("ini", "environment", "command"),
    "compare_fail": ("checks:rate:1%", "checks:rate:2%", "checks:rate:3%"),
    "results_dir": ("ini", "environment", "command"),
    "execution_segment": ("0:1/2", "0:1/3", "0:1/4"),
    "execution_segment_sequence": ("0,1/2,1", "0,1/3,1", "0,1/4,1"),
    "ca_file": ("ini.pem", "environment.pem", "command.pem"),
    "insecure_skip_tls_verify": ("false", "off", ""),
    "http_debug": ("failed", "all", "failed"),
}


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


@pytest.mark.parametrize(
    ("name", "higher"),
    [("vus", 4), ("iterations", 4), ("max_vus", 4)],
)
def test_every_place_is_above_the_marker(
    pytester: pytest.Pytester, run_pytest: RunPytest, name: str, higher: int
):
    executor = {"vus": "constant-vus", "max_vus": "externally-controlled"}.get(
        name, "shared-iterations"
    )
    duration = {} if name == "iterations" else {"duration": "1m"}
    options = {"executor": executor, name: 1, **duration}
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.scenario(**{options})
        async def test_browse(vu): ...
    """)
    words = {"vus": "4 VUs for", "iterations": "4 iterations shared", "max_vus": "of 4 VUs for"}

    result = run_pytest("--collect-only", "-v", f"--k6-{name.replace('_', '-')}={higher}")

    result.stdout.fnmatch_lines([f"*{words[name]}*"])


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

        @pytest.mark.scenario(stages=[("1s", 1)])
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
            assert k6.metrics["http_reqs{kind:smoke,size:small}"].count == 1
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


# Where it is written, and what is told.
BAD = {
    "a switch": (("no_setup", "maybe"), "takes true or false, got 'maybe'"),
    "a choice": (("checks", "maybe"), "takes fail or record, got 'maybe'"),
    "a number": (("seed", "lucky"), "takes a whole number, got 'lucky'"),
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
        # On the command line a switch has no value.
        if (place, name) != ("command line", "a switch")
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
def test_an_empty_text_in_the_environment_is_none_save_for_the_address(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, setting
):
    found = settings(
        pytester, monkeypatch, ini=f"{setting.ini} =", environment={setting.variable: ""}
    )

    assert found.problems == []
    assert found.was_given(setting.name) == (setting.name == "address")


def test_a_setting_that_no_executor_here_takes_is_refused_with_what_would_work(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(stages=[("1s", 2)])
        async def test_browse(vu): await vu.http.get("/")
    """)

    result = run_pytest("--k6-vus=5")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *::test_browse: command line: ramping-vus does not take --k6-vus; use *"]
    )
    assert service.paths == []


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
            "*--k6-base-url=URL * [[]ini: k6_base_url,",
            "*environment: K6_BASE_URL[]]",
        ]
    )
