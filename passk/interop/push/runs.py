"""What Weights & Biases and Trackio log alike: their interfaces are the same."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from passk.interop.push.core import Bundle


def log_bundle(library: ModuleType, run: Any, bundle: Bundle) -> None:
    """Log pass@k with k as the step, then tables and figures, and all files as an artifact."""
    last = 0
    for k, values in bundle.curves():
        run.log(values, step=k)
        last = k
    shown = {f"tables/{name}": library.Table(dataframe=table) for name, table in bundle.tables()}
    images = {
        f"figures/{name}": library.Image(str(path), caption=caption)
        for name, path, caption in bundle.figures()
    }
    run.log({**shown, **images}, step=last)
    artifact = library.Artifact(f"passk-{bundle.study}", type="results")
    artifact.add_dir(str(bundle.folder))
    run.log_artifact(artifact)
