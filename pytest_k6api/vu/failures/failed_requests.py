"""Failed requests of a load test, grouped by scenario, error or status, method and name.

Counts come from the series of ``http_req_failed``, so the two always agree. Beside
them, for a bounded number of kinds, are kept the times of the first and last failure
and one exchange. A request that succeeds costs nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_k6api.metrics import FailureSeries
from pytest_k6api.model import SECRETS, Batch, Secrets, TagTable
from pytest_k6api.vu.failures.failure_log import Example, Failure, FailureKind
from pytest_k6api.vu.failures.tracebacks import group_url

MOST_KINDS = 100
"""Number of kinds that are listed; the rest is summed up."""

_NAMED = 5
_FIRST_CLIENT_ERROR, _FIRST_SERVER_ERROR = 1400, 1500
# Prefixes of k6's texts; the code implies them.
_OPERATIONS = ("dial: ", "lookup: ")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Kind:
    code: str  # k6's error code; the status where there is none
    group: tuple[str, str, str]  # scenario, method, name without ids and query values


@dataclass(slots=True, kw_only=True)
class _Seen:
    first_at: float
    last_at: float
    exchange: str
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
        self._kinds: dict[int, _Kind] = {}  # by tag set
        self._by_key: dict[tuple[str, ...], _Kind] = {}
        self._seen: dict[_Kind, _Seen] = {}
        self._rest: _Seen | None = None  # all kinds beyond

    def note(self, batch: Batch, elapsed: float) -> None:
        """Keep times and exchanges of the failed requests in `batch`; `elapsed` is the time of the run."""
        for tags_id, describe in batch.exchanges.items():
            kind = self._kind_of(tags_id, self._tags[tags_id])
            is_listed = kind in self._seen or len(self._seen) < MOST_KINDS
            seen = self._seen.get(kind) if is_listed else self._rest
            if seen is not None:
                seen.last_at = elapsed
                continue
            exchange = self._secrets.mask_text(describe())
            seen = _Seen(first_at=elapsed, last_at=elapsed, exchange=exchange)
            if is_listed:
                self._seen[kind] = seen
            else:
                self._rest = seen
        for tags_id in batch.accepted:
            seen = self._seen.get(self._kind_of(tags_id, self._tags[tags_id]))
            if seen is not None:
                seen.is_accepted = True

    def failures(self, all_series: Iterable[FailureSeries]) -> tuple[Failure, ...]:
        """Return the failed requests in `all_series` of ``http_req_failed``, most frequent first.

        Kinds beyond `MOST_KINDS` come last, as one failure.
        """
        sums: dict[_Kind, _Sum] = {}
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
                scenario=kind.group[0],
                share=one.count / asked[kind.group],
                hint=_hint(kind.code) if self._seen[kind].is_accepted else "",
            )
            for kind, one in ordered
            if kind in self._seen
        ]
        rest = [one for kind, one in ordered if kind not in self._seen]
        if rest and self._rest is not None:
            kinds = f"{len(rest):,} more kind{'s' if len(rest) > 1 else ''}"
            message = f"{kinds}, such as {self._message(rest[0])}"
            count = sum(one.count for one in rest)
            listed.append(_failure(message, count, self._rest, is_rest=True))
        return tuple(listed)

    def _message(self, one: _Sum) -> str:
        tags = one.tags
        code, status = tags.get("error_code", ""), tags.get("status", "")
        error = tags.get("error", "")
        for operation in _OPERATIONS:
            error = error.removeprefix(operation)
        what = f"{error} ({code})" if error else status
        name = self._secrets.mask_url(tags.get("name", ""))
        if len(one.names) > 1:
            name = group_url(name)
        return f"{what} {tags.get('method', '')} {name}"

    def _kind_of(self, tags_id: int, tags: Mapping[str, str]) -> _Kind:
        kind = self._kinds.get(tags_id)
        if kind is None:
            group = (
                tags.get("scenario", ""),
                tags.get("method", ""),
                group_url(tags.get("name", "")),
            )
            code = tags.get("error_code") or tags.get("status", "")
            kind = self._by_key.setdefault((code, *group), _Kind(code=code, group=group))
            self._kinds[tags_id] = kind
        return kind


def name_kinds(failures: Iterable[Failure]) -> str:
    """Return the kinds of failed requests in one line: ``48x 503 GET flaky; 20x 404 GET /x``."""
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


def _hint(code: str) -> str:
    """Return advice for a check that accepts a response which counts as failed."""
    if not code.isdigit() or not _FIRST_CLIENT_ERROR <= int(code) < _FIRST_SERVER_ERROR:
        return ""
    status = int(code) - 1000
    return f"a check accepts it; if {status} is right there, give the request expected_statuses={status}"


def _failure(
    message: str,
    count: int,
    seen: _Seen,
    *,
    scenario: str = "",
    share: float | None = None,
    hint: str = "",
    is_rest: bool = False,
) -> Failure:
    return Failure(
        kind=FailureKind.REQUEST,
        scenario=scenario,
        message=message,
        location="",
        count=count,
        share=share,
        first_at=seen.first_at,
        last_at=seen.last_at,
        first_traceback=None,
        examples=(Example(vu=0, iteration=0, at=seen.first_at, exchange=seen.exchange),),
        hint=hint,
        is_rest=is_rest,
    )
