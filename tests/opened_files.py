"""What the commands of a run read, compared with what their rules declare."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest
from conftest import REPO, Study

from passk.workflow.files import Build, Made
from passk.workflow.plan import build_plan

SETTINGS = (
    *("store/fingerprints.json", "store/format.json"),
    "store/confirmations/*/decisions-0.manifest.json",
    "store/judgings/*/chains.manifest.json",
)

CHECKED = ("study/manifests/*.json",)
"""What files of the study are compared with, where there is one."""

OPTIONAL = {
    # Of cells and scorers whose rows may be used again:
    "draw_samples": ("store/cells/*/cell.json", "store/cells/*/temperature.json"),
    # What a training that was killed goes on from:
    "train_model": ("store/trainings/*/state", "store/trainings/*/state/**/*"),
    "score_responses": (
        *("scores/*/score.json", "scores/*/*.manifest.json", "scores/*/*.parquet"),
    ),
    "resolve_cell": SETTINGS,
    "resolve_experiment": SETTINGS,
    "resolve_score": SETTINGS,
    "resolve_training": SETTINGS,
    "aggregate_tables": CHECKED,
    "draw_figures": CHECKED,
    "tabulate_labels": CHECKED,
    # Versions of packages are listed where they are known:
    "write_report": (*CHECKED, "scores/*/*.manifest.json"),
}
"""Rule -> what its command takes if it is there."""


@contextmanager
def noted(study: Study) -> Iterator[Path]:
    """Note in the folder that this yields what every command of the study's runs reads."""
    notes = study.folder / "opened"
    notes.mkdir()
    path = os.pathsep.join([str(REPO / "tests/opened"), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
        patch.setenv("PASSK_OPENED", str(notes))
        yield notes


def rules_that_read_what_they_declare(study: Study, notes: Path) -> set[str]:
    """The rules whose commands are in the notes, all of which read nothing undeclared."""
    with contextlib.chdir(study.folder):
        build = Build(build_plan(Path(study.file)))
    seen, undeclared = set(), []
    for file in notes.iterdir():
        first, *read = file.read_text().splitlines()
        made = made_by(build, json.loads(first))
        seen |= {one.rule for one in made}
        undeclared += [
            f"{made[0].rule} reads {path}" for path in sorted(set(read)) if not declared(path, made)
        ]
    assert not undeclared, "\n".join(undeclared)
    return seen


def made_by(build: Build, arguments: list[str]) -> list[Made]:
    """What a command makes: its last option names files, or the folder of the first."""
    outputs = arguments[arguments.index("-o") + 1 :]
    found = [
        made
        for path, made in build.files.items()
        if path in outputs or str(Path(path).parent) in outputs
    ]
    assert found, arguments
    return found


def declared(path: str, made: list[Made]) -> bool:
    """Tell whether a command may read a file.

    A file's manifest and journal belong to it, and a folder's files to the folder, or to its
    `manifest.json` that is written last. Hidden files are the command's own, until they are
    renamed. Nothing fails without the files of `OPTIONAL`.
    """
    hidden = any(part.startswith(".") for part in Path(path).parts)
    if not path.startswith("outputs/") or hidden or path.endswith(".log"):
        return True
    if any(Path(path).match(pattern) for pattern in OPTIONAL.get(made[0].rule, ())):
        return True
    files = {name for one in made for name in (*one.outputs, *chain(*one.inputs.values()))}
    stem = path.removesuffix(".manifest.json").removesuffix(".journal.jsonl")
    folders = {path, *map(str, Path(path).parents)}
    owners = {f"{stem}.parquet", f"{stem}.json", *(f"{folder}/manifest.json" for folder in folders)}
    return bool((folders | owners) & files)
