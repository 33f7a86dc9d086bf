"""The command line, the ini file and the environment: one table of options for all three.

Each setting has one name; ``--k6-base-url``, ``k6_base_url`` and
``K6_BASE_URL`` are derived from it. Precedence, low to high: marker, ini file,
environment, command line. In an ini file or the environment an empty text is
as good as none, save for the address, where it switches the control API off.
"""

import os
import re
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
        is_number: Whether it is a whole number.
        is_meant_when_empty: Whether an empty text is a value of its own.
    """

    name: str
    about: str
    metavar: str = ""
    scenario_option: str = ""
    repeated: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    is_number: bool = False
    is_meant_when_empty: bool = False

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

    def check(self, text: str) -> None:
        """Refuse what the setting cannot be.

        Raises:
            OptionError: With what was read and what to write instead.
        """
        if self.scenario_option:
            option = options_of(ScenarioOptions)[self.scenario_option].metadata
            option["read"](option["from_text"](text))
        elif not self.metavar:
            if text.lower() not in _TRUE | _FALSE:
                raise OptionError(f"takes true or false, got {text!r}")
        elif self.choices:
            if text not in self.choices:
                raise OptionError(f"takes {' or '.join(self.choices)}, got {text!r}")
        elif self.is_number and not _WHOLE_NUMBER.fullmatch(text):
            raise OptionError(f"takes a whole number, got {text!r}")


_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")


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
    Setting(
        name="seed",
        metavar="N",
        default="0",
        is_number=True,
        about="The seed of vu.random (default 0).",
    ),
    Setting(name="smoke", about="Run every scenario once, with one VU."),
    Setting(
        name="address",
        metavar="HOST:PORT",
        is_meant_when_empty=True,
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
    """A place where settings are given.

    Attributes:
        origin: Its name in messages.
        spell: How a setting is written there.
        read: Returns the text there, or None.
    """

    origin: str
    spell: Callable[[Setting], str]
    read: Callable[[pytest.Config, Setting], str | None]


def _from_command(config: pytest.Config, setting: Setting) -> str | None:
    return _joined(config.getoption(setting.flag, default=None))


def _from_environment(_config: pytest.Config, setting: Setting) -> str | None:
    return _meant(os.environ.get(setting.variable), setting)


def _from_ini(config: pytest.Config, setting: Setting) -> str | None:
    return _meant(_joined(config.getini(setting.ini)), setting)


def _meant(text: str | None, setting: Setting) -> str | None:
    return text or (text if setting.is_meant_when_empty else None)


def _joined(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, list):
        return ",".join(value) if value else None
    return "true" if value is True else str(value)


_SOURCES = (
    _Source("ini file", lambda setting: setting.ini, _from_ini),
    _Source("environment", lambda setting: setting.variable, _from_environment),
    _Source("command line", lambda setting: setting.flag, _from_command),
)


class Settings:
    """What was set outside the test files, by name.

    Attributes:
        problems: What cannot be used, one text each. It counts as not given, so
            that all else can be checked too.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.problems: list[str] = []
        self._given = [(source, self._read(source, config)) for source in _SOURCES]

    def text(self, name: str) -> str:
        """Return the setting `name` of the highest source that has it, else its default."""
        value = self._find(name)
        return _BY_NAME[name].default if value is None else value

    def was_given(self, name: str) -> bool:
        """Return whether any source has the setting `name`."""
        return self._find(name) is not None

    def switch(self, name: str) -> bool:
        """Return whether the switch `name` is on."""
        return self.text(name).lower() in _TRUE

    def number(self, name: str) -> int:
        """Return the setting `name`, which is a whole number."""
        return int(self.text(name))

    def scenario_layers(self) -> list[Layer]:
        """Return what the sources say about scenarios, lowest first."""
        return [_scenario_layer(source, texts) for source, texts in self._given]

    def _read(self, source: _Source, config: pytest.Config) -> Mapping[str, str]:
        texts = {}
        for setting in SETTINGS:
            text = source.read(config, setting)
            if text is None:
                continue
            try:
                setting.check(text)
            except OptionError as error:
                self.problems.append(f"{source.origin}: {source.spell(setting)}: {error}")
            else:
                texts[setting.name] = text
        return texts

    def _find(self, name: str) -> str | None:
        found = [texts[name] for _, texts in self._given if name in texts]
        return found[-1] if found else None


def _scenario_layer(source: _Source, texts: Mapping[str, str]) -> Layer:
    known = options_of(ScenarioOptions)
    values = {
        option: known[option].metadata["from_text"](texts[setting.name])
        for option, setting in _BY_SCENARIO_OPTION.items()
        if setting.name in texts
    }

    def spell(option: str) -> str:
        setting = _BY_SCENARIO_OPTION.get(option)
        return source.spell(setting) if setting else f"{option} in the marker"

    return Layer(source.origin, values, spell)


def settings_table() -> Mapping[str, Setting]:
    """Return every setting by name, for the documentation."""
    return _BY_NAME
