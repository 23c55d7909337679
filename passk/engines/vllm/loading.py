"""Loading a model with vLLM: our settings in its words, and its failures in ours."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passk.engines.base import ModelSource
from passk.engines.places import location
from passk.engines.processors import load_processor, takes_images
from passk.engines.tokens import PromptTokenizer
from passk.engines.troubles import explained
from passk.engines.vllm.watchdog import guard
from passk.errors import EngineError

CPU_SETTINGS = {"VLLM_CPU_KVCACHE_SPACE": "4"}
"""Environment of the CPU build where the user has not set it: GB of keys and values."""

EXECUTION = {
    "tensor_parallel": "tensor_parallel_size",
    "pipeline_parallel": "pipeline_parallel_size",
    "data_parallel": "data_parallel_size",
    "gpu_memory": "gpu_memory_utilization",
    "max_model_len": "max_model_len",
    "batch_size": "max_num_seqs",
}
"""Our execution settings -> vLLM's names for them."""

SCORED_AT_ONCE = 2048
"""Tokens of one pass when scoring: vLLM holds their logits over the whole vocabulary (16324)."""

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of LoRA adapters that vLLM makes room for."""


def on_cpu() -> bool:
    """Tell whether this vLLM is a CPU build."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def load(source: ModelSource, *, scoring: bool) -> Any:
    """Return vLLM's `LLM` for sampling, or for scoring.

    Raises:
        EngineError: vLLM cannot load it; the message is vLLM's own.
    """
    where = location(source)  # tells what is missing at once, not after the seconds of a start
    guard()
    if on_cpu():
        _set_up_cpu(source.execution)
    import vllm

    with explained(source):
        return vllm.LLM(**_options(source, where, scoring=scoring))


def load_tokenizer(source: ModelSource) -> PromptTokenizer:
    """Return the model's tokenizer, with the processor of its images where it takes any."""
    import transformers

    where = location(source)
    with explained(source):
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        config = transformers.AutoConfig.from_pretrained(**where)
        processor = load_processor(where) if takes_images(config) else None
    return PromptTokenizer(tokenizer, _ending(where, tokenizer), processor)


def _ending(where: Mapping[str, Any], tokenizer: Any) -> frozenset[int]:
    """Return the ids at which vLLM ends a response."""
    from transformers import GenerationConfig

    listed: Any = None
    if "gguf_file" not in where:
        try:
            name = where["pretrained_model_name_or_path"]
            more = {key: where[key] for key in where if key != "pretrained_model_name_or_path"}
            listed = GenerationConfig.from_pretrained(name, **more).eos_token_id
        except OSError:  # not every model has one
            listed = None
    ids = set(listed) if isinstance(listed, list) else {listed}
    return frozenset(ids | {tokenizer.eos_token_id}) - {None}


def _options(source: ModelSource, where: Mapping[str, Any], *, scoring: bool) -> dict[str, Any]:
    """Return the arguments of vLLM's `LLM`."""
    options: dict[str, Any] = {
        "model": str(Path(source.weights).expanduser()) if where.get("local_files_only") else None,
        "revision": source.revision,
        "dtype": source.dtype,
        "enable_prefix_caching": not scoring,
        "disable_log_stats": True,
    }
    options["model"] = options["model"] or source.weights
    if scoring:
        options["max_num_batched_tokens"] = SCORED_AT_ONCE
    if source.execution.get("entropy"):
        options["max_logprobs"] = -1
    if on_cpu():
        options |= {"enforce_eager": True, "block_size": 32}
    named = {EXECUTION[key]: value for key, value in source.execution.items() if key in EXECUTION}
    return options | _adapter_options(source) | named


def _adapter_options(source: ModelSource) -> dict[str, Any]:
    """Return what vLLM must be told to make room for an adapter.

    Raises:
        EngineError: there are several, or the folder of a local one is no adapter's.
    """
    if not source.adapters:
        return {}
    if len(source.adapters) > 1:
        raise EngineError("the vllm engine applies one adapter", fix="merge the adapters first")
    folder = Path(source.adapters[0]).expanduser()
    if not folder.is_dir():  # one of a hub, which vLLM downloads
        return {"enable_lora": True, "max_lora_rank": max(RANKS)}
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text())["r"])
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            f"not the folder of a LoRA adapter: {error!r}",
            where=str(folder),
            fix="it should hold adapter_config.json and adapter_model.safetensors",
        ) from error
    return {"enable_lora": True, "max_lora_rank": min(r for r in RANKS if r >= rank)}


def _set_up_cpu(execution: Mapping[str, Any]) -> None:
    """Have the CPU build use this job's cores."""
    cores = sorted(os.sched_getaffinity(0))[: execution.get("threads") or None]
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(map(str, cores)))
    for name, value in CPU_SETTINGS.items():
        os.environ.setdefault(name, value)
