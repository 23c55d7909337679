"""Settings that pass through to an engine or a server: which decide a text, and what they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from passk.core.errors import did_you_mean
from passk.spec.models import Experiment, Model
from passk.spec.server_profiles import profile_of, server_profiles
from passk.spec.yaml_lines import KeyPath

ENGINES = {
    "api": ("openai",),
    "chat_template_kwargs": ("transformers", "vllm", "openai"),
    "extra_body": ("openai",),
    "engine_kwargs": ("vllm",),
}
"""Keys of a model -> the engines that take them."""


def _names(text: str) -> list[str]:
    """Return the names of a list that is written as one text."""
    return text.split()


COST_ONLY = {
    "extra_body": frozenset(
        _names(
            "service_tier user metadata store prompt_cache_key prompt_cache_retention "
            "safety_identifier priority cache_salt cache_prompt request_id keep_alive"
        )
    ),
    "engine_kwargs": frozenset(
        _names(
            "distributed_executor_backend nnodes node_rank master_addr master_port "
            "max_num_batched_tokens swap_space cpu_offload_gb enforce_eager block_size "
            "num_gpu_blocks_override kv_cache_memory_bytes enable_chunked_prefill async_scheduling "
            "scheduling_policy disable_custom_all_reduce compilation_config enable_expert_parallel "
            "download_dir max_parallel_loading_workers use_tqdm_on_load"
        )
    ),
}
"""Settings that change what a response costs, and its text by rounding at the most."""

IN_WEIGHTS = frozenset({"tokenizer", "tokenizer_revision"})
"""Arguments of vLLM that are identified with the weights: by content, if local."""

IN_SAMPLER = "it is the sampler's or passk's own; say it there"
IN_EXECUTION = "say it as `execution.{}`"

TAKEN: Mapping[str, Mapping[str, str]] = {
    "chat_template_kwargs": dict.fromkeys(
        _names(
            "conversation messages chat_template tokenize add_generation_prompt return_dict "
            "continue_final_message return_tensors padding truncation max_length "
            "return_assistant_tokens_mask tokenizer_kwargs"
        ),
        "passk sets it",
    ),
    "extra_body": dict.fromkeys(
        _names(
            "model messages prompt stream n seed stop temperature top_p top_k min_p max_tokens "
            "max_completion_tokens frequency_penalty logprobs stop_token_ids"
        ),
        IN_SAMPLER,
    )
    | {"chat_template_kwargs": "say it as `chat_template_kwargs` of the model"},
    "engine_kwargs": dict.fromkeys(
        _names(
            "enable_prefix_caching disable_log_stats max_logprobs logprobs_mode enable_lora "
            "max_lora_rank lora_target_modules skip_tokenizer_init seed generation_config"
        ),
        "passk sets it",
    )
    | {key: f"say it as `{key}` of the model" for key in ("dtype", "revision")}
    | {"model": "say it as `weights` of the model"}
    | {"max_num_seqs": IN_EXECUTION.format("batch_size")}
    | {
        key: IN_EXECUTION.format(key)
        for key in (
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "data_parallel_size",
            "gpu_memory_utilization",
            "max_model_len",
        )
    },
}
"""Names that cannot stand in each key, and what to do instead."""


def text_settings(model: Model) -> dict[str, object]:
    """Return what of `extra_body` and `engine_kwargs` decides a model's texts."""
    found: dict[str, object] = {}
    for key, cost_only in COST_ONLY.items():
        values = {k: v for k, v in getattr(model, key).items() if k not in cost_only | IN_WEIGHTS}
        if values:
            found[key] = values
    return found


def passthrough_faults(experiment: Experiment, model: Model) -> Iterator[tuple[KeyPath, str]]:
    """Yield settings that the model's engine does not take, or that belong elsewhere."""
    path: KeyPath = ("models", model.entry)
    for key, engines in ENGINES.items():
        if not getattr(model, key):
            continue
        if model.engine not in engines:
            yield (*path, key), f"only `engine: {' or '.join(engines)}` takes it"
            continue
        for name, instead in TAKEN.get(key, {}).items():
            if name in getattr(model, key):
                yield (*path, key, name), f"it cannot stand here: {instead}"
    if model.train is not None and IN_WEIGHTS & model.engine_kwargs.keys():
        yield (*path, "engine_kwargs"), "a trained model has the tokenizer of its training"
    if model.engine == "openai":
        yield from _server_faults(experiment, model, path)


def _server_faults(
    experiment: Experiment, model: Model, path: KeyPath
) -> Iterator[tuple[KeyPath, str]]:
    """Yield what the model's server does not take, where the spec says which server it is."""
    if model.api is not None and model.api not in server_profiles():
        yield (*path, "api"), f"unknown server; {did_you_mean(model.api, server_profiles())}"
    profile = profile_of(model.api, model.endpoint)
    if profile is None:
        return
    if model.chat_template_kwargs and not profile.chat_template_kwargs:
        what = f"the server ('{profile.name}') takes none; see `extra_body` for settings of its own"
        yield (*path, "chat_template_kwargs"), what
    if model.execution.get("batch_api") and not profile.batch:
        yield (*path, "execution", "batch_api"), f"the server ('{profile.name}') has no Batch API"
    for name in model.samplers or experiment.samplers:
        sampler = experiment.samplers.get(name)
        if sampler is not None and sampler.match_entropy is None:
            for what in profile.unsupported(sampler.sampling):
                yield ("samplers", name), f"{what}, and '{model.name}' is sampled with it"
