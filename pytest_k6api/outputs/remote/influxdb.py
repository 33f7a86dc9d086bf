"""InfluxDB's line protocol, for its versions 1 and 2: a point for each sample.

Source: k6 v1.1.0, ``internal/output/influxdb``, and ``grafana/xk6-output-influxdb`` for
version 2.
"""

import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs, urlencode

from pytest_k6api.metrics import SampleBatch, Series
from pytest_k6api.outputs.base import OutputContext, OutputError
from pytest_k6api.outputs.files.timestamps import TimeColumn
from pytest_k6api.outputs.per_series import PerSeries
from pytest_k6api.outputs.queued import QueuedOutput
from pytest_k6api.outputs.remote.http_target import HttpTarget, basic, read_url, tls_context
from pytest_k6api.outputs.variables import Variables

_DEFAULT_URL = "http://localhost:8086"
_EXAMPLE = "http://localhost:8086/k6"
_HEADERS = {"Content-Type": "text/plain; charset=utf-8"}
# There is no network to save bytes of: compression would take a third of what a sample does.
_NEAR = frozenset({"localhost", "127.0.0.1", "::1"})
_FORM = "application/x-www-form-urlencoded"
_MOST_LINES = 20_000  # in one body
_SPECIAL = re.compile(r"([,= \\])")
_BREAKS = re.compile(r"[\r\n]+")
_FIELDS: Mapping[str, Callable[[str], object]] = {"int": int, "float": float, "bool": bool}


class InfluxWriter:
    """Writes samples as points; a `Writer`.

    Args:
        post: Sends a body of lines.
        prepare: Called once before the first body.
        fields: Tags that become fields, which have no index, each with its type.
        pack: Compresses a body.
    """

    def __init__(
        self,
        post: Callable[[bytes], None],
        *,
        prepare: Callable[[], None] = lambda: None,
        fields: Mapping[str, str] = {"vu": "int", "iter": "int", "url": "string"},
        pack: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._post = post
        self._pack = pack
        self._prepare = prepare
        self._is_prepared = False
        self._fields = fields
        self._frames = PerSeries(self._frame)

    def open(self) -> None:
        """Do nothing: each body has a connection of its own."""

    def write(self, batches: Sequence[SampleBatch]) -> None:
        """Post a line for each sample."""
        if not self._is_prepared:
            self._is_prepared = True
            self._prepare()
        lines: list[str] = []
        for batch in batches:
            times = TimeColumn(_nanoseconds)
            for series in batch.series:
                lines += self._lines(series, times.texts(series.times_us))
        # Should a later body fail, the first are written again, and change nothing.
        for start in range(0, len(lines), _MOST_LINES):
            body = "\n".join(lines[start : start + _MOST_LINES]).encode("utf-8", "replace")
            self._post(self._pack(body))

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def _lines(self, series: Series, times: Sequence[str]) -> list[str]:
        head, tail = self._frames.of(series)
        known, values, first = series.metadata, series.values, series.values[0]
        if known:
            rows = zip(times, values, known, strict=True)
            return [
                f"{head}{float(value)!r}{self._metadata(each)}{tail}{time}"
                for time, value, each in rows
            ]
        if values[-1] == first and values.count(first) == len(values):
            start = f"{head}{float(first)!r}{tail}"
            return [start + time for time in times]
        return [
            f"{head}{float(value)!r}{tail}{time}" for time, value in zip(times, values, strict=True)
        ]

    def _metadata(self, known: Mapping[str, str]) -> str:
        """Return metadata as fields: as tags they would make a series for each iteration."""
        return "".join(
            f",{_escaped(name)}={_field(text, self._fields.get(name, 'string'))}"
            for name, text in known.items()
        )

    def _frame(self, series: Series) -> tuple[str, str]:
        tags = sorted((name, text) for name, text in series.tags.items() if text)
        pairs = "".join(
            f",{_escaped(name)}={_escaped(text)}" for name, text in tags if name not in self._fields
        )
        fields = "".join(
            f",{_escaped(name)}={_field(text, self._fields[name])}"
            for name, text in tags
            if name in self._fields
        )
        return f"{_escaped(series.metric)}{pairs} value=", f"{fields} "


def _nanoseconds(times_us: tuple[int, ...]) -> list[str]:
    """Return each time as nanoseconds of its own: another point of a series would replace the first."""
    return [str(time * 1000 + number) for number, time in enumerate(times_us)]


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _BREAKS.sub(" ", text))


