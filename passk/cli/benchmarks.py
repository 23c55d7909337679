"""Commands on benchmarks."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from pathlib import Path
from typing import Any

from passk.cli.command import Group, command, option
from passk.cli.options import AS_JSON

MAX_LISTED = 20
"""Problems that a person is shown."""

MAX_GOLD_CHARACTERS = 2000
"""Characters of a gold answer that a person is shown."""


@command(
    Group.BENCHMARKS,
    "list benchmarks: problems, verifier, licence, whether they are downloaded",
    "passk benchmarks --json",
    AS_JSON,
    option("--fetch", nargs="+", default=[], metavar="NAME", help="download these for offline use"),
)
def benchmarks(*, as_json: bool, fetch: list[str]) -> None:
    """List benchmarks, or download some."""
    from passk.benchmarks.listing import list_benchmarks
    from passk.benchmarks.source import load_problems
    from passk.spec.loading import find_benchmark, shipped_specs

    for name in fetch:
        print(f"{name}: {len(load_problems(find_benchmark(name))):,} problems downloaded")
    if fetch:
        return
    found = list_benchmarks([Path("benchmarks"), shipped_specs() / "benchmarks"])
    if as_json:
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


@command(
    Group.BENCHMARKS,
    "find a benchmark's questions in text files: a hint at contamination",
    "passk overlap math500 corpus/*.jsonl.gz",
    option("benchmark", help="a benchmark's name or file"),
    option("files", type=Path, nargs="+", help="text, JSONL, JSON, CSV or Parquet (.gz as well)"),
    AS_JSON,
)
def overlap(*, benchmark: str, files: list[Path], as_json: bool) -> None:
    """Look for a benchmark's questions in text files."""
    from passk.benchmarks.overlap import WORDS, find_overlaps
    from passk.benchmarks.source import load_problems
    from passk.spec.loading import find_benchmark

    problems = load_problems(find_benchmark(benchmark), text_only=True)
    overlaps, short = find_overlaps(problems, files)
    if as_json:
        rows = [dataclasses.asdict(one) | {"share": one.share} for one in overlaps]
        found = {"problems": len(problems), "too_short": short, "overlaps": rows}
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for one in overlaps[:MAX_LISTED]:
        print(f"{one.share:4.0%}  {one.problem_id}  {one.file}: {one.example}")
    if len(overlaps) > MAX_LISTED:
        print(f"... and {len(overlaps) - MAX_LISTED} more; --json lists all")
    print(
        f"{len(overlaps)} of {len(problems)} questions share {WORDS} words in a row with this "
        f"text; {len(short)} are too short to say.\n"
        "A hint, not a proof: quoted statements overlap as well, and a paraphrase does not."
    )


def show_benchmark(file: Path, source: Path | None, *, text_only: bool) -> None:
    """Check one benchmark file, and print its first prompt and gold answer."""
    from passk.stages.validate_benchmark import examine

    found = examine(file, source, text_only=text_only)
    for warning in found["warnings"]:
        print(f"warning: {warning}")
    print(f"{found['file']}: valid; {found['title']}, {found['problems']:,} problems")
    print(f"source: {found['source']}")
    golds, questions = found["digests"]["golds"], found["digests"]["questions"]
    print(f'digests: {{questions: "{questions}", golds: "{golds}"}}')
    forms = ", ".join(found["answer_forms"]) or "none of the usual ones"
    print(f"verifier '{found['verifier']}' finds: {forms}")
    asked = f"as prompt '{found['prompt']}' asks it" if found["prompt"] else "without a prompt"
    print(f"\nproblem '{found['id']}', {asked}:\n")
    print(textwrap.indent(found["rendered"], "  ", lambda _: True))
    for image in found["images"]:
        print(f"  [image] {image}")
    gold = found["gold"]
    more = "…" if len(gold) > MAX_GOLD_CHARACTERS else ""
    print(f"\ngold answer: {gold[:MAX_GOLD_CHARACTERS]}{more}")
