"""Adoption: imported responses, or counts, become files of the store as if they had been made."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from passk.core.artifacts import read_json
from passk.core.errors import DataError
from passk.core.integrity import read_task_file
from passk.core.schemas import Count, Problem, Sample, read_table, schema, write_table
from passk.stages.imported import STAGE, read_imported

BATCH = 4096
"""Responses that are looked at at once."""


def adopt(cell: Path, problems: Path, output: Path, samples: range | None = None) -> None:
    """Write a shard of imported responses, or (without `samples`) imported counts.

    Args:
        cell: cell.json of an imported cell.
        problems: file of Problem rows: which problems are wanted, in which order.
        output: file of Sample or of Count rows to write.
        samples: indices of the wanted responses.

    Raises:
        DataError: the import cannot be read, a question is another than was matched, or there is
            no such response.
        OutputError: the output cannot be written.
    """
    began = time.perf_counter()
    document = read_task_file(cell)
    if "imported" not in document:
        raise DataError("not the cell.json of an imported cell", where=str(cell))
    imported = read_imported(Path(document["imported"]))
    questions = read_table(problems, Problem, ["id", "question_digest"])
    _require_same_questions(imported.folder, questions, problems)
    if samples is None:
        table = _filter_problems(read_table(imported.content, Count), questions["id"])
    else:
        table = _read_shard(imported.content, questions["id"], samples)
    table = _in_order(table, questions["id"])
    if table.num_rows == 0:
        what = f"responses {samples.start} to {samples.stop - 1}" if samples else "counts"
        raise DataError(
            f"has no {what} of these problems", where=str(imported.content), fix="lower n"
        )
    manifest = {
        "stage": STAGE,
        "cell": document["cell"],
        "fingerprint_inputs": document["fingerprint_inputs"],
        "engine": "imported",
        "device": imported.format,
        "folder": str(imported.folder),
        "responses": table.num_rows,
        "tokens": pc.sum(table["n_tokens"]).as_py() if samples else 0,
        "seconds": round(time.perf_counter() - began, 3),
    }
    write_table(output, table, manifest)


def _require_same_questions(folder: Path, questions: pa.Table, problems: Path) -> None:
    """Raise where a question has changed since responses to it were imported."""
    matched: dict[str, object] = read_json(folder / "questions.json")
    pairs = zip(questions["id"].to_pylist(), questions["question_digest"].to_pylist(), strict=True)
    changed = [name for name, digest in pairs if matched.get(name, digest) != digest]
    if changed:
        raise DataError(
            f"the question of '{changed[0]}' is not the one that was matched "
            f"({len(changed)} in all)",
            where=f"{folder}, {problems}",
            fix="import again",
        )


def _filter_problems(table: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """Return the rows that belong to wanted problems."""
    return table.filter(pc.is_in(table["problem_id"], value_set=ids.combine_chunks()))


def _in_order(table: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """Return rows in the order of the problems, then of the responses where they have one."""
    place = pc.index_in(table["problem_id"], value_set=ids.combine_chunks())
    index = table["sample"] if "sample" in table.column_names else place
    keys = pa.table({"place": place, "index": index})
    return table.take(pc.sort_indices(keys, [("place", "ascending"), ("index", "ascending")]))


def _read_shard(path: Path, ids: pa.ChunkedArray, samples: range) -> pa.Table:
    """Return the responses of a shard, read a batch at a time."""
    kept = []
    try:
        for batch in pq.ParquetFile(path).iter_batches(BATCH):
            table = pa.Table.from_batches([batch])
            index = table["sample"]
            inside = pc.and_(pc.greater_equal(index, samples.start), pc.less(index, samples.stop))
            kept.append(_filter_problems(table.filter(inside), ids))
    except (OSError, pa.ArrowException, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"not a readable file of imported responses: {reason}",
            where=str(path),
            fix="import again",
        ) from error
    return pa.concat_tables(kept).cast(schema(Sample)) if kept else schema(Sample).empty_table()
