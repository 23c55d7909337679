"""Keys of specs that have another name since 0.1.0: an old one gets a message with the new one."""

from __future__ import annotations

from collections.abc import Mapping

TRAIN: Mapping[str, str] = {
    "prompts": "prompts_per_step",
    "group": "num_generations",
    "warmup": "warmup_steps",
    "kl": "beta",
    "clip": "epsilon",
    "clip_high": "epsilon_high",
    "passes": "num_iterations",
    "refills": "max_resamples",
    "overlong": "overlong_buffer",
    "value_clip": "cliprange_value",
    "lambda": "lam",
}
"""Of a training: TRL's names, where TRL has the setting."""

EXECUTION: Mapping[str, str] = {
    "tensor_parallel": "tensor_parallel_size",
    "pipeline_parallel": "pipeline_parallel_size",
    "data_parallel": "data_parallel_size",
    "gpu_memory": "gpu_memory_utilization",
    "training_gpu_memory": "vllm_gpu_memory_utilization",
    "save_every": "save_steps",
    "accumulate": "gradient_accumulation_steps",
    "processes": "num_processes",
    "tokens_at_once": "max_tokens_per_pass",
}
"""Of a model's execution: vLLM's, TRL's and accelerate's names."""

RENAMED: Mapping[str, str] = {
    "models.*.key": "api_key_env",
    **{f"models.*.train.{old}": new for old, new in TRAIN.items()},
    **{f"models.*.execution.{old}": new for old, new in EXECUTION.items()},
}
"""Old key path (`*` is any name) -> the new name of its last key."""


def find_new_name(path: tuple[str | int, ...]) -> str | None:
    """Return the new name of the last key of a path, or None where it was not renamed.

    >>> find_new_name(("models", "grpo@{step}", "train", "group"))
    'num_generations'
    """
    for old, new in RENAMED.items():
        parts = old.split(".")
        if len(parts) == len(path) and all(
            part in ("*", key) for part, key in zip(parts, path, strict=True)
        ):
            return new
    return None
