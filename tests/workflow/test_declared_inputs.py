"""Every file of the outputs that a command of a rule reads is among the rule's inputs.

What is read and not declared is not made again when it is missing: the run then fails for ever.
"""

from __future__ import annotations

import json
import os
from itertools import chain
from pathlib import Path

import pytest
from conftest import REPO, Study

from passk.workflow.files import Build, Made
from passk.workflow.plan import build_plan

RULES = {
    *("load_questions", "load_problems", "resolve_cell", "draw_samples", "verify_responses"),
    *("count_verdicts", "write_references", "resolve_score", "score_responses"),
    *("resolve_experiment", "aggregate_tables", "draw_figures", "write_report"),
}

SETTINGS = ("store/fingerprints.json", "store/format.json")

OPTIONAL = {
    "draw_samples": ("store/cells/*/cell.json",),  # of cells whose responses may be taken over
    "resolve_cell": SETTINGS,
    "resolve_experiment": SETTINGS,
    "resolve_score": SETTINGS,
    "write_report": ("scores/*/*.manifest.json",),  # versions of packages, listed where known
}
"""Rule -> what its command takes if it is there."""


def test_commands_read_nothing_but_declared_inputs(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = study.folder / "opened"
    notes.mkdir()
    path = os.pathsep.join([str(REPO / "tests/opened"), os.environ.get("PYTHONPATH", "")])
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
        patch.setenv("PASSK_OPENED", str(notes))
        study.snakemake()
    monkeypatch.chdir(study.folder)
    build = Build(build_plan(Path(study.file)))
    seen = set()
    undeclared = []
    for file in notes.iterdir():
        first, *read = file.read_text().splitlines()
        made = made_by(build, json.loads(first))
        seen |= {one.rule for one in made}
        undeclared += [
            f"{made[0].rule} reads {path}" for path in sorted(set(read)) if not declared(path, made)
        ]
    assert not undeclared, "\n".join(undeclared)
    assert seen == RULES


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

    A file's manifest and journal belong to it, and a folder's files to the folder. Hidden files
    are the command's own, until they are renamed. Nothing fails without the files of `OPTIONAL`.
    """
    hidden = any(part.startswith(".") for part in Path(path).parts)
    if not path.startswith("outputs/") or hidden or path.endswith(".log"):
        return True
    if any(Path(path).match(pattern) for pattern in OPTIONAL.get(made[0].rule, ())):
        return True
    files = {name for one in made for name in (*one.outputs, *chain(*one.inputs.values()))}
    owner = path.replace(".manifest.json", ".parquet").replace(".journal.jsonl", ".parquet")
    return bool({path, owner, *map(str, Path(path).parents)} & files)
