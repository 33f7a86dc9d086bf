"""The tree of groups and checks, grown from the tags of two metrics.

A group is there once `group_duration` or `checks` had a sample whose `group`
tag names it or something inside it; a check once `checks` had a sample with
its `check` tag. Siblings keep the order in which they were added.

Source: k6 v1.1.0, ``lib/test_state.go``, ``GroupSummary``.
"""

from collections.abc import Iterable, Mapping

from pytest_k6api.metrics.sinks.simple import RateSink, Sink
from pytest_k6api.metrics.snapshot import CheckSnapshot, GroupSnapshot
from pytest_k6api.model import TagTable, group_path, path_id

_SEPARATOR = "::"


def grow(tags: TagTable, checks: Mapping[int, Sink], durations: Iterable[int]) -> GroupSnapshot:
    """Return the tree of the series of ``checks``, and of the tag sets of ``group_duration``."""
    root = GroupTree()
    # Tag sets are numbered as VUs come by: outer groups before inner ones, in
    # the order of the code, while samples of inner groups are the first to arrive.
    for tags_id in sorted({*checks, *durations}):
        group = root.group(tags[tags_id].get("group", ""))
        sink, check = checks.get(tags_id), tags[tags_id].get("check")
        if check is not None and isinstance(sink, RateSink):
            group.add_check(check, sink.passes, sink.count - sink.passes)
    return root.snapshot()


class GroupTree:
    """A group being counted, with the groups and checks inside.

    Attributes:
        path: Its path; ``""`` for the root.
        name: Its own name; ``""`` for the root.
        checks: Passes and fails by the check's name.
        groups: The groups inside, by name.
    """

    __slots__ = ("checks", "groups", "name", "path")

    def __init__(self, path: str = "", name: str = "") -> None:
        self.path = path
        self.name = name
        self.checks: dict[str, tuple[int, int]] = {}
        self.groups: dict[str, GroupTree] = {}

    def group(self, path: str) -> "GroupTree":
        """Return the group at `path` below this root, made now with all above it."""
        group = self
        for name in path.split(_SEPARATOR)[1:]:
            inside = group.groups.get(name)
            if inside is None:
                inside = group.groups[name] = GroupTree(group_path(group.path, name), name)
            group = inside
        return group

    def add_check(self, name: str, passes: int, fails: int) -> None:
        """Add to what is counted for the check `name` of this group."""
        passed, failed = self.checks.get(name, (0, 0))
        self.checks[name] = (passed + passes, failed + fails)

    def snapshot(self) -> GroupSnapshot:
        """Return this group and all below it as values."""
        return GroupSnapshot(
            id=path_id(self.path),
            path=self.path,
            name=self.name,
            checks=tuple(
                self._check(name, passes, fails) for name, (passes, fails) in self.checks.items()
            ),
            groups=tuple(group.snapshot() for group in self.groups.values()),
        )

    def _check(self, name: str, passes: int, fails: int) -> CheckSnapshot:
        # Not `check_path`: that refuses names with '::', which a tag set by hand may have.
        path = f"{self.path}{_SEPARATOR}{name}"
        return CheckSnapshot(id=path_id(path), path=path, name=name, passes=passes, fails=fails)
