"""Loading a model with vLLM: our settings in its words, and its failures in ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.core.errors import EngineError
from passk.engines.base import ModelSource
from passk.engines.load_errors import explained
from passk.engines.model_location import Location, location, tokenizer_location
from passk.engines.processors import load_processor, takes_images
from passk.engines.tokens import PromptTokenizer, ending_tokens, warn_of_penalties
from passk.engines.vllm.adapters import adapter_options
from passk.engines.vllm.watchdog import guard

if TYPE_CHECKING:
    import vllm

CPU_SETTINGS = {"VLLM_CPU_KVCACHE_SPACE": "4"}
"""Environment of the CPU build where the user has not set it: GB of keys and values."""

PASSED_ON = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "gpu_memory_utilization",
    "max_model_len",
)
"""Execution settings that vLLM knows by the same name."""

SCORED_AT_ONCE = 2048
"""Tokens of one pass when scoring: vLLM holds their logits over the whole vocabulary (16324)."""

GGUF_READERS = ("vllm.model_executor.model_loader.gguf_loader", "vllm_gguf_plugin")
"""Modules with which vLLM reads GGUF: its own until 0.24, and the plugin, which needs CUDA."""


def on_cpu() -> bool:
    """Return whether this vLLM is a CPU build."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def load(source: ModelSource, *, scoring: bool) -> vllm.LLM:
    """Return vLLM's `LLM` for sampling, or for scoring.

    Raises:
        EngineError: vLLM cannot load it; the message is vLLM's own.
    """
    where = location(source)  # fails at once, not after the seconds of a start
    _check_format(source, where)
    guard()
    if on_cpu():
        set_up_cpu(source.execution)
    from vllm import LLM

    with explained(source):
        return LLM(**vllm_options(source, scoring=scoring))


def _check_format(source: ModelSource, where: Location) -> None:
    """Raise where the weights are a GGUF file and this vLLM reads none."""
    if "gguf_file" in where and not any(_is_there(name) for name in GGUF_READERS):
        raise EngineError(
            "this vLLM does not read GGUF files",
            where=source.weights,
            fix="use `engine: transformers`, which does, or a folder of safetensors; "
            "with CUDA, `pip install vllm-gguf-plugin`",
        )


def _is_there(module: str) -> bool:
    """Return whether a module could be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it would be in
        return False


def load_tokenizer(source: ModelSource) -> PromptTokenizer:
    """Return the model's tokenizer, with the processor of its images where it takes any."""
    import transformers

    where = location(source)
    with explained(source):
        tokenizer = transformers.AutoTokenizer.from_pretrained(**tokenizer_location(source))
        config = transformers.AutoConfig.from_pretrained(**where)
        processor = load_processor(where) if takes_images(config) else None
        generation = None
        if "gguf_file" not in where:
            rest = dict(where)
            name = rest.pop("pretrained_model_name_or_path")
            with suppress(OSError):  # not every model has one
                generation = transformers.GenerationConfig.from_pretrained(name, **rest)
    warn_of_penalties(generation, source.weights)
    ending, template = ending_tokens(generation, tokenizer), source.chat_template_kwargs
    return PromptTokenizer(tokenizer, ending, processor, template)


def vllm_options(source: ModelSource, *, scoring: bool) -> dict[str, object]:
    """Return the arguments of vLLM's `LLM`."""
    local = Path(source.weights).expanduser()
    options: dict[str, object] = {
        "model": str(local) if local.exists() else source.weights,
        "revision": source.revision,
        "dtype": source.dtype,
        "enable_prefix_caching": not scoring,
        "disable_log_stats": True,
    }
    if scoring:
        options["max_num_batched_tokens"] = SCORED_AT_ONCE
    if source.execution.get("entropy"):
        options["max_logprobs"] = -1
    if on_cpu():
        options |= {"enforce_eager": True, "block_size": 32}
    if on_cpu() and not scoring:
        # A seeded request whose prompt is cut into parts ends vLLM's worker on a CPU: it winds the
        # generator back, which CPU generators cannot ("CPU Generator does not use offset").
        options["enable_chunked_prefill"] = False
    named = {key: source.execution[key] for key in PASSED_ON if key in source.execution}
    if "batch_size" in source.execution:
        named["max_num_seqs"] = source.execution["batch_size"]
    adapters = adapter_options(source, scoring=scoring)
    return options | adapters | named | dict(source.engine_kwargs)


def set_up_cpu(execution: Mapping[str, Any]) -> None:
    """Have the CPU build use this job's cores, and compile nothing where no compiler is."""
    cores = sorted(os.sched_getaffinity(0))[: execution.get("threads") or None]
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(map(str, cores)))
    for name, value in CPU_SETTINGS.items():
        os.environ.setdefault(name, value)
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
