"""What the commands on benchmarks do, by themselves."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from pathlib import Path
from typing import Any

MOST_LISTED = 20
"""Problems that a person is shown."""

LONGEST = 2000
"""Characters of a gold answer that a person is shown."""


def show_benchmark(options: argparse.Namespace) -> None:
    """Check one benchmark file, and print its first prompt and gold answer."""
    from passk.stages.validate_benchmark import examine

    found = examine(options.spec, options.source, text_only=options.text_only)
    for warning in found["warnings"]:
        print(f"warning: {warning}")
    print(f"{found['file']}: valid; {found['title']}, {found['problems']:,} problems")
    print(f"source: {found['source']}")
    golds, questions = found["digests"]["golds"], found["digests"]["questions"]
    print(f'digests: {{questions: "{questions}", golds: "{golds}"}}')
    asked = f"as prompt '{found['prompt']}' asks it" if found["prompt"] else "without a prompt"
    print(f"\nproblem '{found['id']}', {asked}:\n")
    print(textwrap.indent(found["rendered"], "  ", lambda _: True))
    for image in found["images"]:
        print(f"  [image] {image}")
    more = "…" if len(found["gold"]) > LONGEST else ""
    print(f"\ngold answer: {found['gold'][:LONGEST]}{more}")


def run_benchmarks(options: argparse.Namespace) -> None:
    """List benchmarks, or fetch some."""
    from passk.benchmarks.listing import list_benchmarks
    from passk.benchmarks.source import load_problems
    from passk.spec.loading import catalogue_file, load_benchmark, shipped_specs

    for name in options.fetch:
        benchmark = load_benchmark(catalogue_file("benchmarks", name, Path("x")))
        print(f"{name}: {len(load_problems(benchmark)):,} problems at hand")
    if options.fetch:
        return
    found = list_benchmarks([Path("benchmarks"), shipped_specs() / "benchmarks"])
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    rows = [["name", "problems", "n", "verifier", "state", "licence"]]
    rows += [_cells(entry) for entry in found]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _cells(entry: dict[str, Any]) -> list[str]:
    """Return a benchmark as the cells of a table's row."""
    count = f"{entry['problems']:,}" if entry["problems"] else "?"
    state = entry["state"] + ("" if entry["pinned"] else ", unpinned")
    named = [entry["name"], count, str(entry["n"] or ""), entry["verifier"], state]
    return [*named, entry["licence"] or ""]


def run_overlap(options: argparse.Namespace) -> None:
    """Look for a benchmark's questions in text files."""
    from passk.benchmarks.overlap import WORDS, find_overlaps
    from passk.benchmarks.source import load_problems
    from passk.spec.loading import catalogue_file, load_benchmark

    name = str(options.benchmark)
    file = Path(name) if name.endswith(".yaml") else catalogue_file("benchmarks", name, Path("x"))
    problems = load_problems(load_benchmark(file), text_only=True)
    overlaps, short = find_overlaps(problems, options.files)
    if options.json:
        rows = [dataclasses.asdict(overlap) | {"share": overlap.share} for overlap in overlaps]
        found = {"problems": len(problems), "too_short": short, "overlaps": rows}
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for overlap in overlaps[:MOST_LISTED]:
        print(f"{overlap.share:4.0%}  {overlap.problem_id}  {overlap.file}: {overlap.example}")
    if len(overlaps) > MOST_LISTED:
        print(f"... and {len(overlaps) - MOST_LISTED} more; --json lists all")
    print(
        f"{len(overlaps)} of {len(problems)} questions share {WORDS} words in a row with this "
        f"text; {len(short)} are too short to say.\n"
        "A hint, not a proof: quoted statements overlap as well, and a paraphrase does not."
    )
