"""Tries, when a model is loaded, whether packed attention computes what the model computes.

Packed attention is right for decoders whose layers all attend with a plain softmax. Any other model
(states that run over the row, another attention, a cache of another shape) must be found out here:
a wrong one would run without an error. The check samples and scores as the engine will, a short
prompt beside a long one that is split, and compares with plain forward passes of transformers' own
attention. It stays below the model's windows and contexts (`boundaries`): beyond them transformers'
own attention runs (`fallback`).
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import torch

from passk.core.errors import EngineError
from passk.engines.base import Sampling
from passk.engines.load_errors import first_line, is_out_of_memory
from passk.engines.tokens import PromptTokenizer
from passk.engines.transformers.attention import Chunk, Prefix
from passk.engines.transformers.boundaries import context_length, packed_limit
from passk.engines.transformers.decoding import Pending, Scheduler
from passk.engines.transformers.forward import forward
from passk.engines.transformers.generate import plain_logits, plain_logprob
from passk.engines.transformers.scoring import Scored, score_responses
from passk.engines.transformers.vision import image_probe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

PROBE = ", ".join(map(str, range(1, 10_000)))
"""Text that repeats nothing, so that what is seen of it matters."""

SHORT, LONG = 5, 40
"""Tokens of a short and of a long prompt, where packed attention reaches so far."""

SAMPLING = Sampling(temperature=1.5, max_tokens=4)

SEEDS = range(4)

TOLERANCE = {torch.float32: 1e-4}
"""Relative difference of logits that rounding may make; a wrong context makes 0.4."""

ROUGH = 0.1
"""The same in bfloat16 and float16, where rounding makes 0.02."""


def find_mismatch(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    processor: ProcessorMixin | None = None,
) -> str:
    """Return what packed attention gets wrong of a model; empty where it is right."""
    room = min(LONG, packed_limit(model) - SAMPLING.max_tokens, prompt_room(model))
    if room < SHORT:
        return "it sees few tokens only"
    short, long = probe_prompts(tokenizer, SHORT, room)
    try:
        with torch.no_grad():
            return _compare(model, short, long, tokenizer) or _compare_image(model, processor)
    except EngineError as error:
        return error.what
    except Exception as error:  # whatever a model does that is not made for it
        if is_out_of_memory(error):
            raise
        return f"{type(error).__name__}: {first_line(error)}"


def probe_prompts(tokenizer: PreTrainedTokenizerBase, *lengths: int) -> list[list[int]]:
    """Return prompts of so many tokens each."""
    ids: list[int] = tokenizer(PROBE[: 8 * max(lengths)], add_special_tokens=False)["input_ids"]
    ids *= -(-max(lengths) // len(ids))
    return [ids[:length] for length in lengths]


def prompt_room(model: torch.nn.Module) -> int:
    """Return how long a prompt may be that some tokens are drawn after."""
    return context_length(model) - SAMPLING.max_tokens


def _compare(
    model: torch.nn.Module, short: list[int], long: list[int], tokenizer: PreTrainedTokenizerBase
) -> str:
    """Return what differs between packed attention and plain forward passes."""
    half, prefix = len(long) // 2, Prefix()
    chunks = [Chunk(long[:half], save=prefix, keep=[half - 1]), Chunk(short, keep=[SHORT - 1])]
    begun = forward(model, chunks)
    rest = forward(model, [Chunk(long[half:], [prefix], keep=[len(long) - half - 1])])
    packed = torch.cat([begun, rest])
    own = torch.cat([plain_logits(model, ids, 1) for ids in (long[:half], short, long)])
    if not is_close(packed, own, TOLERANCE.get(model.dtype, ROUGH)):
        return "its logits are others"
    prompts = {"short": short, "long": long}
    work = [
        Pending(name, ids, deque((seed, seed) for seed in SEEDS)) for name, ids in prompts.items()
    ]
    plain = PromptTokenizer(tokenizer, frozenset())
    samples = list(Scheduler(work, len(SEEDS)).run(model, SAMPLING, plain))
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


def _compare_image(model: torch.nn.Module, processor: ProcessorMixin | None) -> str:
    """Return what packed attention gets wrong of an image, whose tokens may look at later ones."""
    if (images := image_probe(processor)) is None:
        return ""
    tokens = images()["input_ids"][0].tolist()
    logits = forward(model, [Chunk(tokens, keep=[len(tokens) - 1], inputs=images)])
    own = plain_logits(model, tokens, 1, images)
    return "" if is_close(logits, own, ROUGH) else "its logits after an image are others"


def is_near(found: float, wanted: float, tokens: int, dtype: torch.dtype) -> bool:
    """Whether sums of log P in nats over so many tokens are equal up to the rounding of a dtype."""
    room = TOLERANCE.get(dtype, ROUGH) * max(abs(wanted), tokens)
    return math.isclose(found, wanted, rel_tol=0, abs_tol=room)


def is_close(one: torch.Tensor, other: torch.Tensor, tolerance: float) -> bool:
    """Whether rows of logits are equal up to rounding and a constant that no probability needs."""
    one, other = (x.float() - x.float().mean(-1, keepdim=True) for x in (one, other))
    return bool(((one - other).norm(dim=-1) < tolerance * other.norm(dim=-1)).all())
