"""Tag sets as small integers, tag contexts of virtual users, and paths of groups and checks.

Every sample carries tags, and most samples carry tags that were seen before.
So a tag set is interned once in a `TagTable` and is a small integer from then
on; a `TagContext` caches the integers of requests and checks in one scenario and
group, so that the hot path is a dictionary lookup.

Pure: no clock, no I/O. One table belongs to one load test; every thread may intern.

Source of paths and ids: k6 v1.1.0, ``lib/models.go``, ``NewGroup`` and ``NewCheck``.
"""

from collections.abc import Iterator, Mapping
from hashlib import md5
from threading import Lock
from types import MappingProxyType

from pytest_k6api.model.errors import GroupError
from pytest_k6api.model.text import storable

_LONGEST_PATH = 100_000  # the names in it were cut before
_SEPARATOR = "::"


def group_path(parent: str, name: str) -> str:
    """Return the path of the group `name` inside the group `parent`.

    The root's path is ``""``, and a group without a name at the root is the root.

    Raises:
        GroupError: `name` contains ``::``.
    """
    return check_path(parent, name) if name or parent else ""


def check_path(group: str, name: str) -> str:
    """Return the path of the check `name` made in the group `group`.

    Raises:
        GroupError: `name` contains ``::``.
    """
    if _SEPARATOR in name:
        raise GroupError(f"a group or check name may not contain '::', got {name!r}")
    return f"{group}{_SEPARATOR}{name}"


def path_id(path: str) -> str:
    """Return k6's id of a group or check: the MD5 of its path, in lower-case hex.

    >>> path_id("::visit homepage")
    'b0470a9324a4ae563b04e9ac49fbc9cf'
    """
    # A response may contain half of a surrogate pair, which UTF-8 cannot encode.
    return md5(path.encode(errors="replace"), usedforsecurity=False).hexdigest()


class TagTable:
    """All tag sets of one load test, each with its number.

    >>> table = TagTable()
    >>> table.intern({"scenario": "test_buy"}), table.intern({"scenario": "test_buy"})
    (0, 0)
    >>> table[0]
    mappingproxy({'scenario': 'test_buy'})
    """

    __slots__ = ("_ids", "_lock", "_tags")

    def __init__(self) -> None:
        self._ids: dict[frozenset[tuple[str, str]], int] = {}
        self._tags: list[Mapping[str, str]] = []
        self._lock = Lock()

    def intern(self, tags: Mapping[str, str]) -> int:
        """Return the number of `tags`; equal tags have the same number.

        Names and values are kept in a form that every file and document can hold.
        """
        key = frozenset(tags.items())
        number = self._ids.get(key)
        return number if number is not None else self._add(key, tags)

    def _add(self, key: frozenset[tuple[str, str]], tags: Mapping[str, str]) -> int:
        kept = {storable(name): _kept(name, value) for name, value in tags.items()}
        if kept != tags:
            self._ids[key] = same = self.intern(kept)
            return same
        # Synchronous scenarios intern from their threads: without the lock two
        # sets could get one number.
        with self._lock:
            number = self._ids.get(key)
            if number is None:
                number = len(self._tags)
                self._tags.append(MappingProxyType(dict(tags)))
                self._ids[key] = number
        return number

    def __getitem__(self, number: int) -> Mapping[str, str]:
        return self._tags[number]

    def __len__(self) -> int:
        return len(self._tags)

    def __iter__(self) -> Iterator[Mapping[str, str]]:
        return iter(self._tags)


def _kept(name: str, value: str) -> str:
    return storable(value, _LONGEST_PATH) if name == "group" else storable(value)


class TagContext:
    """The tags that samples get in one scenario and group.

    All VUs of a scenario share one context for each group, and so its caches: a
    context is made once, used a million times.

    Attributes:
        table: The tag sets of the load test.
        tags: The tags of this context, `group` among them (``""`` at the root).
        id: The number of `tags`.
        group: The path of the group, such as ``::outer::inner``; ``""`` at the root.
        groups: The contexts of groups inside this one, by name.
        checks: The numbers of the tags of checks in this context, by name.
        requests: Numbers that HTTP clients and measured blocks derive from this context,
            by keys of their own.
    """

    __slots__ = ("_tagged", "checks", "group", "groups", "id", "requests", "table", "tags")

    def __init__(self, table: TagTable, tags: Mapping[str, str]) -> None:
        self.table = table
        self.id = table.intern({"group": "", **tags})
        self.tags = table[self.id]
        self.group = self.tags["group"]
        self.requests: dict[object, int] = {}
        self.groups: dict[str, TagContext] = {}
        self._tagged: dict[frozenset[tuple[str, str]], TagContext] = {}
        self.checks: dict[str, int] = {}

    def enter_group(self, name: str) -> "TagContext":
        """Return the context of the group `name` inside this one.

        Raises:
            GroupError: `name` contains ``::``.
        """
        child = self.groups.get(name)
        if child is None:
            path = group_path(self.group, storable(name))
            child = self.groups[name] = TagContext(self.table, {**self.tags, "group": path})
        return child

    def with_tags(self, extra: Mapping[str, str]) -> "TagContext":
        """Return this context with the tags of `extra` over its own."""
        if not extra:
            return self
        key = frozenset(extra.items())
        child = self._tagged.get(key)
        if child is None:
            child = self._tagged[key] = TagContext(self.table, {**self.tags, **extra})
        return child

    def id_with(self, extra: Mapping[str, str]) -> int:
        """Return the number of this context's tags with `extra` over them."""
        return self.table.intern({**self.tags, **extra})

    def check_id(self, name: str) -> int:
        """Return the number of the tags of the check `name` in this context.

        Raises:
            GroupError: `name` contains ``::``.
        """
        number = self.checks.get(name)
        if number is None:
            check_path(self.group, name)  # refuses what k6 refuses
            number = self.checks[name] = self.id_with({"check": name})
        return number

    def __repr__(self) -> str:
        return f"<TagContext {dict(self.tags)!r}>"
