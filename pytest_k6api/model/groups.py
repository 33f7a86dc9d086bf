"""Groups and checks: their paths and the ids that k6 gives them.

Source: k6 v1.1.0, ``lib/models.go``, ``NewGroup`` and ``NewCheck``.
"""

from hashlib import md5

from pytest_k6api.model.errors import GroupError

SEPARATOR = "::"


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
    if SEPARATOR in name:
        raise GroupError(f"a group or check name may not contain '::', got {name!r}")
    return f"{group}{SEPARATOR}{name}"


def path_id(path: str) -> str:
    """Return k6's id of a group or check: the MD5 of its path, in lower-case hex.

    >>> path_id("::visit homepage")
    'b0470a9324a4ae563b04e9ac49fbc9cf'
    """
    # Half of a surrogate pair, which has no UTF-8, may come from a response.
    return md5(path.encode(errors="replace"), usedforsecurity=False).hexdigest()
