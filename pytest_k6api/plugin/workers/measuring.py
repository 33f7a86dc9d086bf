"""Coverage of scenarios on the workers of this machine: measured there as it is measured here.

``coverage run`` starts a worker as it starts any program, and writes a data file beside that of
pytest-cov, which combines all of them when the tests are over. Where coverage.py is told
to measure subprocesses by itself (``patch = subprocess``, ``COVERAGE_PROCESS_START``), it does.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

_BY_ITSELF = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


def measured(config: pytest.Config) -> Sequence[str]:
    """Return arguments of Python that measure what follows them as pytest-cov does here.

    None where pytest-cov measures nothing, or coverage.py measures all subprocesses.
    """
    controller = getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
    coverage: Any = getattr(controller, "cov", None)
    if coverage is None or any(name in os.environ for name in _BY_ITSELF):
        return []
    settings = coverage.config
    flags = ["--parallel-mode", f"--data-file={Path(settings.data_file).absolute()}"]
    if settings.branch:
        flags.append("--branch")
    if settings.source:
        flags.append(f"--source={','.join(settings.source)}")
    if settings.config_file:
        flags.append(f"--rcfile={settings.config_file}")
    return ["-m", "coverage", "run", *flags]
