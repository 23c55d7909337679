"""Which architectures the transformers engine runs, and how: every causal one that builds small.

    python perf/engine_architectures.py [MODEL_TYPE ...] [--markdown FILE.md]

Each is built from a small random configuration in float32 and loaded as a user's model is. Short
and long responses are sampled and scored, windows, chunks and rope boundaries of the configuration
exceeded, and compared with one plain forward pass of transformers' own attention per response.
"""

from __future__ import annotations

import argparse
import inspect
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "n_embd": 64,
    "d_model": 64,
    "intermediate_size": 96,
    "ffn_hidden_size": 96,
    "ffn_dim": 96,
    "moe_intermediate_size": 32,
    "num_hidden_layers": 4,
    "n_layer": 4,
    "n_layers": 4,
    "num_layers": 4,
    "num_attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "sliding_window": 24,
    "attention_chunk_size": 24,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
    "attn_layer_indices": [1, 3],
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
"""Settings that configurations share, where they have them."""

MINUTES = 3
"""Time for one architecture."""


def small_config(kind: Any) -> Any:
    """Return a small configuration of a class."""
    known = set(inspect.signature(kind.__init__).parameters) | set(dir(kind))
    known |= set(getattr(kind, "__annotations__", {}))
    given = {name: value for name, value in SMALL.items() if name in known}
    if "kv_lora_rank" in known:  # latent attention has a key of each head
        given["num_key_value_heads"] = SMALL["num_attention_heads"]
    if "rope_parameters" in known and "original_max_position_embeddings" in known:
        factors = {"short_factor": [1.0] * 8, "long_factor": [3.0] * 8}
        given["rope_parameters"] = {"rope_type": "longrope", "rope_theta": 1e4} | factors
        given["original_max_position_embeddings"] = 24
    return kind(**given)


def check(name: str, folder: Path) -> tuple[str, float, str]:
    """Return how the engine runs an architecture, the largest difference in nats, and why."""
    import torch
    import transformers
    from tiny_models import byte_tokenizer

    from passk.core.errors import EngineError
    from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
    from passk.engines.transformers import TransformersEngine
    from passk.engines.transformers.generate import own_attention, plain_logits

    torch.manual_seed(0)
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    try:
        config = small_config(transformers.models.auto.configuration_auto.CONFIG_MAPPING[name])
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        if sum(p.numel() for p in model.parameters()) > 50_000_000:
            return "not built", 0.0, "it stays large"
        model.save_pretrained(folder)
        byte_tokenizer().save_pretrained(folder)
    except Exception as error:  # noqa: BLE001 - many do not take the common settings
        return "not built", 0.0, f"{type(error).__name__}: {error}".splitlines()[0][:90]
    try:
        engine = TransformersEngine.load(ModelSource(str(folder), execution={"threads": 1}))
    except EngineError as error:
        return "refused", 0.0, error.what[:110]
    prompts = {"short": Prompt(text="ab"), "long": Prompt(text="The answer is 4, and the answer ")}
    sampling, numbers = Sampling(max_tokens=20), tuple(range(3))
    requests = [Request(name, prompt, numbers, numbers) for name, prompt in prompts.items()]
    rows = list(engine.sample(requests, sampling))
    asked = [
        ScoreRequest(r.problem_id, r.sample, prompts[r.problem_id], "", tuple(r.token_ids))
        for r in rows
    ]
    scores = {(s.problem_id, s.sample): s.sum_logprob for s in engine.score(asked)}
    worst = 0.0
    for row in rows:
        ids = engine.tokenizer.prompt(prompts[row.problem_id])
        with torch.no_grad(), own_attention(engine.model):
            logits = plain_logits(engine.model, [*ids, *row.token_ids], len(row.token_ids) + 1)
        known = logits[:-1].double().log_softmax(-1)
        wanted = float(known[torch.arange(len(row.token_ids)), row.token_ids].sum())
        for found in (row.sum_logprob, scores[row.problem_id, row.sample]):
            worst = max(worst, abs(found - wanted))
    return "exact" if engine.packs else "falls back", worst, engine.mismatch


def worker(name: str, folder: str, results: Any) -> None:
    """Check one architecture in a process of its own."""
    try:
        results.put(check(name, Path(folder)))
    except BaseException as error:  # noqa: BLE001 - what happens is the result
        results.put(("crashes", 0.0, f"{type(error).__name__}: {error}".splitlines()[0][:110]))


def architectures(chosen: list[str]) -> Iterator[tuple[str, str, float, str]]:
    """Yield the model type, how it runs, the largest difference and why, of each architecture."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["torch", "transformers", "passk.engines.transformers"])
    for name in chosen or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        with tempfile.TemporaryDirectory() as folder:
            results = processes.SimpleQueue()
            process = processes.Process(target=worker, args=(name, folder, results))
            process.start()
            process.join(MINUTES * 60)
            if process.is_alive():
                process.kill()
                process.join()
            found = results.get() if not results.empty() else ("not built", 0.0, "no end")
        yield name, *found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="MODEL_TYPE")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    rows = []
    for row in architectures(options.names):
        print(json.dumps(row), flush=True)
        rows.append(row)
    if options.markdown:
        lines = ["| model type | runs | largest difference, nats | why |", "|---|---|---|---|"]
        lines += [
            f"| `{name}` | {how} | {worst:.1e} | {why} |"
            for name, how, worst, why in rows
            if how != "not built"
        ]
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
