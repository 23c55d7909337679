"""Damage of stored files is noticed: the quick version of perf/bit_flips.py."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from conftest import REPO

from passk.core import integrity
from passk.core.errors import DataError
from passk.core.schemas import Score, read_rows, write_rows

sys.path.insert(0, str(REPO / "perf"))
from bit_flips import Kind, cut, flip, kinds, swap, try_damage


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is replacing the files."""
    monkeypatch.setattr(integrity, "PATIENCE", 0.0)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.name)
def test_no_damage_changes_what_is_read(kind: Kind) -> None:
    seed = random.randrange(2**32)
    for damage in (flip, cut, swap):
        found = try_damage(kind, damage, 30, seed)
        assert found["SILENT"] == 0, (damage, seed)
        assert found["refused"] > 15, (damage, seed)


def test_a_file_that_changes_between_two_readings_is_verified_again(tmp_path: Path) -> None:
    path = tmp_path / "store/cells/a-1/scores/b-2/000000-000004.parquet"
    write_rows(path, [Score("p", index, 3, -0.5, 1.5) for index in range(4)])
    assert len(read_rows(path, Score)) == 4
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"set aside as 000000-000004\.parquet\.damaged"):
        read_rows(path, Score)
    assert not path.exists()
    assert path.with_name(f"{path.name}.damaged").read_bytes() == content
