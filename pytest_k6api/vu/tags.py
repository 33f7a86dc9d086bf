"""The tags that a virtual user puts on its own samples."""

from collections.abc import Iterator, MutableMapping

from pytest_k6api.model import TagContext
from pytest_k6api.vu.groups import GroupStack

_TAKEN = {"group": "enter it with vu.group(name)", "check": "it is the name of each check"}


class VUTags(MutableMapping[str, str]):
    """The tags of one VU over those of its scenario; a change counts from the next sample on.

    They stay until they are changed or the VU ends. Values are turned into text.

    Source: k6 v1.1.0, ``internal/js/modules/k6/execution/execution.go``, ``tagsDynamicObject``.
    """

    __slots__ = ("_groups", "_scenario_place", "_tags")

    def __init__(self, groups: GroupStack) -> None:
        self._groups = groups
        self._scenario_place: TagContext = groups.root
        self._tags: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        return self._tags[key]

    def __setitem__(self, key: str, value: object) -> None:
        if key in _TAKEN:
            raise KeyError(f"vu.tags cannot hold the tag {key!r}: {_TAKEN[key]}")
        if not isinstance(key, str):
            raise TypeError(f"vu.tags takes names that are strings, got {key!r}")
        text = str(value)
        if self._tags.get(key) != text:
            self._tags[key] = text
            self._move()

    def __delitem__(self, key: str) -> None:
        del self._tags[key]
        self._move()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tags)

    def __len__(self) -> int:
        return len(self._tags)

    def __repr__(self) -> str:
        return f"VUTags({self._tags!r})"

    def _move(self) -> None:
        self._groups.move_to(self._scenario_place.with_tags(self._tags))
