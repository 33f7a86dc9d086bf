"""Pretend to be macOS: a plugin that takes away what Linux has and macOS has not.

Load it by ``-p tests.systems.macos``; workers load it, too, for they have the options of their
controller. What is imported by then keeps Linux's ways, Trio above all: it waits by epoll
instead of kqueue, behind the same calls.
"""

import os
import select
import signal
import socket
import sys
import sysconfig
import types
from importlib import import_module
from typing import Any

_OF_LINUX = {
    select: ("epoll", "EPOLL"),
    socket: ("SO_TIMESTAMP", "SO_INCOMING", "SOCK_NONBLOCK", "SOCK_CLOEXEC", "TCP_INFO", "TCP_CORK"),
    os: ("sched_", "timerfd_", "eventfd", "EFD_", "TFD_", "memfd_create", "pipe2", "pidfd_open"),
    signal: ("sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGRTMAX"),
}  # fmt: skip


def _take_away() -> None:
    # The second asks the system for proxies on macOS, by a module that is missing here.
    for name in ("trio", "urllib.request"):
        import_module(name)
    # Found by a file that is named after the system, and then remembered.
    sysconfig.get_config_vars()
    assert "pytest_k6api" not in sys.modules
    for module, prefixes in _OF_LINUX.items():
        left = types.ModuleType(module.__name__, module.__doc__)
        vars(left).update(
            (name, value) for name, value in vars(module).items() if not name.startswith(prefixes)
        )
        sys.modules[module.__name__] = left
    sys.addaudithook(_refuse_proc)
    sys.platform = "darwin"


def _refuse_proc(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and str(arguments[0]).startswith("/proc"):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


_take_away()
