"""Weights & Biases: a run whose steps are k, with tables, figures and an artifact of all files.

Its id is the tables' digest, so that the same study is one run. `WANDB_MODE=offline` writes the
run to `./wandb`, for `wandb sync`.
"""

from __future__ import annotations

import os
from pathlib import Path

import wandb

from passk.core.errors import PasskError
from passk.interop.push.core import Bundle
from passk.interop.push.runs import log_bundle


class Wandb:
    """Pushes to a project, `PROJECT` or `ENTITY/PROJECT`."""

    def check(self) -> None:
        """Raise if there is no key for the server."""
        offline = os.environ.get("WANDB_MODE") in {"offline", "dryrun"}
        stored = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
        if not offline and not os.environ.get("WANDB_API_KEY") and not stored.is_file():
            raise PasskError(
                "no key for Weights & Biases",
                fix="set WANDB_API_KEY, run `wandb login`, or set WANDB_MODE=offline",
            )

    def push(self, bundle: Bundle) -> str:
        """Log a run."""
        entity, _, project = bundle.project.rpartition("/")
        run = wandb.init(
            entity=entity or None,
            project=project,
            name=bundle.run,
            id=bundle.digest,
            resume="allow",
            config=dict(bundle.spec),
            settings=wandb.Settings(silent=True),
        )
        log_bundle(wandb, run, bundle)
        location = run.url or run.settings.sync_dir
        run.finish()
        return str(location)
