"""What the commands' options have in common: how they are added, and what their texts mean."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Handler = Callable[[argparse.Namespace], None]


def add_command(
    commands: Any, name: str, handler: Handler, summary: str, example: str
) -> argparse.ArgumentParser:
    """Add a command whose help ends with an example."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(handler=handler)
    return command


def add_output(command: argparse.ArgumentParser, what: str, **more: Any) -> None:
    """Add -o and --log."""
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help=what, **more
    )
    command.add_argument("--log", type=Path, metavar="FILE", help="keep messages in a file, too")


def add_path(command: argparse.ArgumentParser, flag: str, what: str, **more: Any) -> None:
    """Add a required option that takes a path."""
    command.add_argument(flag, type=Path, required=True, metavar="FILE", help=what, **more)


def add_spec(command: argparse.ArgumentParser) -> None:
    """Add the spec that a command is about."""
    command.add_argument("spec", type=Path)


def add_json(command: argparse.ArgumentParser) -> None:
    """Add --json."""
    command.add_argument("--json", action="store_true", help="for programs")


def add_problem_rows(command: argparse.ArgumentParser, **more: Any) -> None:
    """Add --problems."""
    add_path(command, "--problems", "Parquet file of Problem rows", **more)


def add_machine(command: argparse.ArgumentParser) -> None:
    """Add what a stage that loads a model takes of the machine."""
    command.add_argument("--threads", type=positive, metavar="N", help="CPU threads")
    command.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs to claim")


def add_wait(command: argparse.ArgumentParser) -> None:
    """Add --wait."""
    command.add_argument(
        "--wait",
        action="store_true",
        help="wait for a process that writes the same output, and make nothing that it has made",
    )


def add_grading(command: argparse.ArgumentParser) -> None:
    """Add the options of grading."""
    command.add_argument("--verifier", required=True, help="math, number, ...")
    command.add_argument(
        "--options", type=json_object, default={}, metavar="JSON", help="the verifier's options"
    )
    command.add_argument("--workers", type=positive, default=1, metavar="N", help="processes")


def indices(text: str) -> range:
    """Return `0-64` as the indices 0 to 63."""
    first, _, last = text.replace(":", "-").partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST-LAST, such as 0-64")
    return range(int(first), int(last))


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def json_list(text: str) -> list[str]:
    """Return a JSON list of texts."""
    value = _json(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise argparse.ArgumentTypeError("not a JSON list of texts, such as '[\"7\"]'")
    return value


def json_object(text: str) -> dict[str, Any]:
    """Return a JSON object."""
    value = _json(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('not a JSON object, such as \'{"percent": "lenient"}\'')
    return value


def _json(text: str) -> Any:
    """Return what a JSON text says."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
