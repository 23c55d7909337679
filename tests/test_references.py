"""Files that docs, docstrings and comments name are there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from conftest import REPO

FOLDERS = ("passk", "tests", "docs", "perf", "rules", "profiles")
PATH = re.compile(rf"(?<![\w/.{{-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w")
EXAMPLES = {f"profiles/mysite{name}" for name in ("", "/config.yaml", "/partitions.yaml")}
"""Paths that a text invents for its reader."""

WHEEL = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
    "wheel"
]
IN_A_WHEEL = set(WHEEL["force-include"].values())

TRACKED = [
    Path(name)
    for name in subprocess.run(
        ["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=True
    ).stdout.split()
]
TEXTS = [
    path
    for path in TRACKED
    if path.suffix in {".py", ".md", ".smk", ".toml", ".yaml"} and path.name != "CHANGELOG.md"
]


@pytest.mark.skipif(not TRACKED, reason="no git checkout")
def test_paths_that_texts_name_are_there() -> None:
    there = {*TRACKED, *(parent for path in TRACKED for parent in path.parents)}
    missing = {
        f"{text}: {found}"
        for text in TEXTS
        for found in PATH.findall((REPO / text).read_text())
        if Path(found) not in there and found not in EXAMPLES and found not in IN_A_WHEEL
    }
    assert not missing
