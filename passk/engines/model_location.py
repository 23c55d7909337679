"""Where weights are: in a local folder or file, or on a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from passk.core.errors import EngineError
from passk.engines.base import ModelSource

PARTS = {
    "config.json": "the model's configuration",
    "*.safetensors": "weights",
    "tokenizer*": "a tokenizer",
}
"""What a folder of a model holds."""


def location(source: ModelSource) -> dict[str, Any]:
    """Return the arguments that tell transformers where the weights are.

    Raises:
        EngineError: a local file or folder is not there, or a folder lacks a part of a model.
    """
    path = Path(source.weights).expanduser()
    if path.is_file():
        return {
            "pretrained_model_name_or_path": str(path.parent),
            "gguf_file": path.name,
            "local_files_only": True,
        }
    if path.is_dir():
        _check_folder(path)
        return {"pretrained_model_name_or_path": str(path), "local_files_only": True}
    if path.is_absolute() or source.weights.startswith((".", "~")) or source.weights.count("/") > 1:
        raise EngineError(
            "no such file or folder of weights",
            where=source.weights,
            fix="check `weights` of the model in the spec",
        )
    return {"pretrained_model_name_or_path": source.weights, "revision": source.revision or "main"}


def _check_folder(path: Path) -> None:
    """Raise where a local folder lacks a part of a model."""
    for pattern, what in PARTS.items():
        if not any(path.glob(pattern)) and not (what == "weights" and any(path.glob("*.bin"))):
            raise EngineError(
                f"the folder has no {pattern}: {what} is missing",
                where=str(path),
                fix="copy the files of the model that it was made from into it",
            )
