"""The command line, the ini file and the environment: one table of options for all three.

Each setting has one name; ``--k6-base-url``, ``k6_base_url`` and
``K6_BASE_URL`` are derived from it. Precedence, low to high: marker, ini file,
environment, command line.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from pytest_k6api.model import Layer, OptionError, ScenarioOptions, options_of

PREFIX = "--k6-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting that people can give outside the test file.

    Attributes:
        name: Its name with underscores, without prefix.
        about: The help text.
        metavar: What stands for the value in the help; empty for a switch.
        scenario_option: The option of a scenario that it overrides, if it does.
        repeated: Whether it can be given several times.
        default: The value where nobody gave one.
        choices: The values it can have; empty for any.
    """

    name: str
    about: str
    metavar: str = ""
    scenario_option: str = ""
    repeated: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return PREFIX + self.name.replace("_", "-")

    @property
    def ini(self) -> str:
        """How it is written in the ini file."""
        return f"k6_{self.name}"

    @property
    def variable(self) -> str:
        """How it is written in the environment."""
        return f"K6_{self.name.upper()}"


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="vus",
        metavar="N",
        scenario_option="vus",
        about="Virtual users of every scenario that takes vus.",
    ),
    Setting(
        name="duration",
        metavar="TIME",
        scenario_option="duration",
        about="How long iterations are started, such as 30s or 1m30s.",
    ),
    Setting(
        name="iterations",
        metavar="N",
        scenario_option="iterations",
        about="Iterations, shared among the VUs or per VU as the scenario says.",
    ),
    Setting(
        name="stage",
        metavar="TIME:TARGET",
        scenario_option="stages",
        repeated=True,
        about="A stage of a ramp, such as 30s:20; may be repeated.",
    ),
    Setting(
        name="rate",
        metavar="N",
        scenario_option="rate",
        about="Iterations per time unit of constant-arrival-rate scenarios.",
    ),
    Setting(
        name="max_vus",
        metavar="N",
        scenario_option="max_vus",
        about="VUs at the most, for arrival rates and externally controlled scenarios.",
    ),
    Setting(name="base_url", metavar="URL", about="What relative URLs are joined to."),
    Setting(
        name="tag",
        metavar="NAME=VALUE",
        scenario_option="tags",
        repeated=True,
        about="A tag on every sample; may be repeated.",
    ),
    Setting(
        name="env",
        metavar="NAME=VALUE",
        scenario_option="env",
        repeated=True,
        about="A value for vu.env; may be repeated.",
    ),
    Setting(name="seed", metavar="N", default="0", about="The seed of vu.random (default 0)."),
    Setting(name="smoke", about="Run every scenario once, with one VU."),
    Setting(
        name="address",
        metavar="HOST:PORT",
        about="Where the control API listens (default localhost:6565; port 0 picks one; an empty"
        " text switches it off).",
    ),
    Setting(
        name="token",
        metavar="TOKEN",
        about="The bearer token that the control API asks for; needed beyond loopback.",
    ),
    Setting(name="paused", about="Wait for a resume through the control API before the load."),
    Setting(name="linger", about="Keep the control API up after the last test, until Ctrl-C."),
    Setting(name="no_setup", about="Do not run setup functions."),
    Setting(name="no_teardown", about="Do not run teardown functions."),
    Setting(name="no_thresholds", about="Do not judge thresholds."),
    Setting(
        name="checks",
        metavar="fail|record",
        default="fail",
        choices=("fail", "record"),
        about="Whether a failed check fails its load test (default) or is only counted.",
    ),
    Setting(
        name="summary_export",
        metavar="FILE",
        about="Write k6's summary as JSON; with several load tests {name} stands for each.",
    ),
    Setting(
        name="execution_segment",
        metavar="A:B",
        about="The share of the load that this instance runs, such as 0:1/2.",
    ),
    Setting(
        name="execution_segment_sequence",
        metavar="A,B,...",
        about="The shares of all instances, such as 0,1/2,1.",
    ),
    Setting(name="ca_file", metavar="FILE", about="Trust the authorities in this file for TLS."),
    Setting(name="insecure_skip_tls_verify", about="Do not verify the certificates of servers."),
    Setting(
        name="http_debug",
        metavar="failed|all",
        choices=("failed", "all"),
        about="Print requests and responses: the failed ones, or all.",
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_BY_SCENARIO_OPTION = {
    setting.scenario_option: setting for setting in SETTINGS if setting.scenario_option
}
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"", "0", "false", "no", "off"}


