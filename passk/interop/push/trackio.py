"""Trackio: a run whose steps are k, with tables, figures and an artifact of all files.

Runs are local (`TRACKIO_DIR`), or in a space of the hub (`TRACKIO_SPACE_ID`).
"""

from __future__ import annotations

import os

import trackio
from huggingface_hub import get_token

from passk.core.errors import PasskError
from passk.interop.push.core import Bundle
from passk.interop.push.runs import log_bundle


class Trackio:
    """Pushes to a project."""

    def check(self) -> None:
        """Raise if there is a space, and no token for it."""
        if os.environ.get("TRACKIO_SPACE_ID") and not get_token():
            raise PasskError(
                "no token for the space in TRACKIO_SPACE_ID",
                fix="set HF_TOKEN, run `hf auth login`, or unset TRACKIO_SPACE_ID",
            )

    def push(self, bundle: Bundle) -> str:
        """Log a run, in place of a local one of the same tables."""
        space = os.environ.get("TRACKIO_SPACE_ID")
        if not space:
            _delete(bundle)
        run = trackio.init(
            bundle.project,
            name=bundle.run,
            space_id=space,
            config=dict(bundle.spec),
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
        log_bundle(trackio, run, bundle)
        trackio.finish()
        return f"https://huggingface.co/spaces/{space}" if space else str(trackio.TRACKIO_DIR)


def _delete(bundle: Bundle) -> None:
    """Delete the runs of the same tables."""
    try:
        runs = list(trackio.Api().runs(bundle.project))
    except ValueError:  # no such project yet
        return
    for run in runs:
        if run.name == bundle.run:
            run.delete()
