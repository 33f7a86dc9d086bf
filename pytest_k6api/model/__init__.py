"""The values everything else is made of: durations, tags, samples, groups, options, errors.

Rules that all packages share stand here too: ``secrets`` masks, ``text`` makes foreign text
safe. Pure: no clock, no socket, no Trio, no pytest; it imports nothing of this package.
"""

from pytest_k6api.model.commands import Command
from pytest_k6api.model.durations import format_duration, parse_duration
from pytest_k6api.model.errors import (
    ControlError,
    GroupError,
    K6ApiError,
    MetricError,
    OptionError,
    ThresholdError,
)
from pytest_k6api.model.metrics import BUILT_IN, Contains, Metric, MetricKind
from pytest_k6api.model.options.declarations import (
    OPTIONS,
    TAKES,
    ExecutorKind,
    LoadTestInfo,
    LoadTestOptions,
    ScenarioOptions,
    default_of,
    option_from_texts,
    options_of,
    planned_duration,
    read_option,
)
from pytest_k6api.model.options.fitting import Misfit, SessionLayers, fit_scenario
from pytest_k6api.model.options.resolving import (
    Layer,
    check_scenario,
    resolve_load_test,
    resolve_scenario,
)
from pytest_k6api.model.options.values import (
    Stage,
    parse_size,
    read_base_url,
    read_http_versions,
    read_pairs,
    split_entries,
    switch_from_text,
)
from pytest_k6api.model.protocols import HTTP, LISTED, PROTOCOLS, ProtocolMetrics
from pytest_k6api.model.recorder import Recorder, current_recorder
from pytest_k6api.model.samples import (
    CHECK_ROWS,
    GROUP_ROWS,
    ITERATION_ROWS,
    Batch,
    Column,
    IterationRow,
    MarkedTags,
    MarkingBuffer,
    Metadata,
    RowType,
    SampleBuffer,
    SampleRow,
    ValueRow,
)
from pytest_k6api.model.secrets import MASK, SECRETS, Secrets
from pytest_k6api.model.status import (
    RunStatus,
    ScenarioSnapshot,
    ScenarioState,
    StatusSnapshot,
    WorkerState,
    WorkerStatus,
)
from pytest_k6api.model.tags import TagContext, TagTable, check_path, group_path, path_id
from pytest_k6api.model.takeovers import (
    ClockReading,
    FormerVU,
    ScenarioProgress,
    ScenarioTakeover,
    Takeover,
)
from pytest_k6api.model.text import printable, storable
from pytest_k6api.model.tracing import (
    TRACE_HEADER,
    Tracer,
    checked_context,
    read_trace_rate,
    with_trace,
)

__all__ = [
    "BUILT_IN",
    "CHECK_ROWS",
    "GROUP_ROWS",
    "HTTP",
    "ITERATION_ROWS",
    "LISTED",
    "MASK",
    "OPTIONS",
    "PROTOCOLS",
    "SECRETS",
    "TAKES",
    "TRACE_HEADER",
    "Batch",
    "ClockReading",
    "Column",
    "Command",
    "Contains",
    "ControlError",
    "ExecutorKind",
    "FormerVU",
    "GroupError",
    "IterationRow",
    "K6ApiError",
    "Layer",
    "LoadTestInfo",
    "LoadTestOptions",
    "MarkedTags",
    "MarkingBuffer",
    "Metadata",
    "Metric",
    "MetricError",
    "MetricKind",
    "Misfit",
    "OptionError",
    "ProtocolMetrics",
    "Recorder",
    "RowType",
    "RunStatus",
    "SampleBuffer",
    "SampleRow",
    "ScenarioOptions",
    "ScenarioProgress",
    "ScenarioSnapshot",
    "ScenarioState",
    "ScenarioTakeover",
    "Secrets",
    "SessionLayers",
    "Stage",
    "StatusSnapshot",
    "TagContext",
    "TagTable",
    "Takeover",
    "ThresholdError",
    "Tracer",
    "ValueRow",
    "WorkerState",
    "WorkerStatus",
    "check_path",
    "check_scenario",
    "checked_context",
    "current_recorder",
    "default_of",
    "fit_scenario",
    "format_duration",
    "group_path",
    "option_from_texts",
    "options_of",
    "parse_duration",
    "parse_size",
    "path_id",
    "planned_duration",
    "printable",
    "read_base_url",
    "read_http_versions",
    "read_option",
    "read_pairs",
    "read_trace_rate",
    "resolve_load_test",
    "resolve_scenario",
    "split_entries",
    "storable",
    "switch_from_text",
    "with_trace",
]
