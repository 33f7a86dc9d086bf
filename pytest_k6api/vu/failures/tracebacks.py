"""Exceptions of the user's code: their location, their message in one line, their group.

Cheap enough for a load test in which every iteration fails.
"""

import re
import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path
from types import CodeType, TracebackType

from pytest_k6api.model import storable
from pytest_k6api.protocols import advice_on

_PACKAGE = str(Path(__file__).parents[2])
_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_LONGEST = 200
_KEPT = 1_000

# Varying parts: quoted values, hexadecimal digits, and words with a digit (numbers, ids,
# UUIDs, dates, addresses). Without backtracking, so the time is linear.
_VARYING = re.compile(
    r"(?<!\w)(?:'(?:[^'\\]|\\.)*(?:'|$)|\"(?:[^\"\\]|\\.)*(?:\"|$)|`[^`]*(?:`|$))"
    r"|(?<![\w.:%+-])[^\W\d]*(?:[.:%+-][^\W\d]*)*\d(?:[\w.:%+-]|,(?=\d))*"
    r"|\b[0-9a-fA-F]{8,}\b"
)
_URL_PATH = re.compile(r"(://[^/?#\s'\"]+)[/?#][^\s'\"]*")


# A part of a path that names one thing of many: a number, hexadecimal digits, a long token.
_ID = re.compile(r"\d+|(?=.*\d)[0-9a-fA-F-]{6,}|(?=.*\d)[\w.~-]{16,}")
_QUERY_VALUE = re.compile(r"=[^&#]*")


def text_of(error: BaseException) -> str:
    """Return the text of `error`, safe to keep, even if its ``__str__`` raises."""
    try:
        return storable(str(error)[:_KEPT], _KEPT)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - the test's code; the text is Python's
        return "<exception str() failed>"


def group_message(message: str) -> str:
    """Return the first line of `message` without its varying parts.

    >>> group_message("order 4711 of 'Ann' took 0.25 s: http://shop.test/orders/4711")
    'order # of # took # s: http://shop.test/#'
    """
    line = message[:_LONGEST].partition("\n")[0]
    if "://" in line:
        line = _URL_PATH.sub(r"\1/#", line)
    return _VARYING.sub("#", line)


def group_error(error: BaseException) -> str:
    """Return the text of `error` without its varying parts.

    An exception with a response is grouped by its status, and by the name of the request
    if it has one, as that of ``raise_for_status()`` has.
    """
    text = group_message(text_of(error))
    try:
        response, name = getattr(error, "response", None), getattr(error, "name", None)
        status = getattr(response, "error_code", 0) or getattr(response, "status_code", None)
    except Exception:  # noqa: BLE001 - properties of the test's code
        return text
    if not isinstance(status, int):
        return text
    return f"{status} {group_url(name) if isinstance(name, str) else text}"


def group_url(url: str) -> str:
    """Return `url` without varying parts: ids in its path, values in its query.

    A text that is no absolute URL is returned as it is: it is a chosen name.

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
    """Return the exception that `error` wraps as a nursery does, as long as it is only one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return _as_raised(error)


def _as_raised(error: BaseException) -> BaseException:
    # Python makes a RuntimeError of a StopIteration that a coroutine raises: its lines are ours.
    is_pythons = isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration)
    return error.__cause__ or error if is_pythons else error


def one_line(error: BaseException) -> str:
    """Return the type and the first line of the text of `error`, or of the only one it wraps."""
    error = only_error(error)
    text = text_of(error)[:_LONGEST].partition("\n")[0]
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def failing_line(error: BaseException) -> tuple[CodeType | None, int]:
    """Return the innermost line of the user's own code in the traceback of `error`.

    The user's own code is neither this package nor installed beside it. Without such
    a line, the innermost line of all is returned.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    error = _as_raised(error)
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


def code_location(code: CodeType | None, line: int) -> str:
    """Return ``file:line``, relative to the current directory where it is below it."""
    return format_location(code.co_filename, line) if code is not None else ""


def format_location(filename: str, line: int) -> str:
    """Return ``file:line``, relative to the current directory where it is below it."""
    path = Path(filename)
    here = Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{line}"


def trim_traceback(error: BaseException) -> BaseException:
    """Let the traceback of `error`, as it was raised, begin in the user's code; return it."""
    error = _as_raised(error)
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        step = step.tb_next
    return error.with_traceback(step) if step is not None else error


def render_traceback(error: BaseException) -> str:
    """Return `error` as Python prints it."""
    return "".join(traceback.format_exception(error)).rstrip()


ON_TRIO = (
    "scenarios, VU fixtures, setup and teardown run on Trio, not on asyncio: write vu.sleep(1) or"
    " trio.sleep(1) for asyncio.sleep(1), vu.http.batch([...]) for asyncio.gather(...), and trio's"
    " nurseries, timeouts, locks and channels for asyncio's; a library of asyncio is called by `await aio_as_trio(function)(...)` of trio-asyncio"
    " (pip install 'pytest-k6api[asyncio]'), or in a scenario without async, by asyncio.run()"
)


NO_ASYNCIO_LOOP = (
    "trio_asyncio was imported after the load test had begun, which has an asyncio loop only if"
    " the suite imported it before: put `import trio_asyncio` at the top of the test module"
)


BODY = "a body is a keyword: json=, data= for a form, or content= for bytes and text"

_BY_TEXT: tuple[tuple[type[BaseException], str, str], ...] = (
    (RuntimeError, "no running event loop", ON_TRIO),
    (RuntimeError, "no current event loop", ON_TRIO),
    (RuntimeError, "should be used inside a task", ON_TRIO),
    (RuntimeError, "cannot determine the parent task", ON_TRIO),
    (TypeError, "unrecognized yield message", ON_TRIO),
    (TypeError, r"Client\.(post|put|patch|delete)\(\) takes 2 positional arguments", BODY),
)


def hint_for(error: BaseException) -> str:
    """Return advice for the code that raised `error`; empty if there is none."""
    error = only_error(error)
    for kind, pattern, hint in _BY_TEXT:
        if isinstance(error, kind) and re.search(pattern, text_of(error)):
            return hint
    if isinstance(error, AttributeError):  # the loop's attribute was not found, or ours
        return _BY_FOLDER.get(_folder_that_raised(error), "") or advice_on(error)
    return ""


_BY_FOLDER = {"asyncio": ON_TRIO, "trio_asyncio": NO_ASYNCIO_LOOP}


def _folder_that_raised(error: BaseException) -> str:
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return Path(step.tb_frame.f_code.co_filename).parent.name if step is not None else ""
