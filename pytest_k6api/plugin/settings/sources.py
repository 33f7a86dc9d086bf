"""The command line, the ini file and the environment: one table of settings for all three.

Each setting has one name; ``--k6-base-url``, ``k6_base_url`` and
``K6_BASE_URL`` are derived from it. Precedence, low to high: ini file, marker,
environment, command line. In an ini file or the environment an empty text is
as good as none, save for the address, where it switches the control API off.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from pytest_k6api.model import (
    Layer,
    OptionError,
    SessionLayers,
    option_from_texts,
    parse_duration,
    read_option,
    split_entries,
)
from pytest_k6api.plugin.settings.k6_variables import k6_pairs, unread_variables
from pytest_k6api.plugin.settings.table import SETTINGS, Setting

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_BY_OPTION = {setting.option: setting for setting in SETTINGS if setting.option}

Texts = tuple[str, ...]


def _check(setting: Setting, texts: Texts) -> None:
    """Refuse what the setting cannot be.

    Raises:
        OptionError: With what was read and what to write instead.
    """
    text = texts[-1]
    if setting.option:
        read_option(setting.option, option_from_texts(setting.option, texts))
    elif not setting.metavar:
        if text.lower() not in _TRUE | _FALSE:
            raise OptionError(f"takes true or false, got {text!r}")
    elif setting.choices:
        if text not in setting.choices:
            raise OptionError(f"takes {' or '.join(setting.choices)}, got {text!r}")
    elif setting.is_duration:
        _seconds(text)
    elif setting.is_number and not _WHOLE_NUMBER.fullmatch(text):
        raise OptionError(f"takes a whole number, got {text!r}")


def _seconds(text: str) -> float:
    seconds = 0.0 if text == "0" else parse_duration(text)
    if seconds < 0:
        raise OptionError(f"takes 0 or a duration such as 30s, got {text!r}")
    return seconds


@dataclass(frozen=True, slots=True)
class _Source:
    """A place where settings are given.

    Attributes:
        origin: Its name in messages.
        spell: How a setting is written there.
        read: Returns the texts there, several for a repeated setting, or none.
    """

    origin: str
    spell: Callable[[Setting], str]
    read: Callable[[pytest.Config, Setting], Sequence[str]]


def _from_command(config: pytest.Config, setting: Setting) -> Sequence[str]:
    value = config.getoption(setting.flag, default=None)
    if value is None:
        return ()
    if isinstance(value, list):
        return value
    return ["true" if value is True else str(value)]


def _variable(setting: Setting) -> str:
    """Return the variable that gives the setting: its own, or else k6's."""
    is_k6s = setting.variable not in os.environ and setting.k6_variable in os.environ
    return setting.k6_variable if is_k6s else setting.variable


def _from_environment(_config: pytest.Config, setting: Setting) -> Sequence[str]:
    variable = _variable(setting)
    text = os.environ.get(variable)
    if text and variable == setting.k6_variable:
        text = k6_pairs(text, setting)
    if not text and not (text is not None and setting.is_meant_when_empty):
        return ()
    return split_entries(text) if setting.repeated else [text]


def _from_ini(config: pytest.Config, setting: Setting) -> Sequence[str]:
    value = config.getini(setting.ini)
    if isinstance(value, list):
        return value
    return [value] if value or (value is not None and setting.is_meant_when_empty) else ()


_INI = _Source("ini file", lambda setting: setting.ini, _from_ini)
_ENVIRONMENT = _Source("environment", _variable, _from_environment)
_COMMAND = _Source("command line", lambda setting: setting.flag, _from_command)


class Settings:
    """What was set outside the test files, by name.

    Attributes:
        problems: What cannot be used, one text each. It counts as not given, so
            that all else can be checked too.
        remarks: What is not used, and is told without being a problem.
        shows_locals: Whether pytest shows local variables in tracebacks.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self._debugs = any(config.getoption(name, False) for name in ("usepdb", "trace"))
        self.shows_locals = bool(config.getoption("showlocals", False))
        # Lowest first.
        self._given = {
            source: self._read(source, config) for source in (_INI, _ENVIRONMENT, _COMMAND)
        }
        self.remarks += unread_variables(os.environ, SETTINGS)

    def entries(self, name: str) -> Texts:
        """Return all texts of the repeated setting `name` in the highest source that has it."""
        return self._find(name) or ()

    def text(self, name: str) -> str:
        """Return the setting `name` of the highest source that has it, else its default."""
        found = self._find(name)
        return found[-1] if found else _BY_NAME[name].default

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

    def seconds(self, name: str) -> float:
        """Return the setting `name`, which is a duration."""
        return _seconds(self.text(name))

    def layers(self) -> SessionLayers:
        """Return the options that were set, as what counts less and more than a marker.

        The base URL of the ini file is in neither: the fixture ``k6_base_url`` has
        it, and gives way to markers.
        """
        given = {name: texts for name, texts in self._given[_INI].items() if name != "base_url"}
        return SessionLayers(
            defaults=_layer(_INI, given),
            overrides=[_layer(source, self._given[source]) for source in (_ENVIRONMENT, _COMMAND)],
        )

    def _read(self, source: _Source, config: pytest.Config) -> Mapping[str, Texts]:
        found = {}
        for setting in SETTINGS:
            texts = tuple(setting.synonyms.get(text, text) for text in source.read(config, setting))
            if not texts:
                continue
            try:
                _check(setting, texts)
            except OptionError as error:
                if source is _ENVIRONMENT and setting.is_common_word:
                    self.remarks.append(
                        f"{source.spell(setting)} in the environment is not used: {error}"
                    )
                else:
                    self.problems.append(f"{source.origin}: {source.spell(setting)}: {error}")
            else:
                found[setting.name] = texts
        return found

    def _find(self, name: str) -> Texts | None:
        found = [texts[name] for texts in self._given.values() if name in texts]
        return found[-1] if found else None


def _layer(source: _Source, texts: Mapping[str, Texts]) -> Layer:
    values = {
        option: option_from_texts(option, texts[setting.name])
        for option, setting in _BY_OPTION.items()
        if setting.name in texts
    }

    def spell(option: str) -> str:
        setting = _BY_OPTION.get(option)
        return source.spell(setting) if setting else f"{option} in the marker"

    return Layer(source.origin, values, spell)


def settings_table() -> Mapping[str, Setting]:
    """Return every setting by name, for the documentation."""
    return _BY_NAME
