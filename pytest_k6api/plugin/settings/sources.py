"""Sources of settings: the command line, the ini file and the environment, read by one table.

Each setting has one name; ``--k6-base-url``, ``k6_base_url`` and
``K6_BASE_URL`` are derived from it. Precedence, low to high: ini file, marker,
environment, command line. In an ini file or the environment an empty text counts
as none, except for the address, where it switches the control API off. The
environment may also hold k6's own variables.

Source of k6's names: k6 v1.1.0, ``lib/options.go``, ``internal/cmd/*.go`` and the
packages of its outputs, each field's ``envconfig``.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_k6api.model import (
    Layer,
    OptionError,
    SessionLayers,
    option_from_texts,
    parse_duration,
    parse_size,
    read_option,
    split_entries,
    switch_from_text,
)
from pytest_k6api.plugin.settings.setting import Setting
from pytest_k6api.plugin.settings.table import SETTINGS

# Python reads no integer of more than 4,300 digits.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,4000}")

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_BY_OPTION = {setting.option: setting for setting in SETTINGS if setting.option}

Texts = tuple[str, ...]


def _read(setting: Setting, texts: Texts) -> Any:  # of the type that the setting has
    """Return the value of `texts`.

    Raises:
        OptionError: With the text and the remedy.
    """
    for text in texts:
        if "\0" in text:  # which no file's name, address or header can have
            raise OptionError(f"takes text without NUL characters, got {text!r}")
    if setting.option:
        return read_option(setting.option, option_from_texts(setting.option, texts))
    text = texts[-1]
    if not setting.metavar:
        switch = switch_from_text(text)
        if not isinstance(switch, bool):
            raise OptionError(f"takes true or false, got {text!r}")
        return switch
    if setting.choices and text not in setting.choices:
        raise OptionError(f"takes {' or '.join(setting.choices)}, got {text!r}")
    return _READERS[setting.kind](text)


def _seconds(text: str) -> float:
    seconds = 0.0 if text == "0" else parse_duration(text)
    if seconds < 0:
        raise OptionError(f"takes 0 or a duration such as 30s, got {text!r}")
    return seconds


def _number(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise OptionError(f"takes a whole number, got {text!r}")
    return int(text)


_READERS: Mapping[str, Callable[[str], object]] = {
    "text": str,
    "number": _number,
    "duration": _seconds,
    "size": parse_size,
}


@dataclass(frozen=True, slots=True)
class _Source:
    """A source of settings.

    Attributes:
        origin: Its name in messages.
        spell: Returns the name of a setting there.
        read: Returns the texts of a setting there, several for a repeated one, or none.
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
        text = _k6_pairs(text, setting)
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


@dataclass(frozen=True, slots=True)
class _Given:
    """A setting as given in one source."""

    texts: Texts
    value: Any


_NOWHERE = _Given((), None)


