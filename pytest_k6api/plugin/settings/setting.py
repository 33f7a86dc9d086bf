"""One setting: its names on the command line, in the ini file and in the environment.

Imported in every session, so it imports nothing of this package.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

PREFIX = "--k6-"


class Setting(NamedTuple):  # a dataclass takes a millisecond of every session to make
    """One setting.

    Attributes:
        name: Its name with underscores, without prefix.
        about: The help text.
        metavar: Placeholder of the value in the help; empty for a switch.
        option: The option of the marker that it sets, if any: the ini file gives its
            default, the environment and the command line override the marker.
        repeated: Whether it can be given several times.
        default: The text of the value where none was given.
        choices: The values it can have; empty for any.
        synonyms: k6's words for some of the choices.
        kind: How its text is read, where no option reads it; a duration includes 0.
        is_meant_when_empty: Whether an empty text is a value of its own.
        k6_variable: The variable of k6 for the same setting, if its name differs.
        is_common_word: Whether its variable may belong to another program, so that an
            unreadable value is ignored with a remark.
    """

    name: str
    about: str
    metavar: str = ""
    option: str = ""
    repeated: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = MappingProxyType({})
    kind: Literal["text", "number", "duration", "size"] = "text"
    is_meant_when_empty: bool = False
    k6_variable: str = ""
    is_common_word: bool = False

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return PREFIX + self.name.replace("_", "-")

    @property
    def ini(self) -> str:
        """The key in the ini file."""
        return f"k6_{self.name}"

    @property
    def variable(self) -> str:
        """The variable in the environment."""
        return f"K6_{self.name.upper()}"
