"""What every push does: check, stage the files, send them once, and write a receipt."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from passk.analysis.study import REVIEWED, TABLES
from passk.core.artifacts import digest, environment, file_digest, read_json, write_json
from passk.core.errors import DataError, OutputError, PasskError
from passk.core.registry import PUSH_TARGETS, load
from passk.interop.export_results import export_dataset
from passk.workflow import Plan
from passk.workflow.files import StudyFiles
from passk.workflow.task_files import plan_study

if TYPE_CHECKING:
    import pandas as pd

MAX_TABLE_ROWS = 10_000
"""Rows up to which trackers show a table; every table is also sent as a file."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A finished study as it is pushed.

    Attributes:
        study: its name.
        project: where it goes: project, experiment or repository.
        digest: of its tables, and of what is sent beside them.
        folder: `README.md`, `report.html`, `tables/`, `figures/`, and `data/` with the responses.
        spec: the study's spec.
    """

    study: str
    project: str
    digest: str
    folder: Path
    spec: Mapping[str, object]

    @property
    def run(self) -> str:
        """The name of the run: the same tables have the same name."""
        return f"{self.study}-{self.digest[:8]}"

    def tables(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield the name and rows of each table that is neither empty nor too long to show."""
        import pandas as pd

        for path in sorted((self.folder / "tables").glob("*.parquet")):
            table = pd.read_parquet(path)
            if 0 < len(table) <= MAX_TABLE_ROWS:
                yield path.stem, table

    def curves(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield each k with pass@k by `benchmark/model/sampler`, for a chart whose step is k."""
        import pandas as pd

        table = pd.read_parquet(self.folder / "tables" / "pass_at_k.parquet")
        for k, rows in table.dropna(subset="pass_at_k").groupby("k"):
            names = rows["benchmark"] + "/" + rows["model"] + "/" + rows["sampler"]
            yield int(str(k)), dict(zip(names, map(float, rows["pass_at_k"]), strict=True))

    def figures(self) -> Iterator[tuple[str, Path, str]]:
        """Yield the name, PNG file and caption of each figure."""
        folder = self.folder / "figures"
        for entry in read_json(folder / "figures.json")["figures"]:
            yield entry["name"], folder / f"{entry['name']}.png", entry["title"]


class Target(Protocol):
    """Where a study can be pushed; a module of this package has one."""

    def check(self) -> None:
        """Raise if a token or an address is missing; nothing is contacted.

        Raises:
            PasskError: naming the variable to set.
        """
        ...

    def push(self, bundle: Bundle) -> str:
        """Send a study and return where it is. The same bundle sent again is still one run."""
        ...


def push(
    plan: Plan, name: str, project: str | None, *, responses: bool = True, dry_run: bool = False
) -> Iterator[str]:
    """Push a finished study and yield what to print; tables that were pushed are not sent again.

    Args:
        plan: the study.
        name: name in `passk.core.registry.PUSH_TARGETS`.
        project: project, experiment or repository (default: `passk-STUDY`).
        responses: whether the responses go with it, as the Hugging Face export.
        dry_run: only say what would be sent.

    Raises:
        DataError: the study is not finished.
        PasskError: the target's package, token or address is missing.
        OutputError: the target refused, or cannot be reached.
    """
    _require_finished(plan)
    target: Target = load("push target", name, PUSH_TARGETS)()
    target.check()
    study = plan_study(plan)
    project = project or f"passk-{study.name}"
    home = Path(plan.layout.experiment(study.name, ""))
    tables = _table_digests(home)
    content = digest([tables, responses])
    receipt = home / "pushes" / f"{name}.json"
    receipts = read_json(receipt) if receipt.is_file() else {}
    sent = receipts.get(project, {})
    if sent.get("digest") == content:
        yield f"already pushed: {sent['location']}"
        yield f"to push it again, delete {receipt}"
        return
    with tempfile.TemporaryDirectory(dir=home, prefix=".push-") as folder:
        bundle = Bundle(study.name, project, content, Path(folder), study.spec)
        if dry_run:
            also = "with" if responses else "without"
            yield f"would push {len(tables)} tables, figures and report, {also} responses"
            yield f"to {name}: {project}, as {bundle.run}"
            return
        _stage(plan, home, bundle, responses=responses)
        sizes = [path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()]
        location = _send(target, name, bundle)
    receipts[project] = {
        "digest": content,
        "location": location,
        "files": len(sizes),
        "bytes": sum(sizes),
        "tables": tables,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **environment(),
    }
    write_json(receipt, receipts)
    yield f"pushed {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB: {location}"
    yield f"receipt: {receipt}"


def _table_digests(home: Path) -> dict[str, str]:
    """Return the digest of each table of a study."""
    paths = (home / "tables" / f"{name}.parquet" for name in (*TABLES, *REVIEWED))
    return {path.name: file_digest(path) for path in paths if path.is_file()}


def _send(target: Target, name: str, bundle: Bundle) -> str:
    """Push a bundle and return where it is; whatever the target's client raises is one error."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return target.push(bundle)
    except PasskError:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise OutputError(
            f"{name} did not take it: {reason}",
            where=bundle.project,
            fix="mend that and push again; nothing counts twice",
        ) from error


def _require_finished(plan: Plan) -> None:
    """Raise if a file of the finished study is missing."""
    missing = [path for path in StudyFiles(plan).targets() if not Path(path).exists()]
    if missing:
        raise DataError(
            "the study is not finished as its spec says now",
            where=missing[0],
            fix=f"passk run {plan.experiment.file}",
        )


def _stage(plan: Plan, home: Path, bundle: Bundle, *, responses: bool) -> None:
    """Put all files into the bundle's folder."""
    for name in ("tables", "figures"):
        shutil.copytree(home / name, bundle.folder / name)
    shutil.copy(home / "report.html", bundle.folder)
    cells = [cell for cell in plan.cells.values() if responses and not cell.counts_alone]
    export_dataset(plan, cells, bundle.folder, {"pass_at_k": "tables/pass_at_k.parquet"})
    shown = "\n\n".join(
        f"![{caption}](figures/{path.name})" for _, path, caption in bundle.figures()
    )
    with (bundle.folder / "README.md").open("a", encoding="utf-8") as file:
        file.write(
            f"\n## Results\n\nTables are in `tables/`, the report is `report.html`.\n\n{shown}\n"
        )


def flat_spec(spec: Mapping[str, object]) -> dict[str, str]:
    """Return a spec as texts by its top keys, as trackers store settings."""
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in spec.items()
    }
