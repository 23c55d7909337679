"""Where weights are: in a local folder or file, or on a hub."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TypedDict

from passk.core.errors import EngineError
from passk.engines.base import ModelSource

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
"""Files of weights that transformers loads."""

CONFIG, TOKENIZER = "config.json", "tokenizer*"

VERL = "`python -m verl.model_merger merge --backend {} --local_dir {{folder}} "
VERL += "--target_dir {{merged}}`"
BASE_FILES = " and copy the base model's config.json and tokenizer into it"

SHARDS = (
    (
        "model_world_size_*_rank_*.pt",
        "verl (FSDP)",
        VERL.format("fsdp"),
    ),
    (
        "dist_ckpt",
        "verl (Megatron)",
        VERL.format("megatron"),
    ),
    ("*.distcp", "FSDP", "`accelerate merge-weights {folder} {merged}`" + BASE_FILES),
    (
        "global_step*/*_states.pt",
        "DeepSpeed",
        "`python {folder}/zero_to_fp32.py {folder} {merged} --safe_serialization`" + BASE_FILES,
    ),
)
"""Files of a checkpoint in shards, who writes them, and how to merge them.

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
    """Raise where a local folder lacks a part of a model: what it is instead, and what to do."""
    weights = {file.name for pattern in WEIGHTS for file in path.glob(pattern)}
    if (path / "adapter_config.json").is_file() and weights <= {"adapter_model.safetensors"}:
        what = "this is a LoRA adapter, not a model"
        fix = "give its base model as `weights`, and this folder under `adapters`"
    elif not weights:
        what, fix = _merge_hint(path) or (
            f"the folder has no {WEIGHTS[0]}: the weights are missing",
            "name the folder where the training saved its weights; do not copy those of its base",
        )
    elif not any(path.glob(CONFIG)):
        what = f"the folder has no {CONFIG}: the model's configuration is missing"
        fix = f"copy {CONFIG} of the model that it was trained from into it"
    elif not any(path.glob(TOKENIZER)):
        what = f"the folder has no {TOKENIZER}: the tokenizer is missing"
        fix = (
            "copy the tokenizer of the model that it was trained from into it "
            "(tokenizer.json, tokenizer_config.json, chat_template.jinja)"
        )
    else:
        return
    raise EngineError(what, where=str(path), fix=fix)


def _merge_hint(path: Path) -> tuple[str, str] | None:
    """Return which trainer's shards a folder holds, and how to merge them; None for none."""
    folders = [path, path / "actor", *sorted(path.glob("pytorch_model_fsdp_*"))]
    if path.name == "huggingface":  # verl puts configuration and tokenizer beside the shards
        folders.append(path.parent)
    for folder in folders:
        for pattern, trainer, command in SHARDS:
            if any(folder.glob(pattern)):
                merged = f"{folder}-merged"
                how = command.format(folder=shlex.quote(str(folder)), merged=shlex.quote(merged))
                what = f"the folder holds shards that {trainer} wrote, not a whole model"
                return what, f"merge them: {how}; then give {merged} as `weights`"
    return None
