"""One of several processes that train together; `passk.training.torchrun` starts them."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from passk.core.errors import PasskError
from passk.training.checkpointing import CheckpointManager
from passk.training.task import read_training
from passk.training.torchrun import MARK


def main(message: str) -> int:
    """Train what the message describes; return the exit status."""
    order = json.loads(message)
    first = os.environ.get("RANK") == "0"
    if first:
        logging.basicConfig(stream=sys.stderr, format="%(message)s")
    task = read_training(Path(order["task"]), Path(order["problems"]), order["threads"])
    manager = CheckpointManager(task, Path(order["folder"]), tuple(order["due"]))
    if first:
        manager.progress = _progress
    from passk.training.run import run

    try:
        run(manager)
    except PasskError as error:
        _send(what=error.what, where=error.where, fix=error.fix)
        return 1
    return 0


def _progress(done: int, total: int, note: str) -> None:
    """Tell how far the training is."""
    _send(done=done, total=total, note=note)


def _send(**report: object) -> None:
    """Say something to the process that launched."""
    sys.stdout.write(f"{MARK}{json.dumps(report)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
