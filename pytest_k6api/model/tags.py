"""Tag sets as small integers, and where in a scenario a virtual user stands.

Every sample carries tags, and most samples carry tags that were seen before.
So a tag set is interned once in a `TagTable` and is a small integer from then
on; a `TagContext` remembers the integers that requests and checks of one place
(one scenario, one group) lead to, so that the hot path is a dictionary lookup.

Pure: no clock, no I/O. One table belongs to one load test; every thread may intern.
"""

from collections.abc import Iterator, Mapping
from threading import Lock
from types import MappingProxyType

from pytest_k6api.model.groups import check_path, group_path
from pytest_k6api.model.text import storable

_LONGEST_PATH = 100_000  # the names in it were cut before


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
        """Return the number of `tags`, the same one whenever the same tags come.

        Kept are names and values that every file and document can carry.
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
    """The tags that a sample gets where a virtual user stands.

    Contexts of the same place are one object for all VUs of a scenario, and so
    are their caches: a context is made once, used a million times.

    Attributes:
        table: Where this load test's tag sets are interned.
        tags: The tags of this place, `group` among them (``""`` at the root).
        id: The number of `tags`.
        group: The path of the group, such as ``::outer::inner``; ``""`` at the root.
        groups: The contexts of the groups that were entered from here, by name.
        checks: The numbers of the tags of the checks that were made here, by name.
        requests: For HTTP clients and measured blocks: what they derive from this
            place, keyed as they like. Never shared with another place.
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
        """Return this place with the tags of `extra` over its own."""
        if not extra:
            return self
        key = frozenset(extra.items())
        child = self._tagged.get(key)
        if child is None:
            child = self._tagged[key] = TagContext(self.table, {**self.tags, **extra})
        return child

    def id_with(self, extra: Mapping[str, str]) -> int:
        """Return the number of this place's tags with `extra` over them."""
        return self.table.intern({**self.tags, **extra})

    def check_id(self, name: str) -> int:
        """Return the number of the tags of the check `name` made here.

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
