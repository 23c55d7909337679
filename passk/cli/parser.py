"""The commands; every help text ends with an example."""

from __future__ import annotations

import argparse

from passk.cli import stage_options, study_options
from passk.core.versions import __version__


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="passk", description="Study pass@k at large k, by spec.")
    top.add_argument("--version", action="version", version=f"passk {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    adders = (
        study_options.add_validate,
        study_options.add_benchmarks,
        study_options.add_plan,
        study_options.add_where,
        study_options.add_status,
        study_options.add_cancel,
        study_options.add_fetch,
        stage_options.add_resolve,
        study_options.add_clean,
        study_options.add_schema,
        stage_options.add_problems,
        stage_options.add_reference,
        stage_options.add_weights,
        stage_options.add_train,
        stage_options.add_entropy,
        stage_options.add_sample,
        stage_options.add_adopt,
        study_options.add_exchange,
        stage_options.add_verify,
        stage_options.add_perplexity,
        stage_options.add_count,
        stage_options.add_analysis,
        study_options.add_review,
        stage_options.add_parts,
    )
    for add in adders:
        add(commands)
    return top
