"""Make pytest's own fixture for testing plugins available to all tests."""

import ast
import atexit
import functools
import gc
import os
import shutil
import signal
import sys
import tempfile
import threading
from typing import Any

pytest_plugins = ["pytester"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it runs in the background ignore Ctrl-C. Sessions that tests start
    # would inherit that, and wait forever for the Ctrl-C that a test sends them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    # Each session that a test starts would compile, and have pytest rewrite, every module of the
    # plugin again: half of what it takes. They share a folder that goes with this session.
    os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="k6api-bytecode-")
    atexit.register(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True)

if sys.version_info < (3, 11, 8) or (3, 12) <= sys.version_info < (3, 12, 2):
    # These break with «AST constructor recursion depth mismatch» when two parses
    # overlap, in two threads or through a finalizer (python/cpython#106905). Tests
    # of a test runner parse all the time; so one at a time, and no finalizers.
    _parse = ast.parse
    _alone = threading.RLock()

    @functools.wraps(_parse)
    def _parse_alone(*args: Any, **kwargs: Any) -> Any:  # as ast.parse itself is typed
        with _alone:
            collects = gc.isenabled()
            gc.disable()
            try:
                return _parse(*args, **kwargs)
            finally:
                if collects:
                    gc.enable()

    ast.parse = _parse_alone
