"""What `passk import` runs: options of the command line to an import, and its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from passk.core.errors import PasskError
from passk.interop.column_mapping import parse_condition, read_mapping
from passk.interop.counts import COLUMNS as COUNT_COLUMNS
from passk.interop.formats.detection import detect_format
from passk.interop.formats.table import COLUMNS
from passk.interop.import_results import ImportOptions, describe_import, import_results

TAKES_CONDITION = ("table", "verl", "trl")
"""Formats whose rows a condition can judge."""


def run_import(
    format_name: str,
    files: Sequence[Path],
    benchmark: str,
    model: str,
    output: Path,
    mapping: list[str],
    *,
    correct_if: str | None = None,
    filter: str | None = None,  # noqa: A002 - the option's name
    grade: bool = False,
    **flags: bool,
) -> Iterator[str]:
    """Import results and yield what was found, a line each.

    Raises:
        PasskError: an option does not fit the format, or the import fails.
    """
    if format_name == "auto":
        format_name, reason = detect_format(files)
        yield f"format: {format_name} ({reason})"
    if mapping and format_name not in {"table", "counts"}:
        raise PasskError(f"--map is for tables, and '{format_name}' has columns of its own")
    if correct_if and format_name not in TAKES_CONDITION:
        raise PasskError(f"--correct-if is for {', '.join(TAKES_CONDITION)}, not '{format_name}'")
    options = ImportOptions(
        columns=read_mapping(mapping, COUNT_COLUMNS if format_name == "counts" else COLUMNS),
        filter=filter,
        correct_if=parse_condition(correct_if) if correct_if else None,
        **flags,
    )
    manifest = import_results(format_name, files, benchmark, output, model=model, options=options)
    yield from describe_import(manifest)
    if grade and manifest["kind"] == "responses":
        from passk.interop.grade_import import grade_import

        yield from grade_import(output, benchmark)
    yield f"in a spec: `imported: {output}`"
