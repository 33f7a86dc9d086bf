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
from pytest_k6api.plugin.settings_table import SETTINGS, Setting

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")


_BY_NAME = {setting.name: setting for setting in SETTINGS}
_BY_SCENARIO_OPTION = {
    setting.scenario_option: setting for setting in SETTINGS if setting.scenario_option
}


def _check(setting: Setting, text: str) -> None:
    """Refuse what the setting cannot be.

    Raises:
        OptionError: With what was read and what to write instead.
    """
    if setting.scenario_option:
        option = options_of(ScenarioOptions)[setting.scenario_option].metadata
        option["read"](option["from_text"](text))
    elif not setting.metavar:
        if text.lower() not in _TRUE | _FALSE:
            raise OptionError(f"takes true or false, got {text!r}")
    elif setting.choices:
        if text not in setting.choices:
            raise OptionError(f"takes {' or '.join(setting.choices)}, got {text!r}")
    elif setting.is_number and not _WHOLE_NUMBER.fullmatch(text):
        raise OptionError(f"takes a whole number, got {text!r}")


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
        self._debugs = bool(config.getoption("usepdb", False))
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
        # A debugger stops all VUs, so with it there is but one.
        return self.text(name).lower() in _TRUE or (name == "smoke" and self._debugs)

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
                _check(setting, text)
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
