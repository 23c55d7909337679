"""Print docs/paper.md: `python docs/make_paper.py > docs/paper.md`.

Sizes and costs are what `passk plan` says of an empty outputs folder, settings what the specs say;
the paper's side stands in paper_published.yaml, the rest in paper.template.md. A setting that
differs from the paper's without a reason there ends the script.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from passk.workflow import Plan, build_plan
from passk.workflow.paths import Layout
from passk.workflow.resources.cost import ASSUMED_TOKENS_PER_SECOND
from passk.workflow.status.plan_report import report_plan

HERE = Path("docs")
HEAD = (
    "| spec | what | cells | responses | million tokens | GPU-hours | GB | published | where |",
    "|---|---|--:|--:|--:|--:|--:|---|---|",
)


SETTINGS_HEAD = (
    "| spec | models | benchmark | prompt | problems | n | T | top_p | limit | grader |",
    "|---|---|---|---|--:|--:|--:|--:|--:|---|",
)
BENCHMARKS_HEAD = ("| benchmark | title | questions from | part |", "|---|---|---|---|")
SETTINGS = ("prompt", "problems", "n", "temperature", "top_p", "max_tokens")
"""What is compared with the paper, as columns of the second table."""

GRADERS = {
    "math": "passk's `math`; the paper's takes ×100 and ÷100 as equal, ours does not",
    "code": "the official harness's rules (docs/verification.md)",
}
"""Verifier -> how the paper's grader differs."""


def costs(plan: Plan) -> dict[str, Any]:
    """Return the preview of a plan, with nothing drawn yet."""
    with tempfile.TemporaryDirectory() as folder:
        return report_plan(dataclasses.replace(plan, layout=Layout(folder)))


def settings(name: str, plan: Plan, said: dict[str, Any], reasons: list[str]) -> Iterator[str]:
    """Yield a row per benchmark, prompt and sampler; reasons are added as they are met.

    Raises:
        SystemExit: a setting is not the paper's, and no reason is given.
    """
    rows: dict[tuple[str, ...], list[str]] = {}
    for cell in plan.all_cells.values():
        fresh = cell.id not in plan.cells
        values = {
            "prompt": cell.prompt.name,
            "problems": cell.benchmark.count,
            "n": cell.use.n,
            **cell.sampler.settings(),
        }
        drawn = ("fresh", f"fresh {cell.model.role}") if fresh else ()
        near = (*reversed(drawn), cell.model.name, cell.use.name, cell.sampler.name)
        shown = [compared(name, key, values[key], near, said, reasons) for key in SETTINGS]
        if cell.use.problems or cell.use.only:
            chosen = cell.use.problems or len(cell.use.only or ())
            shown[1] = f"{chosen} of {shown[1]}"
        if fresh:
            shown[1] = f"selected of {shown[1]}"
        grader = GRADERS.get(cell.benchmark.verifier, "")
        unnamed = said.get("reasons", {}).get("benchmark", "")
        benchmark = f"`{cell.use.name}`{' (not stated)' if unnamed else ''}{note(unnamed, reasons)}"
        key = (benchmark, *shown, f"`{cell.benchmark.verifier}`{note(grader, reasons)}")
        rows.setdefault(key, []).append(cell.model.name)
    for key, models in rows.items():
        names = ", ".join(f"`{model}`" for model in models)
        yield f"| `{name}` | {names} | {' | '.join(key)} |"


def compared(
    name: str, key: str, ours: Any, near: tuple[str, ...], said: dict[str, Any], reasons: list[str]
) -> str:
    """Return a setting of ours, with the paper's and a note where it is another."""
    theirs = said["paper"].get(key)
    if isinstance(theirs, dict):
        theirs = next((theirs[one] for one in near if one in theirs), None)
    if ours == theirs or (key == "problems" and theirs is None):  # it names no size
        return number(ours)
    reason = said.get("reasons", {}).get(key)
    if reason is None:
        sys.exit(f"{name}: {key} of {near} is {ours}, the paper says {theirs}: give a reason")
    other = "not stated" if theirs is None else f"paper: {number(theirs)}"
    return f"{number(ours)} ({other}){note(reason, reasons)}"


