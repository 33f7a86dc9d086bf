"""Outputs of ``--k6-out`` and files of results: checked before any load; outputs are made for each run."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from pytest_k6api.model import LoadTestInfo, Secrets
from pytest_k6api.outputs import (
    Output,
    OutputContext,
    OutputError,
    OutputFactory,
    file_target,
    find_factory,
)
from pytest_k6api.plugin.hooks.stash_keys import PLAN
from pytest_k6api.plugin.reporting.terminal import Terminal, uncaptured
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.report import file_of_its_own, file_stem
from pytest_k6api.run import LoadTestPlan

_STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedOutput:
    """One output of ``--k6-out``.

    Attributes:
        shown: The text of the option, without secrets.
        name: The output's name.
        target: The text behind ``=``; for an output to files, the file.
        is_file: Whether the target is a file or ``-``.
        factory: Makes the output.
    """

    shown: str
    name: str
    target: str
    is_file: bool
    factory: OutputFactory


REQUESTED: "pytest.StashKey[Sequence[RequestedOutput]]" = pytest.StashKey()
"""The outputs of the session, once collection has ended."""


def read_requests(
    config: pytest.Config, settings: Settings, items: Sequence[pytest.Item]
) -> list[str]:
    """Read and keep the outputs of ``--k6-out``; return the errors, one text each."""
    requested: list[RequestedOutput] = []
    problems: list[str] = []
    secrets = Secrets(settings.entries("mask"))
    config.stash[REQUESTED] = requested
    for text in dict.fromkeys(settings.entries("out")):
        shown = _shown(text, secrets)
        try:
            request = _read(text, shown, config)
            for number, item in enumerate((each for each in items if PLAN in each.stash), 1):
                plan = item.stash[PLAN]
                request.factory(_context(config, request, _info(plan), plan, number))
        except OutputError as error:
            problems.append(f"{settings.place('out')} {shown}: {error}")
        else:
            requested.append(request)
    return problems


def problems_of_files(config: pytest.Config, settings: Settings) -> Iterator[str]:
    """Yield why files of results surely cannot be written, one text each."""
    folder = config.invocation_params.dir
    asked = [("report", folder / file) for file in settings.entries("report")]
    if pattern := settings.text("summary_export"):
        asked.append(("summary_export", folder / pattern.replace("{name}", file_stem(""))))
    if name := settings.text("save"):
        asked.append(("save", config.rootpath / settings.text("results_dir") / name / "a.json"))
    if not asked:
        return
    from pytest_k6api.outputs import why_not_writable

    for setting, path in asked:
        if problem := why_not_writable(path):
            yield f"{settings.place(setting)}: {problem}"


def takes_stdout(config: pytest.Config) -> bool:
    """Return whether an output writes to the standard output, which must have nothing else."""
    return any(each.is_file and each.target == _STDOUT for each in config.stash.get(REQUESTED, ()))


def make_outputs(
    item: pytest.Item, load_test: LoadTestInfo, number: int
) -> Iterator[tuple[str, Output]]:
    """Make each output of ``--k6-out``; yield its name for messages, and the output.

    Args:
        item: The item of the load test.
        load_test: The value that the outputs get.
        number: The number of the load test in the session, from 1.

    Raises:
        pytest.fail.Exception: A target cannot be used any more.
    """
    for request in item.config.stash.get(REQUESTED, ()):
        context = _context(item.config, request, load_test, item.stash[PLAN], number)
        shown = request.shown
        if request.is_file and context.target != _STDOUT:
            path, folder = Path(context.target), item.config.invocation_params.dir
            inside = path.relative_to(folder) if path.is_relative_to(folder) else path
            shown = f"{request.name}={inside}"
        try:
            yield shown, request.factory(context)
        except OutputError as error:
            pytest.fail(f"--k6-out {shown}: {error}", pytrace=False)


def _read(text: str, shown: str, config: pytest.Config) -> RequestedOutput:
    name, _, target = text.partition("=")
    factory = find_factory(name.strip())
    file = file_target(name.strip(), target, os.environ)
    if file == _STDOUT and hasattr(config, "workerinput"):
        raise OutputError("a worker of pytest-xdist has no standard output; name a file")
    return RequestedOutput(
        shown=shown,
        name=name.strip(),
        target=target if file is None else file,
        is_file=file is not None,
        factory=factory,
    )


def _context(
    config: pytest.Config,
    request: RequestedOutput,
    load_test: LoadTestInfo,
    plan: LoadTestPlan,
    number: int,
) -> OutputContext:
    target = request.target.replace("{name}", file_stem(load_test.name))
    if request.is_file and target != _STDOUT:
        worker: str = getattr(config, "workerinput", {}).get("workerid", "")
        path = config.invocation_params.dir / request.target
        target = str(file_of_its_own(path, load_test.name, number, worker))
    return OutputContext(
        target=target,
        load_test=load_test,
        thresholds=tuple(plan.thresholds),
        environment=os.environ,
        open_stdout=partial(_open_stdout, config),
    )


def _info(plan: LoadTestPlan) -> LoadTestInfo:
    return LoadTestInfo(
        name=plan.name,
        scenarios=tuple(plan.scenarios),
        base_url=plan.options.base_url,
    )


def _open_stdout(config: pytest.Config) -> BinaryIO:
    """Return the standard output of the process, past pytest's capture."""
    with uncaptured(config):
        terminal = Terminal(config)
        terminal.end_line()
        terminal.flush()
        return os.fdopen(os.dup(1), "wb")


def _shown(text: str, secrets: Secrets) -> str:
    name, equals, target = text.partition("=")
    return f"{name}{equals}{secrets.mask_url(target) if '://' in target else target}"
