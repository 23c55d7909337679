"""`passk retry`: responses that could not be sampled are sampled again by the next run."""

from __future__ import annotations

from pathlib import Path

from passk.core.artifacts import Manifest, read_manifest
from passk.core.journal import Journal
from passk.core.schemas import UNSAMPLED, Sample, read_rows
from passk.engines.loader import shard_key
from passk.workflow.files import Build
from passk.workflow.plan import Plan


def reopen(plan: Plan) -> dict[Path, int]:
    """Reopen every sample file with refused or failed responses; return how many each has.

    What depends on them (verdicts, counts, scores, tables, manifests) is removed first. All other
    responses go into the journal beside the file, from which a run resumes, before the
    file is removed: so nothing is lost if this is killed.

    Raises:
        OutputError: another process is writing the file, or it cannot be written.
        DataError: the file is damaged.
    """
    sampled = (cell for cell in plan.all_cells.values() if cell.imported is None)
    files = dict.fromkeys(Path(file) for cell in sampled for file in plan.samples_of(cell))
    manifests = {path: read_manifest(path) for path in files if path.is_file()}
    found = {path: one for path, one in manifests.items() if one and _unsampled(one)}
    for name in Build(plan).dependents(map(str, found)):
        path = Path(name)
        if path.is_file() and path.suffix in {".parquet", ".json"}:  # pages and figures may stay
            path.unlink()
    for path, manifest in found.items():
        _reopen(path, manifest)
    return {path: _unsampled(manifest) for path, manifest in found.items()}


def _unsampled(manifest: Manifest) -> int:
    """Return how many responses of a file could not be sampled."""
    return manifest.get("refused", 0) + manifest.get("failed", 0)


def _reopen(path: Path, manifest: Manifest) -> None:
    """Turn a sample file into a journal without its refused and failed responses."""
    key = shard_key(manifest["fingerprint_inputs"], range(*manifest["samples"]))
    rows = read_rows(path, Sample)
    with Journal(path, key, Sample) as journal:
        for row in rows:
            if (
                row.finish_reason not in UNSAMPLED
                and (row.problem_id, row.sample) not in journal.rows
            ):
                journal.append(row)
        path.unlink()