def number(value: Any) -> str:
    """Return a value as text, a whole number with its thousands set off."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def note(reason: str, reasons: list[str]) -> str:
    """Return a footnote mark of a reason, which is added where it is new."""
    if not reason:
        return ""
    if reason not in reasons:
        reasons.append(reason)
    return f" [{reasons.index(reason) + 1}]"


def row(name: str, found: dict[str, Any], said: dict[str, Any]) -> str:
    """Return a line of the table."""
    total = found["total"]
    fresh = sum(cell["responses_left"] for cell in found["confirmations"])
    gpu = f"{total['gpu_hours_left']:,.0f}" if total["gpu_hours_left"] >= 1 else "< 1"
    cells = (
        f"`{name}.yaml`",
        said["what"],
        f"{len(found['cells'])}",
        f"{total['responses_left']:,}{f' + at most {fresh:,}' if fresh else ''}",
        f"{total['tokens_left'] / 1e6:,.1f}",
        gpu if total["gpu_hours_left"] else "API",
        f"{total['bytes_left'] / 1e9:,.2f}",
        said["published"],
        said["where"],
    )
    return f"| {' | '.join(cells)} |"


def benchmark_row(name: str) -> str:
    """Return a line on the questions of a benchmark: which split, and of which files."""
    entry = yaml.safe_load(Path(f"specs/benchmarks/{name}.yaml").read_text(encoding="utf-8"))
    sources = [one for one in entry.get("sources", [entry.get("source", {})]) if "file" not in one]
    paths = [one.get("path", "") for one in sources]
    files = [", ".join(path) if isinstance(path, list) else path for path in paths]
    origins = [one.get("hub") or f"<{one['url']}>" for one in sources]
    places = [" ".join(filter(None, pair)) for pair in zip(origins, files, strict=True)]
    where = (f"{column}: {value}" for column, value in entry.get("where", {}).items())
    window = "; ".join(where).translate(str.maketrans("", "", "{}'"))
    return f"| `{name}` | {entry['title']} | {'<br>or '.join(places)} | {window or 'all'} |"


def prompt_text(name: str) -> str:
    """Return a prompt's file without its remarks, as a block of code with its source below."""
    entry = yaml.safe_load(Path(f"specs/prompts/{name}.yaml").read_text(encoding="utf-8"))
    source = str(entry.pop("source")).strip().rstrip(".")
    del entry["description"]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "\n".join([f"**`{name}`** ({source}):", "", "```yaml", *lines, "```"])


def unpinned(found: dict[str, Any]) -> set[str]:
    """Return the names of models that a preview warns of as not pinned."""
    warnings = [text for text in found["warnings"] if "no revision is pinned" in text]
    return {text.split("'")[1] for text in warnings}


def page() -> str:
    """Return the page as Markdown."""
    said = yaml.safe_load((HERE / "paper_published.yaml").read_text(encoding="utf-8"))
    plans = {name: build_plan(Path("specs") / f"{name}.yaml") for name in said}
    found = {name: costs(plan) for name, plan in plans.items()}
    reasons: list[str] = []
    rows = [line for name in said for line in settings(name, plans[name], said[name], reasons)]
    bars = [f"| `{name}` | {said[name]['reproduced']} |" for name in said]
    cells = [cell for plan in plans.values() for cell in plan.all_cells.values()]
    prompts = sorted({cell.prompt.name for cell in cells})
    benchmarks = sorted({cell.use.name for cell in cells})
    names = sorted(set().union(*map(unpinned, found.values())))
    parts = {
        "TABLE": "\n".join([*HEAD, *(row(name, found[name], said[name]) for name in said)]),
        "SETTINGS": "\n".join([*SETTINGS_HEAD, *rows]),
        "REASONS": "\n".join(f"{i}. {text}." for i, text in enumerate(reasons, 1)),
        "BENCHMARKS": "\n".join([*BENCHMARKS_HEAD, *map(benchmark_row, benchmarks)]),
        "PROMPTS": "\n\n".join(map(prompt_text, prompts)),
        "BARS": "\n".join(["| spec | reproduced when |", "|---|---|", *bars]),
        "SPEED": f"{ASSUMED_TOKENS_PER_SECOND['vllm']:,.0f}",
        "UNPINNED": ", ".join(f"`{name}`" for name in names),
    }
    text = (HERE / "paper.template.md").read_text(encoding="utf-8")
    for key, value in parts.items():
        text = text.replace(f"{{{key}}}", value)
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
