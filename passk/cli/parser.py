"""The commands; every help text ends with an example."""

from __future__ import annotations

import argparse

from passk import __version__
from passk.cli import stages, studies


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="passk", description="Study pass@k at large k, by spec.")
    top.add_argument("--version", action="version", version=f"passk {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    adders = (
        studies.add_validate,
        studies.add_benchmarks,
        studies.add_plan,
        studies.add_where,
        studies.add_status,
        studies.add_cancel,
        studies.add_fetch,
        stages.add_resolve,
        studies.add_clean,
        studies.add_schema,
        stages.add_problems,
        stages.add_reference,
        stages.add_weights,
        stages.add_train,
        stages.add_entropy,
        stages.add_sample,
        stages.add_adopt,
        studies.add_exchange,
        stages.add_verify,
        stages.add_perplexity,
        stages.add_count,
        stages.add_analysis,
        studies.add_review,
        stages.add_parts,
    )
    for add in adders:
        add(commands)
    return top
