"""The commands that bring results of other tools, and take ours to them."""

from __future__ import annotations

import argparse


def run_import(options: argparse.Namespace) -> None:
    """Run `passk import`."""
    from passk.interop import counts, import_results
    from passk.interop.column_mapping import read_mapping
    from passk.interop.formats.table import COLUMNS

    common = {"model": options.model, "allow_missing": options.allow_missing}
    if options.format == "counts":
        columns = read_mapping(options.map, counts.COLUMNS)
        manifest = counts.import_counts(
            options.files, options.benchmark, options.output, columns=columns, **common
        )
    else:
        columns = read_mapping(options.map, COLUMNS)
        manifest = import_results.import_results(
            options.format,
            options.files,
            options.benchmark,
            options.output,
            columns=columns,
            name_filter=options.filter,
            **common,
        )
    listed = ", ".join(f"{problems} with n = {n}" for n, problems in manifest["n"].items())
    print(
        f"{options.output}: {manifest['responses']} responses, {manifest['verdicts']} with verdicts"
    )
    print(f"problems: {listed}; in a spec: `imported: {options.output}`")


def run_export(options: argparse.Namespace) -> None:
    """Run `passk export`."""
    from passk.interop.export_results import export_cells
    from passk.workflow import build_plan

    plan = build_plan(options.spec)
    for path in export_cells(plan, options.format, options.output, options.cell):
        print(path)
