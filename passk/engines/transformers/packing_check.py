"""Tries, when a model is loaded, whether packed attention computes what the model computes.

Packed attention is right for decoders whose layers all attend with a plain softmax. Any other model
(states that run over the row, another attention, a cache of another shape) must be found out here:
a wrong one would run without an error. The check samples and scores as the engine will, a short
prompt beside a long one, and compares with plain forward passes of transformers' own attention.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from passk.core.errors import EngineError
from passk.engines.base import Sampling
from passk.engines.load_errors import first_line, is_out_of_memory
from passk.engines.tokens import PromptTokenizer
from passk.engines.transformers.attention import Chunk
from passk.engines.transformers.decoding import Pending, Scheduler
from passk.engines.transformers.forward import forward
from passk.engines.transformers.generate import plain_logits, plain_logprob
from passk.engines.transformers.scoring import Scored, score_responses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROBE = ("The capital of France is", "One, two, three, four, five, six, seven,")

LONG = 40
"""Tokens of the long prompt, where packed attention reaches so far."""

SAMPLING = Sampling(temperature=1.5, max_tokens=4)

SEEDS = range(4)

TOLERANCE = {torch.float32: 1e-3}
"""Relative difference of logits that rounding may make; a wrong context makes 0.4."""

ROUGH = 0.1
"""The same in bfloat16 and float16, where rounding makes 0.02."""

WINDOWS = ("sliding_window", "attention_chunk_size")
"""Settings of layers that look back over so many tokens only."""

STRETCHED = {"longrope", "dynamic"}
"""Rotary embeddings that change for a whole sequence once it is longer than in pretraining."""


def packed_limit(model: torch.nn.Module) -> int:
    """Return up to how many tokens packed attention is what the model computes.

    It attends to all tokens before, and turns each by its position alone: the same as a window or
    chunk up to its size, and as a stretched rotary embedding up to the length of pretraining.
    """
    config = model.config.get_text_config()
    limits = []
    kinds = getattr(config, "layer_types", None) or ["unknown"]
    if any(kind != "full_attention" for kind in kinds):
        limits += [getattr(config, name, None) for name in WINDOWS]
    for rope in _ropes(getattr(config, "rope_parameters", None)):
        if rope.get("rope_type") in STRETCHED:
            limits += [
                rope.get("original_max_position_embeddings"),
                getattr(config, "original_max_position_embeddings", None),
                getattr(config, "max_position_embeddings", None),
            ]
    return min((int(limit) for limit in limits if limit), default=1 << 30)


def _ropes(parameters: object) -> Iterable[Mapping[str, Any]]:
    """Return the rotary embeddings of a configuration: one, or one per type of layer."""
    if not isinstance(parameters, dict):
        return []
    inner = [part for part in parameters.values() if isinstance(part, dict)]
    return [parameters, *inner]


def find_mismatch(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return what packed attention gets wrong of a model; empty where it is right."""
    short, long = _prompts(tokenizer, packed_limit(model) - SAMPLING.max_tokens, model)
    try:
        return _compare(model, short, long, PromptTokenizer(tokenizer, frozenset()))
    except EngineError as error:
        return error.what
    except Exception as error:  # whatever a model does that is not made for it
        if is_out_of_memory(error):
            raise
        return f"{type(error).__name__}: {first_line(error)}"


def _prompts(
    tokenizer: PreTrainedTokenizerBase, room: int, model: torch.nn.Module
) -> tuple[list[int], list[int]]:
    """Return a short prompt and a long one, as token ids."""
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None) or LONG
    room = max(1, min(LONG, room, longest - SAMPLING.max_tokens))
    short, long = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROBE)
    return short[: min(5, room)], (long * LONG)[:room]


def _compare(
    model: torch.nn.Module, short: list[int], long: list[int], tokenizer: PromptTokenizer
) -> str:
    """Return what differs between packed attention and plain forward passes."""
    with torch.no_grad():
        prompts = {"short": short, "long": long}
        chunks = [Chunk(ids, keep=[len(ids) - 1]) for ids in prompts.values()]
        packed = forward(model, chunks)
        own = torch.cat([plain_logits(model, ids, 1) for ids in prompts.values()])
        if not is_close(packed, own, TOLERANCE.get(model.dtype, ROUGH)):
            return "its logits are others"
        work = [
            Pending(name, ids, deque((seed, seed) for seed in SEEDS))
            for name, ids in prompts.items()
        ]
        samples = list(Scheduler(work, len(SEEDS)).run(model, SAMPLING, tokenizer))
        layers = model.config.get_text_config().num_hidden_layers
        if any(len(problem.prefix.layers) != layers for problem in work):
            return "not all of its layers attend"
        problems = [Scored(ids) for ids in prompts.values()]
        for problem, name in zip(problems, prompts, strict=True):
            for sample in samples:
                if sample.problem_id == name:
                    problem.add(name, sample.sample, sample.token_ids)
        scores = {(s.problem_id, s.sample): s.sum_logprob for s in score_responses(model, problems)}
    for sample in samples:
        wanted = plain_logprob(model, prompts[sample.problem_id], sample.token_ids)
        if not is_near(sample.sum_logprob, wanted, sample.n_tokens, model.dtype):
            return "responses drawn from its cache are others"
        scored = scores[sample.problem_id, sample.sample]
        if not is_near(scored, wanted, sample.n_tokens, model.dtype):
            return "scores are others"
    return ""


def is_near(found: float, wanted: float, tokens: int, dtype: torch.dtype) -> bool:
    """Whether sums of log P in nats over so many tokens are equal up to the rounding of a dtype."""
    room = TOLERANCE.get(dtype, ROUGH) * max(abs(wanted), tokens)
    return math.isclose(found, wanted, rel_tol=0, abs_tol=room)


def is_close(one: torch.Tensor, other: torch.Tensor, tolerance: float) -> bool:
    """Whether rows of logits are equal up to rounding and a constant that no probability needs."""
    one, other = (x.float() - x.float().mean(-1, keepdim=True) for x in (one, other))
    return bool(((one - other).norm(dim=-1) < tolerance * other.norm(dim=-1)).all())
