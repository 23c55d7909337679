"""The structure that docs/design.md promises: imports point downward, and planning is light."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPO

STATISTICS = {"stats", "core"}
SPEC = STATISTICS | {"spec"}
PARTS = SPEC | {"engines", "benchmarks", "verifiers"}
STUDY = PARTS | {"analysis", "training"}
MAY_IMPORT = {
    "core": set(),
    "stats": set(),
    "spec": STATISTICS,
    "analysis": STATISTICS,
    "verifiers": {"core"},
    "engines": SPEC,
    "benchmarks": SPEC,
    "report": STATISTICS | {"analysis"},
    "review": STATISTICS | {"analysis", "report"},
    "training": SPEC | {"engines", "verifiers"},
    "stages": STUDY,
    "workflow": STUDY | {"stages"},
    "interop": STUDY | {"stages", "workflow"},
    "cli": STUDY | {"stages", "workflow", "interop", "report", "review"},
}
"""Package -> the packages that it may import from besides itself."""

ROOT_MAY_IMPORT = {
    "__init__": {"core", "analysis", "interop", "stages", "workflow"},
    "__main__": {"cli"},
}

FILES = {path.relative_to(REPO): path for path in sorted((REPO / "passk").rglob("*.py"))}
MODULES = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}


def files_imported(file: Path) -> set[Path]:
    """The files of passk that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(FILES[file].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in inner}
    return {MODULES[name] for name in names if name in MODULES} - {file}


def package_of(file: Path) -> str:
    """The package that a file belongs to; of a file at the root, its own name."""
    return file.parts[1].removesuffix(".py")


IMPORTS = {file: files_imported(file) for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_point_downward(file: Path) -> None:
    package = package_of(file)
    allowed = {**MAY_IMPORT, **ROOT_MAY_IMPORT}.get(package)
    assert allowed is not None, f"{package} is no package of MAY_IMPORT: see docs/design.md"
    upward = {str(path) for path in IMPORTS[file] if package_of(path) not in {*allowed, package}}
    assert not upward, f"{file} imports upward: {upward}"


def test_no_files_import_each_other_in_a_circle() -> None:
    done: set[Path] = set()

    def visit(file: Path, trail: tuple[Path, ...]) -> None:
        assert file not in trail, f"circle: {' -> '.join(map(str, (*trail, file)))}"
        if file not in done:
            for below in IMPORTS[file]:
                visit(below, (*trail, file))
            done.add(file)

    for file in FILES:
        visit(file, ())


def test_nothing_is_loose_in_the_package() -> None:
    assert {path.name for path in (REPO / "passk").glob("*.py")} == {"__init__.py", "__main__.py"}
    folders = {path.parts[1] for path in FILES if len(path.parts) > 2}
    assert folders == set(MAY_IMPORT)


def test_tests_mirror_the_packages() -> None:
    folders = {path.parent.name for path in (REPO / "tests").glob("*/test_*.py")}
    assert folders <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    "spec", [None, "specs/quickstart.yaml", "specs/paper-math.yaml", "specs/miniature.yaml"]
)
def test_planning_imports_nothing_heavy(spec: str | None) -> None:
    plan = (
        f"from passk.workflow import build_plan; build_plan(Path({spec!r})).warnings()"
        if spec
        else ""
    )
    heavy = "torch transformers pandas matplotlib vllm math_verify sympy pyarrow"
    program = (
        f"import sys, passk; from pathlib import Path; {plan}\n"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_jobs_of_a_shard_import_no_pandas() -> None:
    program = (
        "import sys, passk.stages.sample, passk.stages.verify, passk.stages.score\n"
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPO, check=True)


def test_rules_hold_no_logic() -> None:
    for path in [REPO / "Snakefile", *(REPO / "rules").glob("*.smk")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            bare = line.strip()
            assert not bare.startswith(("def ", "run:")), f"{path}:{number}"
            assert "lambda" not in bare, f"{path}:{number}"


def test_public_names_are_pinned() -> None:
    plan = importlib.import_module("passk.workflow")
    assert plan.__all__ == ["Plan", "Rules", "build_plan", "for_snakemake"]


def test_only_the_command_line_prints() -> None:
    for file, path in FILES.items():
        calls = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"print", "exit"}
        ]
        assert not calls or package_of(file) == "cli", f"{file}:{calls}"