def _field(text: str, kind: str) -> str:
    try:
        value = _FIELDS[kind](text) if kind in _FIELDS else text
    except ValueError:
        value = text
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    return f"{value}i" if kind == "int" else str(value).lower()


def influxdb_output(context: OutputContext) -> QueuedOutput:
    """Return the output ``influxdb`` as its target and k6's variables want it.

    Version 2 is spoken to a target with a bucket, version 1 to any other.

    Raises:
        OutputError: One of them cannot be used.
    """
    variables = Variables("K6_INFLUXDB_", context.environment)
    url = read_url(context.target or variables.text("ADDR", _DEFAULT_URL), _EXAMPLE)
    asked = {name: texts[-1] for name, texts in parse_qs(url.query).items()}
    bucket = asked.get("bucket") or variables.text("BUCKET")
    authorization = _authorization(variables)
    tls = tls_context(verify=not variables.switch("INSECURE"))
    is_far = url.hostname not in _NEAR
    encoding = {"Content-Encoding": "gzip"} if is_far else {}
    target = HttpTarget(url, {**authorization, **_HEADERS, **encoding}, tls)
    prepare: Callable[[], None] = _do_nothing
    if bucket:
        query = {"org": asked.get("org") or variables.text("ORGANIZATION"), "bucket": bucket}
        path = "/api/v2/write"
    else:
        database = url.path.strip("/") or variables.text("DB", "k6")
        query = {"db": database, "rp": asked.get("retention") or variables.text("RETENTION")}
        query["consistency"] = asked.get("consistency") or variables.text("CONSISTENCY")
        path = "/write"
        plain = HttpTarget(url, {**authorization, "Content-Type": _FORM}, tls)
        prepare = _creator(plain, database)
    query = {name: text for name, text in query.items() if text} | {"precision": "ns"}
    writer = InfluxWriter(
        lambda body: target.post(body, f"{path}?{urlencode(query)}"),
        prepare=prepare,
        fields=_read_fields(variables.words("TAGS_AS_FIELDS", ("vu:int", "iter:int", "url"))),
        pack=partial(gzip.compress, compresslevel=1) if is_far else bytes,
    )
    return QueuedOutput("influxdb", writer, period=variables.seconds("PUSH_INTERVAL", 1.0))


def _authorization(variables: Variables) -> dict[str, str]:
    if token := variables.text("TOKEN"):
        return {"Authorization": f"Token {token}"}
    if name := variables.text("USERNAME"):
        return {"Authorization": basic(name, variables.text("PASSWORD"))}
    return {}


def _do_nothing() -> None:
    pass


def _creator(target: HttpTarget, database: str) -> Callable[[], None]:
    def create() -> None:
        quoted = database.replace("\\", "\\\\").replace('"', '\\"')
        try:
            query = urlencode({"q": f'CREATE DATABASE "{quoted}"'})
            target.post(query.encode(), "/query")
        except OutputError:
            # Most often it is there, and the user may not make one; or the server is away.
            return

    return create


def _read_fields(texts: Sequence[str]) -> dict[str, str]:
    fields = {}
    for text in texts:
        name, _, kind = text.partition(":")
        if kind not in {"", "string", "int", "float", "bool"}:
            raise OutputError(
                f"K6_INFLUXDB_TAGS_AS_FIELDS: takes NAME or NAME:TYPE with the types int, float,"
                f" bool and string, got {text!r}"
            )
        fields[name] = kind or "string"
    return fields
