"""Failed requests, sessions and calls of a load test, grouped by scenario, error or status, method and name.

Counts come from the series of the protocols' rates, so they always agree. Beside
them, for a bounded number of kinds, are kept the times of the first and last failure
and one exchange. A request that succeeds costs nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pytest_k6api.metrics import FailureSeries
from pytest_k6api.model import PROTOCOLS, SECRETS, Batch, Secrets, TagTable
from pytest_k6api.vu.failures.failure import Example, Failure, FailureKind
from pytest_k6api.vu.failures.tracebacks import group_url

MOST_KINDS = 100
"""Number of kinds that are listed; the rest is summed up."""

_NAMED = 5
_FIRST_CLIENT_ERROR, _FIRST_SERVER_ERROR = 1400, 1500
_FAILURE_KINDS = {protocol.failed.name: FailureKind(protocol.noun) for protocol in PROTOCOLS}
# Prefixes of k6's texts; the code implies them.
_OPERATIONS = ("dial: ", "lookup: ")
# What to write, by how the text of an error begins.
_ADVICE = {
    "x509: unknown authority": (
        "--k6-ca-file=FILE trusts its authority, --k6-insecure-skip-tls-verify everybody"
    ),
    "tls: wrong version number": "the server speaks no TLS at that port; write http, ws or tls=False",
    "http2: frame too large, note": (
        "the server speaks HTTP/1.1 at that port; --k6-http-version=auto does so, too"
    ),
    "dial: unknown errno 99 error": (
        "an address of --k6-local-ips is not one of this machine, or has no port left"
    ),
    "dial: unknown errno 2 error": "the socket of --k6-hosts=NAME=unix:PATH does not exist",
}


class RequestKind(NamedTuple):
    """What failed requests have in common.

    Attributes:
        code: k6's error code; the status where there is none.
        group: The scenario, the method, and the name without ids and query values.
    """

    code: str
    group: tuple[str, str, str]


@dataclass(slots=True, kw_only=True)
class SeenRequests:
    """What is kept of failed requests beside their number.

    Attributes:
        first_at: Test-run time of the first, in seconds.
        last_at: Test-run time of the last.
        exchange: One of them, with its response.
        worker: The worker of which that is; empty without workers.
        is_accepted: Whether a check passed on such a response.
    """

    first_at: float
    last_at: float
    exchange: str
    worker: str = ""
    is_accepted: bool = False


@dataclass(slots=True, kw_only=True)
class _Sum:
    tags: Mapping[str, str]
    count: int = 0
    names: set[str] = field(default_factory=set)


class FailedRequests:
    """The failed requests of one load test; used in its thread.

    Args:
        tags: The load test's tag sets.
        secrets: Masks exchanges and URLs.
    """

    def __init__(self, tags: TagTable, secrets: Secrets = SECRETS) -> None:
        self._tags = tags
        self._secrets = secrets
        self._kinds: dict[int, RequestKind] = {}  # by tag set
        self._seen: dict[RequestKind, SeenRequests] = {}
        self._rest: SeenRequests | None = None  # all kinds beyond

    def note(self, batch: Batch, elapsed: float) -> None:
        """Keep times and exchanges of the failed requests in `batch`; `elapsed` is the time of the run."""
        for tags_id, describe in batch.exchanges.items():
            kind = self._kind_of(tags_id, self._tags[tags_id])
            seen = self._find(kind)
            if seen is not None:
                seen.last_at = elapsed
                continue
            exchange = self._secrets.mask_text(describe())
            self._open(kind, SeenRequests(first_at=elapsed, last_at=elapsed, exchange=exchange))
        for tags_id in batch.accepted:
            seen = self._seen.get(self._kind_of(tags_id, self._tags[tags_id]))
            if seen is not None:
                seen.is_accepted = True

    def take_in(self, kind: RequestKind | None, told: SeenRequests) -> None:
        """Keep what another process saw of `kind`, or of all kinds beyond those it lists."""
        seen = self._find(kind)
        if seen is None:
            self._open(kind, replace(told))
            return
        seen.first_at = min(seen.first_at, told.first_at)
        seen.last_at = max(seen.last_at, told.last_at)
        seen.is_accepted = seen.is_accepted or told.is_accepted

    def seen(self) -> list[tuple[RequestKind | None, SeenRequests]]:
        """Return what was seen of each kind, as copies; the last, without kind, of the rest."""
        seen: list[tuple[RequestKind | None, SeenRequests]] = [*self._seen.items()]
        if self._rest is not None:
            seen.append((None, self._rest))
        return [(kind, replace(each)) for kind, each in seen]

    def failures(self, all_series: Iterable[FailureSeries]) -> tuple[Failure, ...]:
        """Return the failures in `all_series` of the protocols' rates, most frequent first.

        Kinds beyond `MOST_KINDS` come last, as one failure of each rate.
        """
        by_metric: dict[str, list[FailureSeries]] = {}
        for series in all_series:
            by_metric.setdefault(series.metric, []).append(series)
        found = [
            failure
            for metric, some in by_metric.items()
            for failure in self._failures_of(_FAILURE_KINDS[metric], some)
        ]
        return tuple(sorted(found, key=lambda failure: (failure.is_rest, -failure.count)))

    def _failures_of(
        self, failure_kind: FailureKind, all_series: Iterable[FailureSeries]
    ) -> list[Failure]:
        sums: dict[RequestKind, _Sum] = {}
        asked: dict[tuple[str, str, str], int] = {}
        for series in all_series:
            kind = self._kind_of(series.tags_id, series.tags)
            asked[kind.group] = asked.get(kind.group, 0) + series.samples
            if series.failed:
                one = sums.get(kind)
                if one is None:
                    one = sums[kind] = _Sum(tags=series.tags)
                one.count += series.failed
                one.names.add(series.tags.get("name", ""))
        ordered = sorted(sums.items(), key=lambda item: -item[1].count)
        listed = [
            _failure(
                self._message(one),
                one.count,
                self._seen[kind],
                failure_kind,
                scenario=kind.group[0],
                share=one.count / asked[kind.group],
                hint=_hint(kind.code, one.tags, is_accepted=self._seen[kind].is_accepted),
            )
            for kind, one in ordered
            if kind in self._seen
        ]
        rest = [one for kind, one in ordered if kind not in self._seen]
        if rest and self._rest is not None:
            kinds = f"{len(rest):,} more kind{'s' if len(rest) > 1 else ''}"
            message = f"{kinds}, such as {self._message(rest[0])}"
            count = sum(one.count for one in rest)
            listed.append(_failure(message, count, self._rest, failure_kind, is_rest=True))
        return listed

    def _find(self, kind: RequestKind | None) -> SeenRequests | None:
        """Return what is kept of `kind`: its own, or that of the rest where it has no place."""
        if kind is None or (kind not in self._seen and len(self._seen) >= MOST_KINDS):
            return self._rest
        return self._seen.get(kind)

    def _open(self, kind: RequestKind | None, seen: SeenRequests) -> None:
        if kind is None or len(self._seen) >= MOST_KINDS:
            self._rest = seen
        else:
            self._seen[kind] = seen

    def _message(self, one: _Sum) -> str:
        tags = one.tags
        code, status = tags.get("error_code", ""), tags.get("status", "")
        error = tags.get("error", "")
        for operation in _OPERATIONS:
            error = error.removeprefix(operation)
        what = f"{error} ({code or status})" if error else status
        name = self._secrets.mask_url(tags.get("name", ""))
        if len(one.names) > 1:
            name = group_url(name)
        return " ".join(filter(None, (what, tags.get("method", ""), name)))

    def _kind_of(self, tags_id: int, tags: Mapping[str, str]) -> RequestKind:
        kind = self._kinds.get(tags_id)
        if kind is None:
            group = (
                tags.get("scenario", ""),
                tags.get("method", ""),
                group_url(tags.get("name", "")),
            )
            code = tags.get("error_code") or tags.get("status", "")
            kind = self._kinds[tags_id] = RequestKind(code, group)
        return kind


def name_kinds(failures: Iterable[Failure]) -> str:
    """Return kinds of failed requests in one line: ``48x 503 GET flaky; 20x 404 GET /x``."""
    counts: dict[str, int] = {}
    hints: dict[str, str] = {}
    for failure in failures:
        counts[failure.message] = counts.get(failure.message, 0) + failure.count
        if failure.hint:
            hints[failure.message] = f" ({failure.hint})"
    ordered = sorted(counts, key=lambda message: -counts[message])
    parts = [f"{counts[each]:,}x {each}{hints.get(each, '')}" for each in ordered[:_NAMED]]
    if len(ordered) > _NAMED:
        count = sum(counts[each] for each in ordered[_NAMED:])
        kinds = len(ordered) - _NAMED
        parts.append(f"{count:,}x {kinds} more kind{'s' if kinds > 1 else ''}")
    return "; ".join(parts)


def _hint(code: str, tags: Mapping[str, str], *, is_accepted: bool) -> str:
    """Return advice for what this side may have got wrong; empty if there is none.

    That is a check which accepts a response that counts as failed, or how the server is spoken to.
    """
    if not is_accepted:
        error = tags.get("error", "")
        return next((told for begin, told in _ADVICE.items() if error.startswith(begin)), "")
    if not code.isdigit() or not _FIRST_CLIENT_ERROR <= int(code) < _FIRST_SERVER_ERROR:
        return ""
    status = int(code) - 1000
    return f"a check accepts it; if {status} is right there, give the request expected_statuses={status}"


def _failure(
    message: str,
    count: int,
    seen: SeenRequests,
    kind: FailureKind,
    *,
    scenario: str = "",
    share: float | None = None,
    hint: str = "",
    is_rest: bool = False,
) -> Failure:
    return Failure(
        kind=kind,
        scenario=scenario,
        message=message,
        location="",
        count=count,
        share=share,
        first_at=seen.first_at,
        last_at=seen.last_at,
        first_traceback=None,
        examples=(
            Example(
                vu=0, iteration=0, at=seen.first_at, exchange=seen.exchange, worker=seen.worker
            ),
        ),
        hint=hint,
        is_rest=is_rest,
    )
