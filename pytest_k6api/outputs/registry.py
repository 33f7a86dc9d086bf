"""The outputs that have a name: those of this package, and those of entry points.

The entry points' group is ``pytest_k6api.outputs``; each names an `OutputFactory`. A new
output that reads k6's variables takes their prefix off the list of those without effect
(``plugin/settings/sources.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import cast

from pytest_k6api.outputs.base import OutputError, OutputFactory

GROUP = "pytest_k6api.outputs"


@dataclass(frozen=True, slots=True)
class _OurOutput:
    """An output of this package, imported when it is wanted.

    Attributes:
        place: Module and name of its factory.
        extra: The extra of this distribution that it needs; empty for none.
        needs: The modules that the extra brings.
        file: The file that it writes where no other is named, ``-`` for standard output;
            empty if its targets are no files.
        file_variable: k6's variable that names the file.
    """

    place: str
    extra: str = ""
    needs: tuple[str, ...] = ()
    file: str = ""
    file_variable: str = ""


_PROMETHEUS = _OurOutput(
    "remote.prometheus:prometheus_output", "prometheus", ("cramjam", "google.protobuf")
)
_OPENTELEMETRY = _OurOutput(
    "remote.opentelemetry:opentelemetry_output",
    "otel",
    (
        "opentelemetry.sdk.metrics.export",
        "opentelemetry.exporter.otlp.proto.http",
        "opentelemetry.exporter.otlp.proto.grpc",
    ),
)
_OURS: Mapping[str, _OurOutput] = {
    "json": _OurOutput("files.json_lines:json_output", file="-"),
    "csv": _OurOutput(
        "files.csv_rows:csv_output", file="file.csv", file_variable="K6_CSV_FILENAME"
    ),
    "prometheus-rw": _PROMETHEUS,
    "opentelemetry": _OPENTELEMETRY,
    "influxdb": _OurOutput("remote.influxdb:influxdb_output"),
    "statsd": _OurOutput("remote.statsd:statsd_output"),
    # k6's names for the same.
    "experimental-prometheus-rw": _PROMETHEUS,
    "experimental-opentelemetry": _OPENTELEMETRY,
}
_OTHER_K6 = {
    "cloud": "k6's own service takes results of k6 alone",
    "web-dashboard": "the control API has a page",
}


def find_factory(name: str) -> OutputFactory:
    """Return what makes outputs of this name.

    Raises:
        OutputError: There is none, or what it needs is not installed.
    """
    if name in _OURS:
        return _import(name, _OURS[name])
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise OutputError(_unknown(name))
    entry_point = next(iter(found))
    try:
        # Whatever a distribution registers; it is called as the contract says.
        return cast("OutputFactory", entry_point.load())
    except Exception as error:
        raise OutputError(
            f"{name}: {entry_point.value} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _import(name: str, output: _OurOutput) -> OutputFactory:
    missing = [module for module in output.needs if not _is_installed(module)]
    if missing:
        raise OutputError(
            f"{name}: needs {' and '.join(missing)}; install what is missing with"
            f" pip install 'pytest-k6api[{output.extra}]'"
        )
    module, _, factory = output.place.partition(":")
    return cast("OutputFactory", getattr(import_module(f"pytest_k6api.outputs.{module}"), factory))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it
        return False


def _unknown(name: str) -> str:
    known = sorted({*_OURS, *(each.name for each in entry_points(group=GROUP))})
    near = get_close_matches(name, known, n=2)
    if name in _OTHER_K6:
        advice = f"{_OTHER_K6[name]}; there are {', '.join(known)}"
    elif near:
        advice = f"did you mean {' or '.join(near)}?"
    else:
        advice = f"there are {', '.join(known)}"
    return f"there is no output {name!r}; {advice}"


def file_target(name: str, target: str, environment: Mapping[str, str]) -> str | None:
    """Return the file that the output `name` writes for `target`, ``-`` for standard output.

    None if its targets are no files.
    """
    output = _OURS.get(name)
    if output is None or not output.file:
        return None
    return target or environment.get(output.file_variable) or output.file