def add_options(parser: pytest.Parser) -> None:
    """Add every setting to pytest's command line and ini file."""
    group = parser.getgroup("k6", "load tests")
    for setting in SETTINGS:
        about = f"{setting.about} [ini: {setting.ini}, environment: {setting.variable}]"
        if not setting.metavar:
            group.addoption(setting.flag, action="store_true", default=None, help=about)
        else:
            group.addoption(
                setting.flag,
                action="append" if setting.repeated else "store",
                metavar=setting.metavar,
                default=None,
                help=about,
            )
        if setting.repeated:
            parser.addini(setting.ini, setting.about, type="linelist", default=None)
        else:
            parser.addini(setting.ini, setting.about, type="string", default=None)


@dataclass(frozen=True, slots=True)
class _Source:
    origin: str
    spell: Callable[[Setting], str]
    read: Callable[[Setting], str | None]


class Settings:
    """What was set outside the test files, by name; text until somebody reads it."""

    def __init__(self, config: pytest.Config) -> None:
        self._sources = (
            _Source("ini file", lambda setting: setting.ini, lambda s: _from_ini(config, s)),
            _Source(
                "environment",
                lambda setting: setting.variable,
                lambda setting: os.environ.get(setting.variable),
            ),
            _Source(
                "command line", lambda setting: setting.flag, lambda s: _from_command(config, s)
            ),
        )

    def text(self, name: str) -> str:
        """Return the setting `name` of the highest source that has it, else its default.

        Raises:
            OptionError: The value is not among the setting's choices.
        """
        setting = _BY_NAME[name]
        source, value = self._find(setting)
        if value is None or source is None:
            return setting.default
        if setting.choices and value not in setting.choices:
            raise OptionError(
                f"{source.origin}: {source.spell(setting)} takes {' or '.join(setting.choices)},"
                f" got {value!r}"
            )
        return value

    def was_given(self, name: str) -> bool:
        """Return whether any source has the setting `name`."""
        return self._find(_BY_NAME[name])[1] is not None

    def switch(self, name: str) -> bool:
        """Return whether the switch `name` is on.

        Raises:
            OptionError: The value is neither a yes nor a no.
        """
        setting = _BY_NAME[name]
        source, value = self._find(setting)
        if value is None or source is None or value.lower() in _FALSE:
            return False
        if value.lower() in _TRUE:
            return True
        raise OptionError(
            f"{source.origin}: {source.spell(setting)} takes true or false, got {value!r}"
        )

    def number(self, name: str) -> int:
        """Return the setting `name` as a whole number.

        Raises:
            OptionError: It is not one.
        """
        text = self.text(name)
        try:
            return int(text)
        except ValueError:
            raise OptionError(f"{_BY_NAME[name].flag} takes a whole number, got {text!r}") from None

    def scenario_layers(self) -> list[Layer]:
        """Return what the sources say about scenarios, lowest first.

        Raises:
            OptionError: A text cannot be read.
        """
        return [self._layer(source) for source in self._sources]

    def _find(self, setting: Setting) -> tuple[_Source | None, str | None]:
        for source in reversed(self._sources):
            value = source.read(setting)
            if value is not None:
                return source, value
        return None, None

    def _layer(self, source: _Source) -> Layer:
        values: dict[str, object] = {}
        known = options_of(ScenarioOptions)
        for option, setting in _BY_SCENARIO_OPTION.items():
            text = source.read(setting)
            if text is None:
                continue
            try:
                values[option] = known[option].metadata["from_text"](text)
            except OptionError as error:
                raise OptionError(f"{source.origin}: {source.spell(setting)}: {error}") from None

        def spell(option: str) -> str:
            setting = _BY_SCENARIO_OPTION.get(option)
            return source.spell(setting) if setting else f"{option} in the marker"

        return Layer(source.origin, values, spell)


def _from_command(config: pytest.Config, setting: Setting) -> str | None:
    return _joined(config.getoption(setting.flag, default=None))


def _from_ini(config: pytest.Config, setting: Setting) -> str | None:
    value = config.getini(setting.ini)
    # Without a default of ours pytest gives an empty list or text for «not there».
    return _joined(value) if value else None


def _joined(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, list):
        return ",".join(value) if value else None
    return "true" if value is True else str(value)


def settings_table() -> Mapping[str, Setting]:
    """Return every setting by name, for the documentation."""
    return _BY_NAME
