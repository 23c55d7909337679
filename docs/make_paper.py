"""Print docs/paper.md: `python docs/make_paper.py > docs/paper.md`.

Sizes and costs are what `passk plan` says of an empty outputs folder, the rest stands in
paper.template.md and paper_published.yaml.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from passk.workflow import build_plan
from passk.workflow.resources.cost import ASSUMED_TOKENS_PER_SECOND
from passk.workflow.paths import Layout
from passk.workflow.status.plan_report import report_plan

HERE = Path("docs")
HEAD = (
    "| spec | what | cells | responses | million tokens | GPU-hours | GB | published |",
    "|---|---|--:|--:|--:|--:|--:|---|",
)


def costs(name: str) -> dict[str, Any]:
    """Return the preview of a spec, with nothing drawn yet."""
    with tempfile.TemporaryDirectory() as folder:
        plan = build_plan(Path("specs") / f"{name}.yaml")
        return report_plan(dataclasses.replace(plan, layout=Layout(folder)))


def row(name: str, found: dict[str, Any], said: dict[str, str]) -> str:
    """Return a line of the table."""
    total = found["total"]
    gpu = f"{total['gpu_hours_left']:,.0f}" if total["gpu_hours_left"] >= 1 else "< 1"
    cells = (
        f"`{name}.yaml`",
        said["what"],
        f"{len(found['cells'])}",
        f"{total['responses_left']:,}",
        f"{total['tokens_left'] / 1e6:,.1f}",
        gpu if total["gpu_hours_left"] else "API",
        f"{total['bytes_left'] / 1e9:,.2f}",
        said["published"],
    )
    return f"| {' | '.join(cells)} |"


def unpinned(found: dict[str, Any]) -> set[str]:
    """Return the names of models that a preview warns of as not pinned."""
    warnings = [text for text in found["warnings"] if "no revision is pinned" in text]
    return {text.split("'")[1] for text in warnings}


def page() -> str:
    """Return the page as Markdown."""
    said = yaml.safe_load((HERE / "paper_published.yaml").read_text(encoding="utf-8"))
    found = {name: costs(name) for name in said}
    names = sorted(set().union(*map(unpinned, found.values())))
    parts = {
        "TABLE": "\n".join([*HEAD, *(row(name, found[name], said[name]) for name in said)]),
        "SPEED": f"{ASSUMED_TOKENS_PER_SECOND['vllm']:,.0f}",
        "UNPINNED": ", ".join(f"`{name}`" for name in names),
    }
    text = (HERE / "paper.template.md").read_text(encoding="utf-8")
    for key, value in parts.items():
        text = text.replace(f"{{{key}}}", value)
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
