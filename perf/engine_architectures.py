"""Which architectures the transformers engine runs, and how: every causal one that builds small.

    python perf/engine_architectures.py [MODEL_TYPE ...] [--markdown FILE.md] [--weights 0.02]

Each is built from a small random configuration in float32 and loaded as a user's model is. To a
short and a long prompt, responses are drawn greedily and at temperature 1, and scored; they outgrow
the configuration's windows, chunks and first context. The sums of log P are compared with plain
forward passes of transformers' own attention, one for each token with all that comes before it.
"""

from __future__ import annotations

import argparse
import inspect
import json
import multiprocessing
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

WINDOW = 12

SMALL: dict[str, Any] = {
    r"(unpadded_)?vocab_size(_per_layer_input)?": 300,
    r"hidden_size|n_embd|d_model|embedding_size|hidden_size_per_layer_input": 64,
    r"(.*intermediate_size|ffn_hidden_size|expert_ffn_hidden_size|.*ffn_dim|n_inner|d_inner)": 96,
    r"num_hidden_layers|n_layers?|num_layers|(en|de)coder_layers": 4,
    r"num_attention_heads|n_heads?|(mamba_|linear_)?num_heads|(en|de)coder_attention_heads": 4,
    r"(linear_num_value|mamba_n|lru)_heads|n_mamba_heads": 4,
    r"num_key_value_heads|num_kv_heads|num_global_key_value_heads": 2,
    r"linear_num_key_heads": 2,
    r"((global|mamba|index|v|linear(_key|_value)?|qk_(rope|nope))_)?head_dim": 16,
    r"(mamba_d|ssm)_state(_size)?|state_size|(mamba_)?chunk_size|block_size": 16,
    r"(mamba_)?expand|(mamba_)?n_?groups|num_mtp_layers|num_nextn_predict_layers": 1,
    r"mamba_d_ssm|lru_width": 64,
    r"rotary_dim": 8,
    r"use_sliding_window": True,
    r"max_window_layers": 2,
    r"n_shared_experts": 1,
    r"num_kv_shared_layers": 0,
    r"max_position_embeddings|n_positions|n_ctx|max_seq_len": 256,
    r"sliding_window(_size)?|.*attention_chunk_size|.*window_size|local_attention": WINDOW,
    r"index_topk|keep_window_size": WINDOW,
    r"num_(local_)?experts|n_routed_experts": 4,
    r"num_experts_per_tok|moe_topk|zero_expert_num": 2,
    r"q_lora_rank": 24,
    r"kv_lora_rank": 16,
    r"first_k_dense_replace|n_group|topk_group": 1,
    r"attn_layer_indices": [1, 3],
    r"attention_types": [[["global", "local"], 2]],
    r"initializer_range|init_std": 0.2,
    r"bos_token_id|pad_token_id": 0,
    r"eos_token_id": 1,
    r"is_decoder": True,
}
"""Names of settings, as patterns, and their small values: a model takes those that it knows."""

MINUTES = 2
"""Time for one architecture."""

LARGEST = 20_000_000
"""Weights of a model that counts as small."""

PROMPTS = {"short": "ab", "long": "The answer is 4, so"}

TOKENS = 16
"""Tokens of a response: more than a window."""


class Result(NamedTuple):
    """What became of an architecture: how it runs, the largest difference in nats, and why."""

    name: str
    how: str
    worst: float = 0.0
    why: str = ""


def small_config(kind: Any, weights: float) -> Any:
    """Return a small configuration of a class."""
    known = set(inspect.signature(kind.__init__).parameters) | set(dir(kind))
    known |= set(getattr(kind, "__annotations__", {}))
    known -= {name for name in known if isinstance(getattr(kind, name, None), property)}
    given = {
        name: value
        for name in known
        for pattern, value in SMALL.items()
        if re.fullmatch(pattern, name)
    }
    given |= {name: weights for name in ("initializer_range", "init_std") if name in known}
    if "kv_lora_rank" in known:  # latent attention has a key of each head
        given["num_key_value_heads"] = given["num_attention_heads"]
    if "rope_parameters" in known and "original_max_position_embeddings" in known:
        factors = {"short_factor": [1.0] * 8, "long_factor": [3.0] * 8}
        given["rope_parameters"] = {"rope_type": "longrope", "rope_theta": 1e4} | factors
        given["original_max_position_embeddings"] = WINDOW
    return kind(**given)


