"""Where weights are: in a local folder or file, or on a hub."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from passk.core.errors import EngineError
from passk.engines.base import ModelSource

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
"""Files of weights that transformers loads."""

CONFIG, TOKENIZER = "config.json", "tokenizer*"

VERL = "python -m verl.model_merger merge --backend {} "
VERL += "--local_dir {{folder}} --target_dir {{merged}}"


@dataclass(frozen=True, slots=True)
class ShardFormat:
    """A trainer's checkpoint in shards.

    Attributes:
        pattern: a file of it.
        trainer: who writes it.
        module: what merges it.
        command: how, with places for the folder and the merged one.
    """

    pattern: str
    trainer: str
    module: str
    command: str

    def merge_command(self, folder: Path, merged: Path | str) -> list[str]:
        """Return the command that merges a folder."""
        paths = {"folder": str(folder), "merged": str(merged)}
        return [part.format(**paths) for part in self.command.split()]


SHARDS = (
    ShardFormat("model_world_size_*_rank_*.pt", "verl (FSDP)", "verl", VERL.format("fsdp")),
    ShardFormat("dist_ckpt", "verl (Megatron)", "verl", VERL.format("megatron")),
    ShardFormat("*.distcp", "FSDP", "accelerate", "accelerate merge-weights {folder} {merged}"),
    ShardFormat(
        "global_step*/*_states.pt",
        "DeepSpeed",
        "deepspeed",
        "python {folder}/zero_to_fp32.py {folder} {merged} --safe_serialization",
    ),
)
"""Checkpoints in shards that are recognised.

Sources: verl's docs (advance/checkpoint), `accelerate merge-weights --help`, and the first lines
of zero_to_fp32.py, which DeepSpeed puts into each checkpoint.
"""


class Location(TypedDict, total=False):
    """Arguments that tell transformers' `from_pretrained` where the weights are."""

    pretrained_model_name_or_path: str
    gguf_file: str
    local_files_only: bool
    revision: str


def location(source: ModelSource) -> Location:
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
        _check_folder(path, own_tokenizer="tokenizer" not in source.engine_kwargs)
        return {"pretrained_model_name_or_path": str(path), "local_files_only": True}
    if path.is_absolute() or source.weights.startswith((".", "~")) or source.weights.count("/") > 1:
        raise EngineError(
            "no such file or folder of weights",
            where=source.weights,
            fix="check `weights` of the model in the spec",
        )
    return {"pretrained_model_name_or_path": source.weights, "revision": source.revision or "main"}


def tokenizer_location(source: ModelSource) -> Location:
    """Return the arguments that tell transformers where the tokenizer is.

    Raises:
        EngineError: see `location`.
    """
    name = source.engine_kwargs.get("tokenizer")
    if name is None:
        return location(source)
    path = Path(name).expanduser()
    if path.is_dir():
        return {"pretrained_model_name_or_path": str(path), "local_files_only": True}
    revision = source.engine_kwargs.get("tokenizer_revision") or "main"
    return {"pretrained_model_name_or_path": name, "revision": revision}


def _check_folder(path: Path, *, own_tokenizer: bool) -> None:
    """Raise where a local folder lacks a part of a model: what it is instead, and what to do."""
    if is_adapter(path):
        what = "this is a LoRA adapter, not a model"
        fix = "give its base model as `weights`, and this folder under `adapters`"
    elif not any(file for pattern in WEIGHTS for file in path.glob(pattern)):
        what, fix = _merge_hint(path) or (
            f"the folder has no {WEIGHTS[0]}: the weights are missing",
            "name the folder where the training saved its weights; do not copy those of its base",
        )
    elif not any(path.glob(CONFIG)):
        what = f"the folder has no {CONFIG}: the model's configuration is missing"
        fix = f"copy {CONFIG} of the model that it was trained from into it"
    elif own_tokenizer and not any(path.glob(TOKENIZER)):
        what = f"the folder has no {TOKENIZER}: the tokenizer is missing"
        fix = (
            "copy the tokenizer of the model that it was trained from into it "
            "(tokenizer.json, tokenizer_config.json, chat_template.jinja)"
        )
    else:
        return
    raise EngineError(what, where=str(path), fix=fix)


def is_adapter(path: Path) -> bool:
    """Return whether a folder holds a LoRA adapter and no whole model."""
    weights = {file.name for pattern in WEIGHTS for file in path.glob(pattern)}
    return (path / "adapter_config.json").is_file() and weights <= {"adapter_model.safetensors"}


def find_shards(path: Path) -> tuple[ShardFormat, Path] | None:
    """Return which trainer's shards a folder holds, and the folder they are in; None for none."""
    folders = [path, path / "actor", *sorted(path.glob("pytorch_model_fsdp_*"))]
    if path.name == "huggingface":  # verl puts configuration and tokenizer beside the shards
        folders.append(path.parent)
    for folder in folders:
        for form in SHARDS:
            if any(folder.glob(form.pattern)):
                return form, folder
    return None


def _merge_hint(path: Path) -> tuple[str, str] | None:
    """Return that a folder holds a trainer's shards, and how to merge them; None for none."""
    found = find_shards(path)
    if found is None:
        return None
    form, folder = found
    merged = f"{folder}-merged"
    command = shlex.join(["passk", "merge", str(path), "-o", merged])
    what = f"the folder holds shards that {form.trainer} wrote, not a whole model"
    return what, (
        f"merge them with `{command}`, which runs "
        f"`{shlex.join(form.merge_command(folder, merged))}`; then give {merged} as `weights`"
    )
