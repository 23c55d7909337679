"""Folders that `passk import` wrote: what is in one, by its manifest alone.

    DIR/manifest.json        source files with sha256, format, benchmark, counts
    DIR/samples.parquet    Sample rows; in their place, where there are only counts:
    DIR/counts.parquet     Count rows
    DIR/foreign.parquet    Verdict rows: what the source itself said of its responses, if it did
    DIR/questions.json     problem id -> digest of the question that was matched

The manifest is written last, so that a folder without one was not finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from passk.core.artifacts import read_json, read_manifest
from passk.core.errors import DataError

STAGE = "import"
"""What the manifest of imported rows calls its stage."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Results of one model on one benchmark that were made elsewhere.

    Attributes:
        folder: where they stand.
        kind: `responses`, or `counts` where there are no responses.
        format: what they were read from.
        benchmark: whose problems they answer.
        n: responses per problem -> how many problems have so many, in descending order.
        problems: problems of the benchmark.
        verdicts: responses with a verdict of the source's own.
        unknown_ends: responses of which the source does not say whether they were cut.
        repeated: responses whose text occurs before for the same problem.
    """

    folder: Path
    kind: str
    format: str
    benchmark: str
    n: Mapping[int, int]
    problems: int
    verdicts: int
    unknown_ends: int = 0
    repeated: int = 0

    @property
    def most(self) -> int:
        """The most responses that a problem has."""
        return max(self.n)

    @property
    def content(self) -> Path:
        """The file of Sample or of Count rows."""
        return self.folder / ("counts.parquet" if self.kind == "counts" else "samples.parquet")

    @property
    def foreign(self) -> Path | None:
        """The file of the source's own verdicts, where it gave any."""
        return self.folder / "foreign.parquet" if self.verdicts else None

    def fewer_than(self, n: int) -> int:
        """Return how many problems have responses, but fewer than n."""
        return sum(problems for count, problems in self.n.items() if count < n)

    @property
    def missing(self) -> int:
        """Problems of the benchmark without any response."""
        return self.problems - sum(self.n.values())


def read_imported(folder: Path) -> Imported:
    """Return what a folder holds.

    Raises:
        DataError: it is no folder that an import has finished.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        old = (folder / "recipe.json").is_file()
        raise DataError(
            "imported by an earlier passk, in a format that is no longer read"
            if old
            else "is not a folder of imported results",
            where=str(folder),
            fix="run the same `passk import` again"
            if old
            else "`passk import` writes one; it has no manifest.json until it is complete",
        )
    manifest = read_json(path)
    try:
        return Imported(
            folder=folder,
            kind=str(manifest["kind"]),
            format=str(manifest["format"]),
            benchmark=str(manifest["benchmark"]),
            n={int(n): int(problems) for n, problems in manifest["n"].items()},
            problems=int(manifest["problems"]),
            verdicts=int(manifest["verdicts"]),
            unknown_ends=int(manifest.get("finish_reasons", {}).get("unknown", 0)),
            repeated=int(manifest.get("repeated_responses", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"not the manifest of an import: {error!r}", where=str(path), fix="import again"
        ) from error


def is_adopted(samples: Path) -> bool:
    """Tell whether a sample file of a cell came from an import: n may then differ by problem."""
    manifest: Mapping[str, object] = read_manifest(samples) or {}
    return manifest.get("stage") == STAGE
