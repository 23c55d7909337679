"""A dataset folder for the Hugging Face hub: Parquet files below `data/` and a dataset card.

`datasets.load_dataset(FOLDER)` reads it. It has all columns of responses and verdicts, with
question and gold answer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from passk.core.artifacts import atomic
from passk.core.errors import DataError
from passk.core.row_files import Row, parquet_rows
from passk.core.schemas import Sample, Verdict, schema
from passk.interop.base import Group, ProblemKey, ReadOptions, Response
from passk.interop.roundtrip_fields import SAMPLE_FIELDS, VERDICT_FIELDS

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 4096
"""Responses per batch."""


class Dataset:
    """Reads and writes the Parquet files of a dataset folder."""

    endings: ClassVar = (".parquet",)
    code: ClassVar = False

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:  # noqa: ARG002
        """Yield the response of each row."""
        for path in files:
            yield from map(_response, parquet_rows(path))

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path, shape = folder / "train.parquet", _schema()
        with (
            atomic(path) as temporary,
            pq.ParquetWriter(temporary, shape, compression="zstd") as writer,
        ):
            batch: list[dict[str, Any]] = []
            for group in groups:
                batch.extend(_rows(group))
                if len(batch) >= ROWS:
                    writer.write_table(pa.Table.from_pylist(batch, schema=shape))
                    batch = []
            writer.write_table(pa.Table.from_pylist(batch, schema=shape))
        return [path]


def _schema() -> pa.Schema:
    """Return the columns: problem, response, and verdict (empty if ungraded)."""
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


def _response(row: Row) -> Response:
    """Return a row as a response."""
    values = row.values
    missing = [name for name in ("problem_id", "text", "verdict") if name not in values]
    if missing:
        raise DataError(
            f"missing column {', '.join(map(repr, missing))}",
            where=row.location,
            fix="for your own tables: `passk import table --map text=COLUMN ...`",
        )
    stored = {name: values[name] for name in SAMPLE_FIELDS if name in values}
    if values["verdict"] is not None:
        stored["graded"] = {name: values.get(name) for name in VERDICT_FIELDS}
    key = ProblemKey(id=values["problem_id"], question=values.get("question"))
    return Response(row, key, values["text"], roundtrip=stored)


def card(name: str, configs: Mapping[str, str], facts: Mapping[str, Any]) -> str:
    """Return README.md: a YAML head that the hub and `datasets` read, licence and provenance.

    Args:
        name: of the dataset.
        configs: name of each part -> its files.
        facts: `licence`, and `cells`: the provenance of each part, as plain JSON.
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
    provenance = json.dumps(facts["cells"], indent=1, ensure_ascii=False)
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n# {name}\n\n"
        "Responses of language models with passk's verdicts, one row per response. Columns: "
        "the problem (`problem_id`, `question`, `gold`), the response (`sample`, `seed`, `text`, "
        "`token_ids`, `finish_reason`, ...; log-probabilities in nats), and its verdict "
        "(`verdict`, `answer`, `detail`, ...).\n\n"
        f"## Licence\n\n{facts['licence']}\n\n"
        f"## Provenance\n\n```json\n{provenance}\n```\n"
    )
