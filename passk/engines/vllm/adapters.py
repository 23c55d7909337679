"""LoRA adapters: vLLM's options for loading a model with one, and for each request.

vLLM wraps every layer that an adapter could change, the output layer among them. There it applies
an adapter to sampled tokens only; those of a prompt, which scoring asks for, end it (on a CPU) or
get what an earlier step left behind. So it wraps only the layers that the adapter changes, and
an adapter of the output layer is not scored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from passk.core.errors import EngineError
from passk.engines.base import ModelSource
from passk.engines.load_errors import explained

if TYPE_CHECKING:
    from vllm.lora.request import LoRARequest

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of LoRA adapters that vLLM makes room for."""

OUTPUT_LAYER = "lm_head"


def lora(adapters: Sequence[str]) -> LoRARequest | None:
    """Return the adapter of each request, or None."""
    if not adapters:
        return None
    from vllm.lora.request import LoRARequest

    local = Path(adapters[0]).expanduser()
    return LoRARequest("adapter", 1, str(local) if local.is_dir() else adapters[0])


def adapter_options(source: ModelSource, *, scoring: bool) -> dict[str, object]:
    """Return vLLM's options that make room for an adapter.

    Raises:
        EngineError: there are several, it is not there or none, or its output layer is to score.
    """
    if not source.adapters:
        return {}
    if len(source.adapters) > 1:
        raise EngineError("the vllm engine applies one adapter", fix="merge the adapters first")
    name = source.adapters[0]
    try:
        config = json.loads(_config_file(name).read_text())
        rank, layers = int(config["r"]), _layers(config["target_modules"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"not the folder of a LoRA adapter: {error!r}",
            where=name,
            fix="it should hold adapter_config.json and adapter_model.safetensors",
        ) from error
    if scoring and (layers is None or OUTPUT_LAYER in layers):
        raise EngineError(
            "vLLM cannot score with an adapter that may change the output layer",
            where=name,
            fix="score with `engine: transformers`, or merge the adapter into the model",
        )
    options: dict[str, object] = {
        "enable_lora": True,
        "max_lora_rank": min((r for r in RANKS if r >= rank), default=rank),
    }
    return options | ({} if layers is None else {"lora_target_modules": layers})


def _layers(targets: str | list[str]) -> list[str] | None:
    """Return the last parts of the names of changed layers; None for a pattern of names."""
    if isinstance(targets, str):
        return None
    return sorted({str(name).rpartition(".")[2] for name in targets})


def _config_file(name: str) -> Path:
    """Return an adapter's adapter_config.json, in its folder or of a hub."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder / "adapter_config.json"
    from huggingface_hub import hf_hub_download

    with explained(ModelSource(name)):
        return Path(hf_hub_download(name, "adapter_config.json"))
