"""The structure that docs/design.md promises: imports point downward, and planning is light."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPO

LAYERS = (
    {
        "errors",
        "versions",
        "progress",
        "recipes",
        "records",
        "estimate",
        "journal",
        "gpus",
        "slurm",
        "palette",
        "repetition",
        "web",
    },
    {
        *("registry", "yamls", "methods", "spec", "spec_checks", "spec_series", "spec_training"),
        *("spec_files", "reference_page"),
    },
    {
        *("engines", "benchmarks", "verifiers", "prompts", "tasks", "results", "weights"),
        *("imported", "matched", "references", "train", "series"),
    },
    {"plan"},
    {
        *(
            "problems",
            "entropy",
            "sample",
            "training",
            "verify",
            "perplexity",
            "floor",
            "count",
            "estimate_file",
            "exchange",
            "examine",
        ),
        *("aggregate", "figures", "findings", "report", "page", "review"),
        *("cautions", "outcomes"),
        *("status", "fetch"),
    },
    {"cli", "__main__"},
)
"""Parts of passk from the lowest to the highest; a part imports from its own layer or below."""

STAGES = {
    *("problems", "entropy", "sample", "training", "verify", "perplexity", "count"),
    *("aggregate", "figures", "report", "review"),
}
BLIND_TO_EACH_OTHER = ({"engines"}, {"benchmarks"}, {"verifiers"})


def parts_imported(path: Path) -> set[str]:
    """The parts of passk that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    split = [name.split(".") for name in names if name.startswith("passk.")]
    return {parts[1] for parts in split} & {part for layer in LAYERS for part in layer}


def part_of(path: Path) -> str:
    """The part that a file belongs to."""
    return path.relative_to(REPO / "passk").parts[0].removesuffix(".py")


FILES = sorted((REPO / "passk").rglob("*.py"))
IMPORTS = {path: parts_imported(path) - {part_of(path)} for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPO)))
def test_imports_point_downward(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        assert IMPORTS[path] == set()
        return
    level = next((i for i, layer in enumerate(LAYERS) if part in layer), None)
    assert level is not None, f"{part} stands in no layer: add it to LAYERS and docs/design.md"
    allowed = set().union(*LAYERS[: level + 1])
    assert IMPORTS[path] <= allowed, f"{path}: imports upward: {IMPORTS[path] - allowed}"


def test_no_import_goes_round_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for path, imported in IMPORTS.items():
        graph.setdefault(part_of(path), set()).update(imported)
    done: set[str] = set()

    def visit(part: str, trail: tuple[str, ...]) -> None:
        assert part not in trail, f"circle: {' -> '.join((*trail, part))}"
        if part not in done:
            for below in graph.get(part, ()):
                visit(below, (*trail, part))
            done.add(part)

    for part in graph:
        visit(part, ())


def test_stages_do_not_import_each_other() -> None:
    for path, imported in IMPORTS.items():
        if part_of(path) in STAGES:
            assert not imported & STAGES, f"{path} imports {imported & STAGES}"


def test_engines_benchmarks_and_verifiers_do_not_know_each_other() -> None:
    for path, imported in IMPORTS.items():
        for kind in BLIND_TO_EACH_OTHER:
            others = {"engines", "benchmarks", "verifiers"} - kind
            if part_of(path) in kind:
                assert not imported & others, f"{path} imports {imported & others}"


@pytest.mark.parametrize(
    "spec", [None, "specs/quickstart.yaml", "specs/paper-math.yaml", "specs/miniature.yaml"]
)
def test_planning_imports_nothing_heavy(spec: str | None) -> None:
    plan = (
        f"from passk.plan import build_plan; build_plan(Path({spec!r})).warnings()" if spec else ""
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


def test_rules_hold_no_logic() -> None:
    for path in [REPO / "Snakefile", *(REPO / "rules").glob("*.smk")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            bare = line.strip()
            assert not bare.startswith(("def ", "run:")), f"{path}:{number}"
            assert "lambda" not in bare, f"{path}:{number}"


def test_public_names_are_pinned() -> None:
    plan = importlib.import_module("passk.plan")
    assert plan.__all__ == ["Plan", "Rules", "build_plan", "for_snakemake"]


def test_only_the_command_line_prints() -> None:
    for path in FILES:
        calls = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"print", "exit"}
        ]
        assert not calls or part_of(path) == "cli", f"{path}:{calls}"
