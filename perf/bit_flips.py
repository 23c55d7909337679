"""Damage stored files and count the changes that reading does not notice.

    python perf/bit_flips.py --flips 20000

Each kind of file is written as the stages write it, and read as they read it. Damage is a flipped
bit, a cut at any byte, the file of another cell in its place (with and without its manifest), or
the manifest of another file. It is refused, or leaves what is read as it was (a byte that nothing
reads), or is silent: what is read differs. The last must not happen.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.core import integrity
from passk.core.artifacts import (
    manifest_path,
    read_json,
    read_manifest,
    write_json,
    write_output_manifest,
)
from passk.core.errors import DataError
from passk.core.journal import Journal, journal_path
from passk.core.schemas import Count as CountRow
from passk.core.schemas import Problem, Sample, Score, Verdict, read_rows, write_rows
from passk.engines.loader import read_task

ROWS = 64


@dataclass(frozen=True)
class Kind:
    """A kind of file: how one is written, which files that makes, and what is read of it."""

    name: str
    write: Callable[[Path, int], list[Path]]
    read: Callable[[Path], Any]
    path: str = "store/cells/{cell}/{name}/000000-000064.parquet"

    def place(self, folder: Path, cell: str) -> Path:
        """Return where the file of a cell is."""
        return folder / self.path.format(cell=cell, name=self.name)


def kinds() -> Iterator[Kind]:
    """Yield every kind of file of an outputs folder that a number rests on."""

    def samples(shift: int) -> list[Sample]:
        return [
            Sample(f"p{i % 8}", i, i * 7, f"{i + shift}.", [i, 5, 9], 3, "stop", -0.5 * i, 0.25)
            for i in range(ROWS)
        ]

    rows: dict[str, Callable[[int], list[Any]]] = {
        "samples": samples,
        "verdicts": lambda shift: [
            Verdict(f"p{i % 8}", i, "correct" if i % 3 else "wrong", str(i + shift), "", 0.01, "")
            for i in range(ROWS)
        ],
        "scores": lambda shift: [
            Score(f"p{i % 8}", i, 3, -0.5 * i - shift, 1.5 + i, f"r{i}") for i in range(ROWS)
        ],
        "counts": lambda shift: [
            CountRow(f"p{i}", "", 64, i % 60 + shift, 0, 0, 0, 1, 0, 200, 0, 0, entropy=9.5)
            for i in range(ROWS)
        ],
        "problems": lambda shift: [
            Problem(f"p{i}", f"{i} + 1 =", str(i + shift), [], "{}", "q", "g") for i in range(ROWS)
        ],
    }
    for name, make in rows.items():
        yield _table(name, make)

    def journal(path: Path, shift: int) -> list[Path]:
        with Journal(path, path.parts[-3], Sample) as opened:
            for row in samples(shift):
                opened.append(row)
        return [journal_path(path)]

    yield Kind("journal", journal, _recovered)

    def task(path: Path, shift: int) -> list[Path]:
        inputs = {"top_p": 0.95, "temperature": 0.6, "seed": shift, "questions": "1a2b3c4d"}
        document = {"cell": path.parent.name, "fingerprint_inputs": inputs, "sampling": inputs}
        document |= {"engine": "fake", "model": {}, "prompt": {}}
        integrity.write_task_file(path, document)
        return [path]

    yield Kind("cell.json", task, _task, "store/cells/{cell}/cell.json")

    def study(path: Path, shift: int) -> list[Path]:
        cells = [{"id": f"{i}", "n": 64 + shift, "counts": f"store/{i}.parquet"} for i in range(8)]
        write_json(path, {"k": [1, 2, 4], "cells": cells})
        manifest = path.parent / "manifests" / f"plan-{shift:08}.json"
        write_output_manifest(manifest, [path])
        return [path, manifest]

    yield Kind("plan.json", study, _verified_study, "{cell}/plan.json")


def _table(name: str, make: Callable[[int], list[Any]]) -> Kind:
    """Return a kind of Parquet file with a manifest."""

    def write(path: Path, shift: int) -> list[Path]:
        inputs = {"top_p": 0.95, "seed": shift}
        write_rows(
            path, make(shift), {"stage": name, "responses": ROWS, "fingerprint_inputs": inputs}
        )
        return [path, manifest_path(path)]

    def read(path: Path) -> Any:
        rows = read_rows(path, type(make(0)[0]))
        said = read_manifest(path) or {}
        return rows, {key: said.get(key) for key in ("stage", "responses", "fingerprint_inputs")}

    return Kind(name, write, read)


def _recovered(path: Path) -> list[Sample]:
    """Return the rows that a journal gives back; a bad line ends it, and is drawn again."""
    with Journal(path, path.parts[-3], Sample) as opened:
        return list(opened.rows.values())


def _task(path: Path) -> Any:
    """Return what a job reads of a cell.json."""
    document = read_task(path)
    return document["cell"], document["fingerprint_inputs"], document["sampling"]


def _verified_study(path: Path) -> Any:
    """Return a plan.json as the analysis reads it."""
    integrity.verify_study_file(path, path.parent)
    return read_json(path)


Damage = Callable[[random.Random, dict[Path, bytes], dict[Path, bytes]], dict[Path, bytes]]
"""The files of one cell and of another -> what is then at the paths of the first."""


def flip(draw: random.Random, whole: dict[Path, bytes], _other: dict[Path, bytes]) -> Any:
    """Flip a bit, of any file."""
    path = draw.choices(list(whole), [len(content) for content in whole.values()])[0]
    content = bytearray(whole[path])
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return {path: bytes(content)}


def cut(draw: random.Random, whole: dict[Path, bytes], _other: dict[Path, bytes]) -> Any:
    """Cut a file at any byte."""
    path = draw.choices(list(whole), [len(content) for content in whole.values()])[0]
    return {path: whole[path][: draw.randrange(len(whole[path]))]}


def swap(draw: random.Random, whole: dict[Path, bytes], other: dict[Path, bytes]) -> Any:
    """Put files of another cell in place: the first, the manifest, or all of them."""
    pairs = list(zip(whole, other.values(), strict=True))
    chosen = draw.choice([pairs[:1], pairs[1:], pairs])
    return dict(chosen or pairs)


def try_damage(kind: Kind, damage: Damage, times: int, seed: int) -> Counter[str]:
    """Return how many damages of a kind of file were refused, harmless and silent."""
    folder = Path(tempfile.mkdtemp())
    path, elsewhere = kind.place(folder, "a-1a2b3c4d"), kind.place(folder, "b-5e6f7a8b")
    other = {file: file.read_bytes() for file in kind.write(elsewhere, 1)}
    whole = {file: file.read_bytes() for file in kind.write(path, 0)}
    said = kind.read(path)
    found: Counter[str] = Counter()
    draw = random.Random(seed)
    for _ in range(times):
        for file, content in damage(draw, whole, other).items():
            file.write_bytes(content)
        integrity.forget()
        try:
            read = kind.read(path)
            same = read == said
            shorter = kind.name == "journal" and read == said[: len(read)]
            found["harmless" if same else "refused" if shorter else "SILENT"] += 1
        except DataError:
            found["refused"] += 1
        for original, kept in whole.items():
            original.write_bytes(kept)
    shutil.rmtree(folder)
    return found


def main() -> None:
    """Damage every kind of file and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=20_000, help="per kind of file")
    parser.add_argument("--others", type=int, default=1_000, help="cuts and swaps per kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    integrity.PATIENCE = 0.0
    logging.disable(logging.WARNING)
    damages: dict[str, tuple[Damage, int]] = {
        "flipped bits": (flip, options.flips),
        "cuts": (cut, options.others),
        "swaps": (swap, options.others),
    }
    silent = 0
    for kind in kinds():
        for name, (damage, times) in damages.items():
            found = try_damage(kind, damage, times, options.seed)
            silent += found["SILENT"]
            print(f"{kind.name:9} {times:6} {name:12} {dict(found)}", flush=True)
    if silent:
        raise SystemExit(f"{silent} silent changes")


if __name__ == "__main__":
    main()
