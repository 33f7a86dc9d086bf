"""What user code on a worker writes, for the controller to write where users look. Pure."""

import msgspec


class LogLine(msgspec.Struct, frozen=True, array_like=True):
    """A record of ``logging``.

    Attributes:
        logger: The name of its logger.
        level: Its level, as a number.
        level_name: Its level, by name.
        path: The file of the code that made it.
        line: The line there.
        function: The function there.
        at: When it was made, in seconds since 1970.
        message: Its message, with its arguments filled in.
        traceback: The text of its exception; empty without one.
        prefix: What names the virtual user; empty outside of virtual users.
    """

    logger: str
    level: int
    level_name: str
    path: str
    line: int
    function: str
    at: float
    message: str
    traceback: str
    prefix: str


class WarningLine(msgspec.Struct, frozen=True, array_like=True):
    """A warning.

    Attributes:
        text: Its text.
        module: The module of its category.
        category: The name of its category.
        path: The file of the code that is warned of.
        line: The line there.
    """

    text: str
    module: str
    category: str
    path: str
    line: int


class UserOutput(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was written since the report before.

    Attributes:
        stdout: What went to the standard output stream.
        stderr: What went to the standard error stream.
        exchanges: Lines of exchanges that are shown to users, past pytest's capture.
        log: Records of ``logging``.
        warnings: Warnings, each once.
        properties: Names and values that the load test recorded for JUnit XML.
    """

    stdout: str = ""
    stderr: str = ""
    exchanges: tuple[str, ...] = ()
    log: tuple[LogLine, ...] = ()
    warnings: tuple[WarningLine, ...] = ()
    properties: tuple[tuple[str, str | int | float | bool | None], ...] = ()
