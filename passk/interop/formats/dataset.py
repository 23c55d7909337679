"""A dataset folder of the Hugging Face hub: Parquet below `data/`, with a card that describes it.

`datasets.load_dataset(FOLDER)` reads it. All columns of responses and verdicts are there as they
are, with question and gold answer beside them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.core.artifacts import atomic
from passk.core.errors import DataError
from passk.core.schemas import Sample, Verdict, schema
from passk.interop.base import Group, Key, Options, Response
from passk.interop.files import parquet_rows
from passk.interop.roundtrip_fields import SAMPLE_FIELDS, VERDICT_FIELDS

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 4096
"""Responses that are written at once."""


class Dataset:
    """Reads and writes the Parquet files of a dataset folder."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:  # noqa: ARG002
        """Yield the response of each row."""
        for path in files:
            for row, where in parquet_rows(path):
                yield _response(row, where)

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path, shape = folder / "train.parquet", _schema()
        with (
            atomic(path) as temporary,
            pq.ParquetWriter(temporary, shape, compression="zstd") as writer,
        ):
            kept: list[dict[str, Any]] = []
            for group in groups:
                kept.extend(_rows(group))
                if len(kept) >= ROWS:
                    writer.write_table(pa.Table.from_pylist(kept, schema=shape))
                    kept = []
            writer.write_table(pa.Table.from_pylist(kept, schema=shape))
        return [path]


def _schema() -> pa.Schema:
    """Return the columns: of the problem, the response, and (empty where ungraded) the verdict."""
    import pyarrow as pa

    sample, verdict = schema(Sample), schema(Verdict)
    return pa.schema(
        [
            *[pa.field(name, pa.string()) for name in ("problem_id", "question", "gold")],
            *[sample.field(name) for name in SAMPLE_FIELDS],
            *[verdict.field(name).with_nullable(True) for name in VERDICT_FIELDS],  # noqa: FBT003
        ]
    )


def _rows(group: Group) -> Iterator[dict[str, Any]]:
    """Yield the rows of one problem."""
    problem = {name: getattr(group.problem, name) for name in ("question", "gold")}
    for sample, verdict in group.rows:
        graded = dataclasses.asdict(verdict) if verdict else {}
        yield {**problem, **graded, **dataclasses.asdict(sample)}


def _response(row: Mapping[str, Any], where: str) -> Response:
    """Return a row as a response."""
    missing = [name for name in ("problem_id", "text", "verdict") if name not in row]
    if missing:
        raise DataError(
            f"missing column {', '.join(map(repr, missing))}",
            where=where,
            fix="for tables of your own: `passk import table --map text=COLUMN ...`",
        )
    own = {name: row[name] for name in SAMPLE_FIELDS if name in row}
    if row["verdict"] is not None:
        own["graded"] = {name: row.get(name) for name in VERDICT_FIELDS}
    return Response(where, Key(id=row["problem_id"]), row["text"], own=own)


def card(name: str, configs: Mapping[str, str], facts: Mapping[str, Any]) -> str:
    """Return README.md: a YAML head that the hub and `datasets` read, and where all came from.

    Args:
        name: of the dataset.
        configs: name of each part -> its files.
        facts: `licence`, and `cells`: what made each part, as plain JSON.
    """
    import yaml

    head = {
        "pretty_name": name,
        "license": "other",
        "license_name": "as-stated-below",
        "tags": ["pass@k", "passk"],
        "configs": [
            {"config_name": config, "data_files": [{"split": "train", "path": files}]}
            for config, files in configs.items()
        ],
    }
    made = json.dumps(facts["cells"], indent=1, ensure_ascii=False)
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n# {name}\n\n"
        "Responses of language models with the verdicts of passk, a row per response. Columns: "
        "the problem (`problem_id`, `question`, `gold`), the response (`sample`, `seed`, `text`, "
        "`token_ids`, `finish_reason`, ...; log-probabilities in nats), and its verdict "
        "(`verdict`, `answer`, `detail`, ...).\n\n"
        f"## Licence\n\n{facts['licence']}\n\n"
        f"## Provenance\n\n```json\n{made}\n```\n"
    )
