"""Architectures that packed attention does not run: transformers' own does, and the sums agree."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO

pytest.importorskip("passk.engines.transformers")  # before torch: it sets how threads wait
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tiny_models import WIDE, byte_tokenizer, save_tiny  # noqa: E402

from passk.core.errors import EngineError  # noqa: E402
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest  # noqa: E402
from passk.engines.transformers import TransformersEngine, attention, fallback  # noqa: E402
from passk.engines.transformers.boundaries import NO_LIMIT, packed_limit  # noqa: E402
from passk.training.packing import Tree, tree_logits  # noqa: E402

LONGER = "exact, longer ones fall back"

ALL = {
    "llama": "exact",
    "mistral": LONGER,  # a window
    "diffllama": "falls back",  # a difference of two softmaxes
    "mamba": "falls back",  # states that run over the row
    "bamba": "falls back",  # some layers attend, some do not
    "phi3": LONGER,  # longrope: sequences beyond the first context
    "llama4_text": LONGER,  # chunks
    "gemma3_text": LONGER,  # windows, a rotary embedding per type of layer
    "gpt_oss": "falls back",  # sinks
    "deepseek_v3": "exact",  # values of another width
    "bloom": "falls back",  # attention code of its own
    "afmoe": LONGER,
    "jetmoe": "falls back",
}
FEW = ("llama", "mamba", "phi3", "llama4_text", "deepseek_v3", "bloom")


def test_no_architecture_is_silently_wrong_and_none_crashes() -> None:
    names = ALL if os.environ.get("PASSK_TEST_LARGE") else FEW
    done = subprocess.run(
        [sys.executable, REPO / "perf/engine_architectures.py", *names],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {name: how for name, how, _, _ in found} == {name: ALL[name] for name in names}
    assert max(worst for _, _, worst, _ in found) < 1e-3


FACTORS = {"short_factor": [1.0] * 16, "long_factor": [3.0] * 16}
STRETCHED = {"rope_type": "longrope", "rope_theta": 1e4, "factor": 8.0} | FACTORS
STRETCHED |= {"original_max_position_embeddings": 24}


def test_a_response_that_outgrows_the_first_context_is_scored_as_it_was_drawn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A Llama does not compute its cache anew at the boundary, as Phi-3 does: it runs without one.
    folder = save_tiny(tmp_path, rope_parameters=STRETCHED)
    with caplog.at_level(logging.WARNING):
        engine = TransformersEngine.load(ModelSource(str(folder), execution={"threads": 1}))
    assert "without its cache, which is far slower" in caplog.text
    prompt = Prompt(text="0123456789")
    rows = list(engine.sample([Request("a", prompt, (0, 1), (0, 1))], Sampling(max_tokens=30)))
    asked = [ScoreRequest("a", row.sample, prompt, "", tuple(row.token_ids)) for row in rows]
    scores = {score.sample: score.sum_logprob for score in engine.score(asked)}
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder)
    for row in rows:
        tokens, total = engine.tokenizer.prompt(prompt), 0.0
        for token in row.token_ids:
            with torch.no_grad():
                logits = plain(torch.tensor([tokens])).logits[0, -1]
            total += float(logits.double().log_softmax(-1)[token])
            tokens = [*tokens, token]
        assert row.sum_logprob == pytest.approx(total, abs=1e-3)
        assert scores[row.sample] == pytest.approx(total, abs=1e-3)


def windowed(**settings: Any) -> Any:
    """A tiny Mistral with the engine's attention."""
    shape = {"vocab_size": 300, "intermediate_size": 96, "num_hidden_layers": 2}
    config = transformers.MistralConfig(**(WIDE | shape | {"initializer_range": 0.3} | settings))
    model = transformers.MistralForCausalLM(config).eval().requires_grad_(requires_grad=False)
    model.set_attn_implementation(attention.NAME)
    return model


def test_windows_are_read_off_the_masks_however_far_away_they_are() -> None:
    assert packed_limit(windowed(sliding_window=24)) == 24
    far = {"sliding_window": 100_000, "max_position_embeddings": 200_000}
    assert packed_limit(windowed(**far)) == 100_000
    assert packed_limit(windowed(sliding_window=None)) == NO_LIMIT


def test_a_boundary_that_is_far_away_is_checked_when_sequences_get_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback, "CHECK_FLOP", 0)
    model = windowed(sliding_window=24)
    own = fallback.Fallback(model, byte_tokenizer(), None, "tiny")
    own.check_at_load()
    right = fallback.plain_logprob
    monkeypatch.setattr(fallback, "plain_logprob", lambda *a: right(*a) + 1)
    own.check(24)
    with pytest.raises(EngineError, match="forward pass of MistralForCausalLM differ"):
        own.check(25)


def test_a_training_computes_up_to_the_window_and_says_so() -> None:
    model = windowed(sliding_window=24)
    engine = TransformersEngine(model, byte_tokenizer())
    request = Request("a", Prompt(text="0123456789"), (0,), (0,))
    assert len(list(engine.sample([request], Sampling(max_tokens=14)))) == 1
    with pytest.raises(EngineError, match="do not fit into the model's attention window") as raised:
        list(engine.sample([request], Sampling(max_tokens=15)))
    assert "max_tokens to 14" in raised.value.fix
    tree = Tree()
    tree.add(range(5, 15), range(15, 31))
    with pytest.raises(EngineError, match="a sequence of 25 tokens is beyond"):
        tree_logits(model, tree)


def test_what_transformers_itself_computes_otherwise_each_time_is_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(  # not a decoder: each token sees later ones
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.3,
        pad_token_id=0,
        eos_token_id=1,
    )
    transformers.BertLMHeadModel(config).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(EngineError, match="BertLMHeadModel") as raised:
        TransformersEngine.load(ModelSource(str(tmp_path)))
    assert "engine: vllm" in raised.value.fix