def build(name: str, folder: Path, weights: float) -> None:
    """Save a small random model and a tokenizer."""
    import torch
    import transformers
    from tiny_models import byte_tokenizer

    torch.manual_seed(0)
    kind = transformers.models.auto.configuration_auto.CONFIG_MAPPING[name]
    config = small_config(kind, weights)
    with torch.device("meta"):
        empty = transformers.AutoModelForCausalLM.from_config(config)
    if sum(weight.numel() for weight in empty.parameters()) > LARGEST:
        raise ValueError("it stays large")
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)


def check(name: str, folder: Path) -> Result:
    """Compare what the engine draws and scores with plain forward passes."""
    import transformers

    from passk.core.errors import EngineError
    from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
    from passk.engines.transformers import TransformersEngine
    from passk.engines.transformers.boundaries import packed_limit

    try:
        engine = TransformersEngine.load(ModelSource(str(folder), execution={"threads": 1}))
        prompts = {key: Prompt(text=text) for key, text in PROMPTS.items()}
        rows = []
        for temperature, numbers in ((0.0, (0,)), (1.0, (1, 2))):
            requests = [Request(key, prompt, numbers, numbers) for key, prompt in prompts.items()]
            rows += engine.sample(requests, Sampling(temperature=temperature, max_tokens=TOKENS))
        asked = [
            ScoreRequest(r.problem_id, r.sample, prompts[r.problem_id], "", tuple(r.token_ids))
            for r in rows
        ]
        scores = {(s.problem_id, s.sample): s.sum_logprob for s in engine.score(asked)}
    except EngineError as error:
        return Result(name, "refused", why=error.what)
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    truth = log_probability(plain.eval())
    worst = 0.0
    for row in rows:
        wanted = truth(engine.tokenizer.prompt(prompts[row.problem_id]), row.token_ids)
        for found in (row.sum_logprob, scores[row.problem_id, row.sample]):
            difference = abs(found - wanted)
            worst = max(worst, difference if difference == difference else float("inf"))  # noqa: PLR0124
    if not engine.mismatch:
        bounded = packed_limit(engine.model) < 1 << 20
        return Result(name, "exact, longer ones fall back" if bounded else "exact", worst)
    cache = "" if engine.fallback.use_cache else ", without a cache"
    return Result(name, f"falls back{cache}", worst, engine.mismatch)


def log_probability(model: Any) -> Callable[[Sequence[int], Sequence[int]], float]:
    """Return a function of prompt and response: the sum of log P, from a pass for each token."""
    import torch

    known: dict[tuple[int, ...], torch.Tensor] = {}

    def after(tokens: tuple[int, ...]) -> torch.Tensor:
        if tokens not in known:
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]
            known[tokens] = logits.double().log_softmax(-1)
        return known[tokens]

    def total(prompt: Sequence[int], response: Sequence[int]) -> float:
        tokens = (*prompt, *response)
        return sum(float(after(tokens[:i])[tokens[i]]) for i in range(len(prompt), len(tokens)))

    return total


def worker(name: str, weights: float, results: Any) -> None:
    """Check one architecture in a process of its own."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        how = "not built"
        try:
            build(name, Path(folder), weights)
            how = "crashes"
            results.put(check(name, Path(folder)))
        except BaseException as error:  # noqa: BLE001 - what happens is the result
            results.put(Result(name, how, why=f"{type(error).__name__}: {error}".splitlines()[0]))


def run(name: str, weights: float) -> Result:
    """Check one architecture in a process of its own, which may end as it likes."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["torch", "transformers", "passk.engines.transformers"])
    results = processes.SimpleQueue()
    process = processes.Process(target=worker, args=(name, weights, results))
    process.start()
    process.join(MINUTES * 60)
    if process.is_alive():
        process.kill()
        process.join()
    return results.get() if not results.empty() else Result(name, "not built", why="no end")


def markdown(results: Sequence[Result]) -> str:
    """Return a table: a row for each way to run, with its architectures and their differences."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.how != "not built":
            kinds[result.how].append(result)
    lines = [
        "| runs | model types, with the largest difference in nats per response |",
        "|---|---|",
    ]
    for how, found in sorted(kinds.items()):
        cells = [f"`{r.name}` {r.why if how == 'refused' else f'{r.worst:.0e}'}" for r in found]
        lines.append(f"| {how} ({len(found)}) | {', '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print a line for each architecture, and write a table."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="MODEL_TYPE")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--weights", type=float, default=0.2, help="standard deviation")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    names = options.names or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    results = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda name: run(name, options.weights), names):
            print(json.dumps(result), flush=True)
            results.append(result)
    if options.markdown:
        options.markdown.write_text(markdown(results))


if __name__ == "__main__":
    main()
