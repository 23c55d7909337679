"""Folder names in the store: a readable name and a digest, of which the digest alone decides.

What was renamed in a spec, or has another name in another spec, keeps the folder that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

Namer = Callable[[str, str, str], str]
"""(folder below the store, readable name, digest) -> name of the folder."""


def new_name(_folder: str, readable: str, key: str) -> str:
    """Return the name of a folder that nothing has been written to."""
    return f"{readable}-{key}"


def stored_names(store: Path, own_names: Collection[str] = ()) -> Namer:
    """Return a function that finds the folder that a digest has already, or names a new one.

    Two parts of one spec that do the same under two names keep a folder each, whichever of the
    two is there first.

    Args:
        store: folder of the store.
        own_names: what the spec's parts are named if nothing is there: none takes another's.
    """
    used: set[tuple[str, str]] = set()

    @cache
    def names(folder: str) -> dict[str, list[str]]:
        """Return digest -> names of the folders that end in it."""
        found: dict[str, list[str]] = {}
        try:
            for path in sorted((store / folder).iterdir()):
                found.setdefault(path.name.rpartition("-")[2], []).append(path.name)
        except OSError:
            return {}
        return found

    @cache
    def name(folder: str, readable: str, key: str) -> str:
        own, there = new_name(folder, readable, key), names(folder).get(key, [])
        free = [
            other
            for other in there
            if (folder, other) not in used and (other == own or other not in own_names)
        ]
        chosen = own if own in free or not free else free[0]
        if (folder, chosen) in used:  # another part of the spec, named earlier, has this folder
            chosen = new_name(folder, f"{readable}.again", key)
        used.add((folder, chosen))
        return chosen

    return name
