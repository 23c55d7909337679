"""Refuse files that would count one response twice, which would inflate n."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from passk.core.errors import DataError

LONG_TEXT = 48
"""Mean characters from which on equal texts are no coincidence, unless decoding is greedy."""

MANY_PROBLEMS = 30
"""Problems from which on short texts are no coincidence either, if all of them are equal."""

MAJORITY = 0.5
"""Share of problems whose long responses may also be in another file."""

FIX = (
    "name each run once; if these really are separate responses (greedy decoding, say), "
    "--allow-duplicates"
)


def check_file_digests(digests: Mapping[Path, str]) -> None:
    """Raise if two files have the same content.

    Args:
        digests: file -> SHA-256 of its content.

    Raises:
        DataError: naming both.
    """
    first: dict[str, Path] = {}
    for file, digest in digests.items():
        if not digest or file.suffix == ".py":  # a pipe, or one program: two may be equal
            continue
        if digest in first:
            raise DataError(
                f"has the same content as {first[digest]}: its responses would count twice",
                where=str(file),
                fix="name each run once",
            )
        first[digest] = file


@dataclass
class DuplicateCheck:
    """Compares the texts of each problem within a file and across files.

    Memory: 8 bytes per response, a hash whose last bit tells whether the text is long.
    """

    _texts: dict[Path, dict[str, array[int]]] = field(default_factory=dict)
    _characters: int = 0
    _responses: int = 0

    def add(self, file: Path, problem_id: str, text: str) -> None:
        """Record one response."""
        self._characters += len(text)
        self._responses += 1
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        problems = self._texts.setdefault(file, {})
        number = int.from_bytes(key, "big") & ~1 | (len(text) >= LONG_TEXT)
        problems.setdefault(problem_id, array("Q")).append(number)

    @property
    def repeated(self) -> int:
        """Long responses whose text occurs before for the same problem, in any file."""
        seen: dict[str, set[int]] = {}
        count = 0
        for problems in self._texts.values():
            for name, keys in problems.items():
                long = [key for key in keys if key & 1]
                count += len(long)
                seen.setdefault(name, set()).update(long)
        return count - sum(map(len, seen.values()))

    def finish(self) -> None:
        """Raise if a file has every response twice, or if files share most of their responses.

        Raises:
            DataError: naming the files.
        """
        earlier: dict[str, set[int]] = {}
        names: list[str] = []
        for file, problems in self._texts.items():
            long = self._characters >= LONG_TEXT * self._responses
            if not long and len(problems) < MANY_PROBLEMS:
                continue
            if all(_is_doubled(keys) for keys in problems.values()):
                raise DataError("has every response twice", where=str(file), fix=FIX)
            shared = sum(set(keys) <= earlier.get(name, set()) for name, keys in problems.items())
            if shared > MAJORITY * len(problems) if long else shared == len(problems):
                raise DataError(
                    f"for {shared} of {len(problems)} problems all responses are also in "
                    f"{', '.join(names)}: they would count twice",
                    where=str(file),
                    fix=FIX,
                )
            for name, keys in problems.items():
                earlier.setdefault(name, set()).update(keys)
            names.append(str(file))


def _is_doubled(keys: Sequence[int]) -> bool:
    """Return whether each text follows itself, or the second half repeats the first."""
    half, odd = divmod(len(keys), 2)
    if odd or not half:
        return False
    return keys[::2] == keys[1::2] or keys[:half] == keys[half:]
