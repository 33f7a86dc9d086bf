"""Where in the user's code an exception comes from, and what it says in one line.

Cheap enough for a load test in which every iteration fails.
"""

import re
import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path
from types import CodeType, TracebackType

_PACKAGE = str(Path(__file__).parents[1])
_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_LONGEST = 200

# What differs each time: addresses, UUIDs and hashes, timings, long numbers.
# Short whole numbers stay, because «500» and «503» are different failures.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F-]{16,}\b|\d+\.\d+(?:e-?\d+)?|\d{4,}")


# A part of a path that names one thing of many: a number, hexadecimal digits, a long token.
_ID = re.compile(r"\d+|(?=.*\d)[0-9a-fA-F-]{6,}|(?=.*\d)[\w.~-]{16,}")
_QUERY_VALUE = re.compile(r"=[^&#]*")


def group_message(message: str) -> str:
    """Return the first line of `message` without what differs each time.

    >>> group_message("order 4711 took 0.25 s, status 503")
    'order # took # s, status 503'
    """
    return _VARYING.sub("#", message[:_LONGEST].partition("\n")[0])


def group_url(url: str) -> str:
    """Return `url` without what differs from one to the next: ids in its path, values in its query.

    What is no absolute URL stays: it is a name that was chosen.

    >>> group_url("http://shop.test:8000/products/4711?page=2")
    'http://shop.test:8000/products/#?page=#'
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    path, question, query = path.partition("?")
    path = "/".join("#" if _ID.fullmatch(part) else part for part in path.split("/"))
    return f"{scheme}://{host}{slash}{path}{question}{_QUERY_VALUE.sub('=#', query)}"


def only_error(error: BaseException) -> BaseException:
    """Return what `error` wraps, as a nursery does, as long as it wraps only one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def one_line(error: BaseException) -> str:
    """Return the type and the first line of the text of `error`, or of the only one it wraps."""
    error = only_error(error)
    text = str(error)[:_LONGEST].partition("\n")[0]
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def failing_line(error: BaseException) -> tuple[CodeType | None, int]:
    """Return the innermost line of the user's own code that `error` went through.

    The user's own is what is neither this package nor installed beside it; where
    there is no such line, it is the innermost line of all.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    found: TracebackType | None = None
    last = step = error.__traceback__
    while step is not None:
        if is_users(step.tb_frame.f_code.co_filename):
            found = step
        last, step = step, step.tb_next
    found = found or last
    return (found.tb_frame.f_code, found.tb_lineno) if found is not None else (None, 0)


@lru_cache(maxsize=4096)
def is_users(filename: str) -> bool:
    """Whether the code in `filename` is the user's own."""
    return not filename.startswith((_PACKAGE, *_LIBRARIES, "<"))


def format_place(code: CodeType | None, line: int) -> str:
    """Return ``file:line``, relative to the current directory where it is below it."""
    return format_location(code.co_filename, line) if code is not None else ""


def format_location(filename: str, line: int) -> str:
    """Return ``file:line``, relative to the current directory where it is below it."""
    path = Path(filename)
    here = Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{line}"


def trim_traceback(error: BaseException) -> BaseException:
    """Let the traceback of `error` begin in the user's code; return `error`."""
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        step = step.tb_next
    return error.with_traceback(step) if step is not None else error


def render_traceback(error: BaseException) -> str:
    """Return `error` as Python prints it."""
    return "".join(traceback.format_exception(error)).rstrip()
