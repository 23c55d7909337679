"""Flip bits of stored files and count the changes that reading does not notice.

    python perf/bit_flips.py --flips 20000

Each kind of file is written as the stages write it. A flip is either refused, or leaves rows and
manifest as they were (a byte that nothing reads), or is silent: rows or manifest differ. The last
must not happen.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from passk.core import integrity
from passk.core.artifacts import manifest_path, read_manifest
from passk.core.errors import DataError
from passk.core.schemas import Count as CountRow
from passk.core.schemas import Problem, Sample, Score, Verdict, read_rows, write_rows

ROWS = 64


def kinds() -> dict[str, Sequence[Any]]:
    """Return rows of every kind of file."""
    index = range(ROWS)
    return {
        "samples": [
            Sample(
                f"p{i % 8}", i, i * 7, f"The answer is {i}.", [i, 5, 9], 3, "stop", -0.5 * i, 0.25
            )
            for i in index
        ],
        "verdicts": [
            Verdict(f"p{i % 8}", i, "correct" if i % 3 else "wrong", str(i), str(i), 0.01, "")
            for i in index
        ],
        "scores": [Score(f"p{i % 8}", i, 3, -0.5 * i, 1.5 + i, f"r{i}") for i in index],
        "counts": [CountRow(f"p{i}", "", 64, i, 0, 0, 0, 1, 0, 200, 0, 0) for i in index],
        "problems": [Problem(f"p{i}", f"{i} + 1 =", str(i), [], "{}", "q", "g") for i in index],
    }


def try_flips(folder: Path, name: str, rows: Sequence[Any], flips: int, seed: int) -> Counter[str]:
    """Return how many flips were refused, harmless and silent, of a kind of file."""
    path = folder / f"store/cells/a-1/{name}/000000-000064.parquet"
    manifest = {"stage": name, "responses": ROWS, "fingerprint_inputs": {"top_p": 0.95}}
    write_rows(path, rows, manifest)
    said = read_manifest(path)
    whole = {file: file.read_bytes() for file in (path, manifest_path(path))}
    found: Counter[str] = Counter()
    draw = random.Random(seed)
    for _ in range(flips):
        file = draw.choices(list(whole), [len(content) for content in whole.values()])[0]
        content = bytearray(whole[file])
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        file.write_bytes(content)
        integrity.forget()
        try:
            same = read_rows(path, type(rows[0])) == list(rows) and _same(read_manifest(path), said)
            found["harmless" if same else "SILENT"] += 1
        except DataError:
            found["refused"] += 1
        for original, kept in whole.items():
            original.write_bytes(kept)
    return found


def _same(found: dict[str, Any] | None, said: dict[str, Any] | None) -> bool:
    """Return whether two manifests say the same of the rows."""
    return found is not None and said is not None and {**said, **found} == {**found, **said} == said


def main() -> None:
    """Try flips on every kind of file and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=20_000, help="per kind of file")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    integrity.PATIENCE = 0.0
    silent = 0
    for name, rows in kinds().items():
        folder = Path(tempfile.mkdtemp())
        found = try_flips(folder, name, rows, options.flips, options.seed)
        shutil.rmtree(folder)
        silent += found["SILENT"]
        print(f"{name:9} {dict(found)}", flush=True)
    if silent:
        raise SystemExit(f"{silent} silent changes")


if __name__ == "__main__":
    main()
