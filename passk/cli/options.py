"""Options that several commands share, and the values that options take."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from passk.cli.command import Option, option


def file_option(name: str, what: str, **settings: Any) -> Option:
    """Return a required option that takes a path."""
    return option(name, type=Path, required=True, metavar="FILE", help=what, **settings)


def output(what: str, **settings: Any) -> tuple[Option, Option]:
    """Return -o and --log."""
    settings.setdefault("required", True)
    return (
        option("-o", "--output", type=Path, metavar="FILE", help=what, **settings),
        option("--log", type=Path, metavar="FILE", help="also write messages to this file"),
    )


def problem_rows(**settings: Any) -> Option:
    """Return --problems."""
    return file_option("--problems", "Parquet file of Problem rows", **settings)


def whole_number(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def seconds(text: str) -> float:
    """Return a length of time in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def number_within(low: float, high: float, what: str) -> Callable[[str], float]:
    """Return a parser of numbers in [low, high), which errors call `what`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value < high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return value

    return parse


def index_range(text: str) -> range:
    """Return `0-64` as the indices 0 to 63."""
    first, _, last = text.replace(":", "-").partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST-LAST, such as 0-64")
    return range(int(first), int(last))


def optional_path(text: str) -> Path | None:
    """Return a path; an empty text, as a rule of the workflow may give, is none."""
    return Path(text) if text else None


def number_or_none(text: str) -> int | None:
    """Return a whole number; 0, as a rule of the workflow may give, is none."""
    return int(text) or None


def json_list(text: str) -> list[str] | None:
    """Return a JSON list of texts; an empty one, as a rule of the workflow may give, is none."""
    value = _parse_json(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise argparse.ArgumentTypeError("not a JSON list of texts, such as '[\"7\"]'")
    return value or None


def json_object(text: str) -> dict[str, object]:
    """Return a JSON object."""
    value = _parse_json(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('not a JSON object, such as \'{"percent": "lenient"}\'')
    return value


def _parse_json(text: str) -> Any:
    """Return the value of a JSON text."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error


SPEC = option("spec", type=Path, help="YAML file of the study")
AS_JSON = option("--json", dest="as_json", action="store_true", help="print JSON, for programs")
LOAD_MODEL = (
    option("--threads", type=whole_number, metavar="N", help="CPU threads"),
    option("--gpus", type=int, default=0, metavar="N", help="GPUs to claim"),
)
"""What a stage that loads a model takes of the machine."""

WAIT = option(
    "--wait",
    action="store_true",
    help="wait for a process that writes the same output, and keep what it has finished",
)
WORKERS = option("--workers", type=whole_number, default=1, metavar="N", help="processes")
VERIFIER = (
    option("--verifier", required=True, help="math, number, ..."),
    option(
        "--options",
        type=json_object,
        default={},
        metavar="JSON",
        help="the verifier's options",
    ),
    WORKERS,
)