class Settings:
    """The settings of a session, each read once.

    Attributes:
        problems: Settings that cannot be used, one text each. They count as not given, so
            that all else is checked too.
        remarks: Variables that are not used, one text each.
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
        self.remarks += _unread_variables(os.environ)

    @classmethod
    def of(cls, config: pytest.Config) -> "Settings":
        """Return the settings of the session of `config`."""
        found = config.stash.get(_SETTINGS, None)
        if found is None:
            found = config.stash[_SETTINGS] = cls(config)
        return found

    def entries(self, name: str) -> Texts:
        """Return all texts of the repeated setting `name` in the highest source that has it."""
        found = self._find(name)
        return found.texts if found else ()

    def text(self, name: str) -> str:
        """Return the setting `name` of the highest source that has it, else its default."""
        found = self._find(name)
        return found.texts[-1] if found else _BY_NAME[name].default

    def place(self, name: str) -> str:
        """Return where the setting `name` is written: an option, or a source with its key there."""
        setting = _BY_NAME[name]
        for source in (_ENVIRONMENT, _INI):
            if self._find(name) is self._given[source].get(name, _NOWHERE):
                return f"{source.origin}: {source.spell(setting)}"
        return setting.flag

    @contextmanager
    def blamed(self, name: str) -> Iterator[None]:
        """Begin the message of an OptionError with the place of the setting `name`."""
        try:
            yield
        except OptionError as error:
            raise OptionError(f"{self.place(name)}: {error}") from None

    def was_given(self, name: str) -> bool:
        """Return whether any source has the setting `name`."""
        return self._find(name) is not None

    def switch(self, name: str) -> bool:
        """Return whether the switch `name` is on."""
        # A debugger stops all VUs, so with it there is only one.
        found = self._find(name)
        return bool(found and found.value) or (name == "smoke" and self._debugs)

    def number(self, name: str) -> int:
        """Return the setting `name`: a whole number, or a size in bytes."""
        return int(self._value(name))

    def seconds(self, name: str) -> float:
        """Return the setting `name`, a duration."""
        return float(self._value(name))

    def layers(self) -> SessionLayers:
        """Return the options of markers among the settings, in layers around the markers.

        The base URL of the ini file is in no layer: the fixture ``k6_base_url`` returns
        it, and has a lower precedence than markers.
        """
        ini = _layer(_INI, self._given[_INI])
        return SessionLayers(
            defaults=ini.only(ini.values.keys() - {"base_url"}),
            overrides=[_layer(source, self._given[source]) for source in (_ENVIRONMENT, _COMMAND)],
        )

    def _read(self, source: _Source, config: pytest.Config) -> Mapping[str, _Given]:
        given = {}
        for setting in SETTINGS:
            texts = tuple(setting.synonyms.get(text, text) for text in source.read(config, setting))
            if not texts:
                continue
            try:
                given[setting.name] = _Given(texts, _read(setting, texts))
            except OptionError as error:
                if source is _ENVIRONMENT and setting.is_common_word:
                    self.remarks.append(
                        f"{source.spell(setting)} in the environment is not used: {error}"
                    )
                else:
                    self.problems.append(f"{source.origin}: {source.spell(setting)}: {error}")
        return given

    def _find(self, name: str) -> _Given | None:
        found = [given[name] for given in self._given.values() if name in given]
        return found[-1] if found else None

    def _value(self, name: str) -> Any:  # of the type that the setting has
        found = self._find(name)
        return found.value if found else _read(_BY_NAME[name], (_BY_NAME[name].default,))


_SETTINGS = pytest.StashKey[Settings]()


def _layer(source: _Source, given: Mapping[str, _Given]) -> Layer:
    values = {
        option: given[setting.name].value
        for option, setting in _BY_OPTION.items()
        if setting.name in given
    }

    def spell(option: str) -> str:
        setting = _BY_OPTION.get(option)
        return source.spell(setting) if setting else f"{option} in the marker"

    return Layer(source.origin, values, spell)


def settings_table() -> Mapping[str, Setting]:
    """Return every setting by name, for the documentation."""
    return _BY_NAME


_UNREAD = """
    BATCH BATCH_PER_HOST BLACKLIST_IPS BLOCK_HOSTNAMES COMPATIBILITY_MODE CONFIG
    CONSOLE_OUTPUT INCLUDE_SYSTEM_ENV_VARS
    LOG_FORMAT LOG_OUTPUT MAX_REDIRECTS METRIC_SAMPLES_BUFFER_SIZE
    NO_COOKIES_RESET NO_SUMMARY RPS SUMMARY_TIME_UNIT
    SUMMARY_TREND_STATS SYSTEM_TAGS THROW TLSAUTH TRACES_OUTPUT
    TYPE USER_AGENT
"""
_NAMES = frozenset(f"K6_{name}" for name in _UNREAD.split())
_FAMILIES = (
    "K6_BROWSER_",
    "K6_CLOUD_",
    "K6_JSON_",
    "K6_KAFKA_",
    "K6_WEB_DASHBOARD",
)


def _k6_pairs(text: str, setting: Setting) -> str:
    """Return the `text` of k6's variable for `setting` as the setting's own is written."""
    if setting.option != "tags":
        return text
    # K6_TAGS has kind:smoke,team:web.
    return ",".join(pair.replace(":", "=", 1) for pair in text.split(","))


def _unread_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield one sentence about the variables of k6 that are set and are not used, if there are any."""
    read = {name for setting in SETTINGS for name in (setting.variable, setting.k6_variable)}
    unread = sorted(
        name
        for name, text in environment.items()
        if text and name not in read and (name in _NAMES or name.startswith(_FAMILIES))
    )
    if unread:
        are = "is a variable" if len(unread) == 1 else "are variables"
        yield f"{', '.join(unread)} in the environment {are} of k6 without effect here"
