from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("passk.engines.transformers")  # before torch: it sets how threads wait
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from exact_draws import DRAWS, check_draws, exact_distribution  # noqa: E402
from smollm2 import smollm2_folder  # noqa: E402
from tiny_models import VOCABULARY, byte_tokenizer, save_adapter, tiny_model  # noqa: E402

from passk.core.errors import EngineError  # noqa: E402
from passk.core.schemas import Sample  # noqa: E402
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest  # noqa: E402
from passk.engines.model_location import location  # noqa: E402
from passk.engines.tokens import prompt_digest, vocabulary_digest  # noqa: E402
from passk.engines.transformers import (  # noqa: E402
    TransformersEngine,
    attention,
    decoding,
    forward,
)
from passk.engines.transformers.loading import is_slow  # noqa: E402
from passk.engines.transformers.sampling import draw, uniforms  # noqa: E402

EDGE = 1e-4
"""How near a random number must be to the edge of a token for rounding to decide."""


def packed_model() -> Any:
    """The tiny model with the engine's attention."""
    return tiny_model(attn_implementation=attention.NAME)


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    return TransformersEngine(packed_model(), byte_tokenizer(), {"batch_size": 8})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    tiny_model().save_pretrained(path)
    byte_tokenizer().save_pretrained(path)
    return path


def request(name: str, text: str, count: int, first_seed: int = 0) -> Request:
    seeds = tuple(range(first_seed, first_seed + count))
    return Request(name, Prompt(text=text), tuple(range(count)), seeds)


def by_key(samples: list[Sample]) -> dict[tuple[str, int], Sample]:
    found = {(sample.problem_id, sample.sample): sample for sample in samples}
    assert len(found) == len(samples)
    return found


@pytest.fixture(scope="module")
def reference(engine: TransformersEngine) -> Callable[[list[int]], Any]:
    """Logits at every position of a sequence, from transformers' own eager attention."""
    plain = tiny_model(attn_implementation="eager")
    assert all(
        torch.equal(a, b)
        for a, b in zip(plain.parameters(), engine.model.parameters(), strict=True)
    )
    return lambda tokens: plain(torch.tensor([tokens])).logits[0]


def reference_logprobs(
    reference: Callable[[list[int]], Any], prompt: list[int], response: list[int]
) -> list[float]:
    logits = reference(prompt + response)[len(prompt) - 1 : -1]
    known = logits.log_softmax(-1)
    return [known[i, token].item() for i, token in enumerate(response)]


def check_draw(
    reference: Callable[[list[int]], Any], prompt: list[int], sample: Sample, sampling: Sampling
) -> None:
    """Each token of a response is what its stream gives, up to the rounding of the model.

    Rounding moves the cumulative probabilities by about a millionth, differently on each kind of
    processor and in each batch: where a number falls so near to the edge of a token, its neighbour
    is as good. Comparing the tokens of two batches would fail there.
    """
    logits = reference(prompt + sample.token_ids)[len(prompt) - 1 : -1]
    stream = uniforms(sample.seed)
    numbers = [stream.random() for _ in sample.token_ids]
    near = [[max(0.0, u - EDGE), u, min(u + EDGE, 1 - 2**-53)] for u in numbers]
    for token, allowed in zip(sample.token_ids, draw(logits, near, sampling).tokens, strict=True):
        assert token in allowed


def same_tokens(one: dict[tuple[str, int], Sample], other: dict[tuple[str, int], Sample]) -> float:
    """The share of responses with the same tokens; rounding may part one in a hundred."""
    return sum(one[key].token_ids == other[key].token_ids for key in one) / len(one)


# --- Drawing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.6),
        Sampling(temperature=1.7),
        Sampling(top_p=0.9),
        Sampling(temperature=3.0, top_p=0.95),
        Sampling(top_k=5),
        Sampling(top_k=1),
        Sampling(min_p=0.05),
        Sampling(temperature=0.8, top_k=50, top_p=0.8, min_p=0.02),
    ],
    ids=str,
)
def test_next_token_distribution_is_the_filtered_softmax(sampling: Sampling) -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(3, 1000)) * 2
    numbers = [[uniforms(1000 * seed + row).random() for seed in range(DRAWS)] for row in range(3)]
    drawn = draw(torch.tensor(logits, dtype=torch.float32), numbers, sampling)
    for row in range(3):
        check_draws(Counter(drawn.tokens[row]), exact_distribution(logits[row], sampling))


def test_top_p_beyond_the_first_candidates_keeps_the_whole_nucleus() -> None:
    logits = torch.linspace(1, 0, 2000).unsqueeze(0)
    sampling = Sampling(top_p=0.95)
    support = np.flatnonzero(exact_distribution(logits[0].double().numpy(), sampling))
    spread = [np.linspace(0, 1 - 1e-9, 50_000).tolist()]
    assert len(support) > 1500
    assert set(draw(logits, spread, sampling).tokens[0]) == set(support.tolist())


def test_the_ends_of_the_unit_interval_never_draw_a_filtered_token() -> None:
    logits = torch.full((1, 777), -30.0)
    logits[0, [3, 400]] = torch.tensor([2.0, 2.0])
    ends = [[0.0, 1 - 2**-53]]
    for sampling in (Sampling(top_k=2), Sampling(min_p=0.1), Sampling(top_p=0.9)):
        assert draw(logits, ends, sampling).tokens == [[3, 400]]


def test_logprob_and_entropy_are_of_the_unfiltered_distributions() -> None:
    logits = torch.tensor(np.random.default_rng(0).normal(size=(2, 50)), dtype=torch.float32)
    drawn = draw(logits, [[0.3, 0.7], [0.5]], Sampling(temperature=0.7, top_k=3))
    hot = (logits.double() / 0.7).softmax(-1)
    assert drawn.entropies == pytest.approx((-(hot * hot.log()).sum(-1)).tolist(), rel=1e-5)
    plain = logits.double().log_softmax(-1)
    for row, (tokens, logprobs) in enumerate(zip(drawn.tokens, drawn.logprobs, strict=True)):
        assert logprobs == pytest.approx([plain[row, t].item() for t in tokens], abs=1e-5)


def test_greedy_takes_the_likeliest_token_without_entropy() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]])
    drawn = draw(logits, [[0.99, 0.01], [0.5]], Sampling(temperature=0))
    assert (drawn.tokens, drawn.entropies) == ([[1, 1], [0]], [0.0, 0.0])


def test_streams_differ_by_seed_in_all_64_bits() -> None:
    seeds = [0, 1, 2**32, 2**63, 2**64 - 1]
    assert len({uniforms(seed).random() for seed in seeds}) == len(seeds)


# --- Attention ----------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
def test_plain_attention_equals_the_fused_kernel(causal: bool, monkeypatch: Any) -> None:  # noqa: FBT001
    monkeypatch.setattr(attention, "QUERY_BLOCK", 3)
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, 8, 16), torch.randn(2, 2, 8, 16), torch.randn(2, 2, 8, 16)
    fused = attention.attention(q, k, v, 0.3, causal=causal)
    plain = attention.plain_attention(q, k, v, 0.3, causal=causal)
    torch.testing.assert_close(fused, plain)


def test_attention_over_parts_equals_attention_over_all() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 6, 5, 16), torch.randn(1, 2, 9, 16), torch.randn(1, 2, 9, 16)
    whole, _ = attention.attention(q, k, v, 0.3)
    pieces = [slice(0, 2), slice(2, 3), slice(3, 9)]
    parts = [attention.attention(q, k[:, :, s], v[:, :, s], 0.3) for s in pieces]
    torch.testing.assert_close(attention.merge(parts), whole)


# --- Sampling -----------------------------------------------------------------------------------


def test_every_response_is_what_plain_forward_passes_with_its_seed_give(
    engine: TransformersEngine, reference: Callable[[list[int]], Any]
) -> None:
    sampling = Sampling(temperature=0.8, max_tokens=12)
    requests = [request("a", "hello", 6), request("b", "a longer prompt than that", 5, 50)]
    found = by_key(list(engine.sample(requests, sampling)))
    assert len(found) == 11
    for r in requests:
        prompt = engine.tokenizer.prompt(r.prompt)
        for index, seed in zip(r.samples, r.seeds, strict=True):
            sample = found[r.problem_id, index]
            assert sample.seed == seed
            assert sample.n_tokens == 12 or sample.token_ids[-1] == 1
            check_draw(reference, prompt, sample, sampling)
            expected = reference_logprobs(reference, prompt, sample.token_ids)
            assert sample.sum_logprob == pytest.approx(sum(expected), abs=1e-3)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_response_does_not_depend_on_the_batch(
    engine: TransformersEngine, reference: Callable[[list[int]], Any], batch_size: int
) -> None:
    sampling = Sampling(max_tokens=20, top_p=0.9, stop=("e",))
    requests = [request(f"p{i}", "x" * (1 + 7 * i), 9, 100 * i) for i in range(5)]
    expected = by_key(list(engine.sample(requests, sampling)))
    other = TransformersEngine(engine.model, byte_tokenizer(), {"batch_size": batch_size})
    for chosen in (requests, requests[::-1], requests[2:3]):
        found = by_key(list(other.sample(chosen, sampling)))
        assert same_tokens(found, expected) > 0.9
        for key, sample in found.items():
            prompt = engine.tokenizer.prompt(requests[int(key[0][1:])].prompt)
            check_draw(reference, prompt, sample, sampling)


def test_part_of_the_samples_of_a_problem_are_the_same_ones(engine: TransformersEngine) -> None:
    whole = request("a", "resume me", 40)
    rest = Request("a", whole.prompt, whole.samples[5:], whole.seeds[5:])
    sampling = Sampling(max_tokens=10)
    expected = by_key(list(engine.sample([whole], sampling)))
    found = by_key(list(engine.sample([rest], sampling)))
    assert found.keys() == {("a", index) for index in range(5, 40)}
    assert same_tokens(found, expected) > 0.9


def test_the_same_requests_give_the_same_rows_in_the_same_order(engine: TransformersEngine) -> None:
    requests = [request("a", "again", 9), request("b", "and again", 9)]
    sampling = Sampling(max_tokens=8)
    assert list(engine.sample(requests, sampling)) == list(engine.sample(requests, sampling))


def test_responses_that_share_tokens_are_computed_once(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    monkeypatch.setattr(
        decoding,
        "forward",
        lambda model, spans: (
            computed.extend(len(s.tokens) for s in spans) or forward.forward(model, spans)
        ),
    )
    roomy = TransformersEngine(engine.model, byte_tokenizer(), {"batch_size": 40})
    sampling = Sampling(temperature=0.3, max_tokens=6)
    samples = list(roomy.sample([request("a", "prompt", 40)], sampling))
    prefixes = {tuple(s.token_ids[:i]) for s in samples for i in range(1, s.n_tokens)}
    assert len(prefixes) < 100
    assert sum(computed) == len("prompt") + len(prefixes)


def test_samples_come_as_soon_as_they_are_finished(engine: TransformersEngine) -> None:
    stream = engine.sample(
        [request("a", "first", 1), request("b", "later", 64)], Sampling(max_tokens=3)
    )
    assert next(iter(stream)).problem_id == "a"
    stream.close()


def test_finish_reasons_and_ending_tokens(engine: TransformersEngine) -> None:
    samples = list(
        engine.sample([request("a", "end", 200)], Sampling(temperature=1.5, max_tokens=30))
    )
    reasons = Counter(sample.finish_reason for sample in samples)
    assert set(reasons) == {"stop", "length"}
    for sample in samples:
        assert sample.n_tokens == len(sample.token_ids) <= 30
        assert (sample.token_ids[-1] == 1) == (sample.finish_reason == "stop")
        assert 1 not in sample.token_ids[:-1]
        assert sample.finish_reason == "stop" or sample.n_tokens == 30


def test_stop_strings_end_a_response_and_are_cut(
    engine: TransformersEngine, reference: Callable[[list[int]], Any]
) -> None:
    requests, prompt = [request("a", "stop", 60)], engine.tokenizer.prompt(Prompt(text="stop"))
    plain = list(engine.sample(requests, Sampling(max_tokens=30)))
    pairs = Counter(pair for s in plain for pair in map("".join, itertools.pairwise(s.text)))
    stops = tuple(pair for pair, _ in pairs.most_common() if "\ufffd" not in pair)[:2]
    sampling = Sampling(max_tokens=30, stop=stops)
    shortened = 0
    for sample in engine.sample(requests, sampling):
        check_draw(reference, prompt, sample, sampling)
        assert not any(stop in sample.text for stop in stops)
        decoded = engine.tokenizer.text(sample.token_ids)
        assert not any(stop in engine.tokenizer.text(sample.token_ids[:-1]) for stop in stops)
        stopped = any(stop in decoded for stop in stops)
        shortened += stopped
        if stopped:
            assert decoded.endswith(stops)
            assert decoded in {sample.text + stop for stop in stops}
        ended = stopped or sample.token_ids[-1] == 1
        assert sample.finish_reason == ("stop" if ended else "length")
        assert ended or sample.n_tokens == 30
    assert shortened > 0


def test_stop_tokens_end_a_response_and_are_not_in_its_text(
    engine: TransformersEngine, reference: Callable[[list[int]], Any]
) -> None:
    requests, prompt = [request("a", "stop", 60)], engine.tokenizer.prompt(Prompt(text="stop"))
    plain = list(engine.sample(requests, Sampling(max_tokens=30)))
    (stop, _), *_ = Counter(t for s in plain for t in s.token_ids[3:]).most_common(1)
    sampling = Sampling(max_tokens=30, stop_token_ids=(stop,))
    stopped = 0
    for sample in engine.sample(requests, sampling):
        check_draw(reference, prompt, sample, sampling)
        assert stop not in sample.token_ids[:-1]
        if sample.token_ids[-1] == stop:
            stopped += 1
            assert sample.finish_reason == "stop"
            assert sample.text == engine.tokenizer.text(sample.token_ids[:-1])
        else:
            assert sample.n_tokens == 30 or sample.token_ids[-1] == 1
    assert stopped > 5


def test_rows_name_the_tokens_that_were_answered(engine: TransformersEngine) -> None:
    rows = list(engine.sample([request("a", "x", 2), request("b", "y", 1)], Sampling(max_tokens=1)))
    digests = {row.problem_id: row.prompt_digest for row in rows}
    assert digests == {
        name: prompt_digest(engine.tokenizer.prompt(Prompt(text=text)))
        for name, text in (("a", "x"), ("b", "y"))
    }


def test_a_vocabulary_is_known_by_its_tokens_not_by_its_template() -> None:
    plain, other = byte_tokenizer(), byte_tokenizer(bos=True)
    other.chat_template, other.eos_token = "x", "<s>"
    assert vocabulary_digest(plain) == vocabulary_digest(other)
    other.add_tokens(["<new>"])
    assert vocabulary_digest(plain) != vocabulary_digest(other)


def test_a_stop_string_of_many_bytes_is_found(engine: TransformersEngine) -> None:
    ids = engine.tokenizer.tokenizer("über → Ende")["input_ids"]
    stop = Sampling(stop=("→ E",))
    ends = [engine.tokenizer.ends(ids[: i + 1], stop) for i in range(len(ids))]
    assert ends.index(True) == len("über → E".encode()) - 1
    assert engine.tokenizer.cut(ids[: ends.index(True) + 1], stop) == "über "


# --- Prompts ------------------------------------------------------------------------------------


def test_prompts_as_raw_text_and_as_chat() -> None:
    with_bos = TransformersEngine(packed_model(), byte_tokenizer(bos=True)).tokenizer
    raw = with_bos.prompt(Prompt(text="ab", prefix="c"))
    chat = with_bos.prompt(Prompt(messages=(("user", "hi"),), prefix="So"))
    assert with_bos.tokenizer.decode(raw) == "<s>abc"
    assert with_bos.tokenizer.decode(chat) == "<|user|>hi<|assistant|>So"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(text="<s>again"), "two beginning-of-sequence tokens"),
        (Prompt(messages=()), "chat template|empty"),
        (Prompt(text="look", images=("a.png",)), "takes no images"),
    ],
)
def test_prompts_that_are_refused(prompt: Prompt, message: str) -> None:
    tokenizer = byte_tokenizer(bos=True)
    if not prompt.messages and prompt.text is None:
        tokenizer.chat_template = None
    engine = TransformersEngine(packed_model(), tokenizer)
    with pytest.raises(EngineError, match=message) as raised:
        list(engine.sample([Request("a", prompt, (0,), (0,))], Sampling(max_tokens=2)))
    assert raised.value.fix


def test_a_response_that_may_not_fit_is_refused_before_anything_is_drawn(
    engine: TransformersEngine,
) -> None:
    requests = [request("fits", "a", 1), request("long", "a" * 510, 1)]
    with pytest.raises(EngineError, match="context of 512") as raised:
        next(engine.sample(requests, Sampling(max_tokens=3)))
    assert raised.value.where == "problem long"
    assert "max_tokens to 2" in raised.value.fix
    assert len(list(engine.sample(requests, Sampling(max_tokens=2)))) == 2


# --- Scoring ------------------------------------------------------------------------------------


def score_request(name: str, index: int, text: str, tokens: list[int]) -> ScoreRequest:
    return ScoreRequest(name, index, Prompt(text=text), "unused", tuple(tokens))


def test_scores_equal_one_plain_forward_pass_per_response(
    engine: TransformersEngine,
    reference: Callable[[list[int]], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from passk.engines.transformers import scoring

    monkeypatch.setattr(scoring, "POSITIONS_AT_ONCE", 17)
    rng = np.random.default_rng(1)
    lengths = [1, 2, 5, 16, 17, 18, 60, 100]
    requests = [
        score_request(name, i, name * 9, rng.integers(0, VOCABULARY, size).tolist())
        for name in ("a", "b")
        for i, size in enumerate(lengths)
    ]
    requests += [dataclasses.replace(requests[-1], sample=99)]  # an equal response
    scores = {(s.problem_id, s.sample): s for s in engine.score(requests)}
    assert len(scores) == len(requests)
    for r in requests:
        prompt = engine.tokenizer.prompt(r.prompt)
        expected = reference_logprobs(reference, prompt, list(r.token_ids))
        score = scores[r.problem_id, r.sample]
        assert score.n_tokens == len(r.token_ids)
        assert score.sum_logprob == pytest.approx(sum(expected), rel=1e-4)
        perplexity = math.exp(-sum(expected) / len(expected))
        assert score.perplexity == pytest.approx(perplexity, rel=1e-3)


def test_the_sum_recorded_when_sampling_is_the_score(engine: TransformersEngine) -> None:
    requests = [request("a", "one", 30), request("b", "another one", 30)]
    samples = list(engine.sample(requests, Sampling(temperature=0.7, top_p=0.9, max_tokens=40)))
    prompts = {r.problem_id: r.prompt for r in requests}
    scores = engine.score(
        [
            ScoreRequest(s.problem_id, s.sample, prompts[s.problem_id], s.text, tuple(s.token_ids))
            for s in samples
        ]
    )
    found = by_key(samples)
    for score in scores:
        expected = found[score.problem_id, score.sample]
        assert score.sum_logprob == pytest.approx(expected.sum_logprob, abs=1e-2)
        assert score.n_tokens == expected.n_tokens


def test_text_without_tokens_is_scored_as_a_continuation(engine: TransformersEngine) -> None:
    text = "the answer"
    tokens = engine.tokenizer.tokenizer(text)["input_ids"]
    prompt = Prompt(text="question: ")
    (by_text,) = engine.score([ScoreRequest("a", 0, prompt, text)])
    (by_tokens,) = engine.score([ScoreRequest("a", 0, prompt, "", tuple(tokens))])
    assert by_text == dataclasses.replace(by_tokens)
    (empty,) = engine.score([ScoreRequest("a", 0, prompt, "")])
    assert (empty.n_tokens, empty.sum_logprob) == (0, 0.0)
    assert math.isnan(empty.perplexity)


# --- Loading ------------------------------------------------------------------------------------


def test_a_folder_loads_without_a_network(folder: Path, engine: TransformersEngine) -> None:
    loaded = TransformersEngine.load(ModelSource(str(folder), execution={"threads": 1}))
    assert loaded.device in {"cpu", "cuda"}
    requests, sampling = [request("a", "same", 4)], Sampling(max_tokens=6)
    assert list(loaded.sample(requests, sampling)) == list(engine.sample(requests, sampling))
    assert torch.get_num_threads() == 1
    TransformersEngine.load(ModelSource(str(folder), dtype="bfloat16"))
    assert torch.get_num_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "configuration is missing"),
        ("*.safetensors", "weights are missing"),
        ("tokenizer*", "tokenizer is missing"),
    ],
)
def test_a_folder_that_lacks_something(
    folder: Path, tmp_path: Path, missing: str, message: str
) -> None:
    for file in set(folder.iterdir()) - set(folder.glob(missing)):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(EngineError, match=message):
        TransformersEngine.load(ModelSource(str(tmp_path)))


def test_penalties_of_generation_config_are_told_once(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    settings = {"repetition_penalty": 1.05, "eos_token_id": 1, "no_repeat_ngram_size": 0}
    (tmp_path / "generation_config.json").write_text(json.dumps(settings))
    for _ in range(2):
        TransformersEngine.load(ModelSource(str(tmp_path)))
    (told,) = (record.getMessage() for record in caplog.records)
    assert "has repetition_penalty = 1.05, which passk does not apply" in told


def test_a_dtype_that_the_processor_emulates_is_told_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    avx2 = {"architecture": "x86_64", "avx2": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: avx2)
    for dtype in ("bfloat16", "float32", "bfloat16"):
        loaded = TransformersEngine.load(ModelSource(str(folder), dtype=dtype))
        assert loaded.dtype == dtype
    (told,) = (record.getMessage() for record in caplog.records)
    assert "no instructions for torch.bfloat16 and computes it slowly" in told
    assert not is_slow(torch.bfloat16, avx2 | {"amx_bf16": True})
    assert not is_slow(torch.bfloat16, {"architecture": "aarch64"})


SHARDED = {
    "verl/actor/model_world_size_2_rank_0.pt": "model_merger merge --backend fsdp .*verl/actor",
    "verl-hf/actor/model_world_size_2_rank_1.pt": "verl.model_merger merge .*verl-hf/actor",
    "megatron/actor/dist_ckpt/common.pt": "verl.model_merger merge --backend megatron",
    "zero/global_step100/mp_rank_00_model_states.pt": "zero/zero_to_fp32.py .*--safe_serialization",
}
"""A file of a checkpoint in shards -> the command that merges it."""


@pytest.mark.parametrize("file", SHARDED)
def test_a_checkpoint_in_shards_names_what_merges_it(file: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.touch()
    named = tmp_path / Path(file).parts[0]
    (named / "training_args.bin").touch()
    if named.name == "verl-hf":
        named = named / "actor" / "huggingface"
        named.mkdir()
        (named / "config.json").write_text("{}")
    with pytest.raises(EngineError, match="holds shards that") as raised:
        location(ModelSource(str(named)))
    assert re.search(SHARDED[file], str(raised.value.fix))
    assert f"`passk merge {named} -o" in str(raised.value.fix)


def test_an_adapter_is_no_model(folder: Path, tmp_path: Path) -> None:
    save_adapter(folder, tmp_path / "adapter", tmp_path / "merged")
    with pytest.raises(EngineError, match="LoRA adapter, not a model") as raised:
        location(ModelSource(str(tmp_path / "adapter")))
    assert "`adapters`" in str(raised.value.fix)
    assert location(ModelSource(str(tmp_path / "merged")))


def test_weights_that_are_cut_short(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(EngineError, match="cannot load the model") as raised:
        TransformersEngine.load(ModelSource(str(tmp_path)))
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (ModelSource("/no/such/folder"), "no such file or folder"),
        (ModelSource("./no-such-folder"), "no such file or folder"),
        (ModelSource("org/unknown-model-name", revision="v1"), "cannot load the model"),
    ],
)
def test_weights_that_are_not_there(
    source: ModelSource, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EngineError, match=message) as raised:
        TransformersEngine.load(source)
    assert raised.value.fix
    assert source.weights in raised.value.where


def test_a_model_whose_attention_is_another_one_runs_by_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    right = attention.attention
    monkeypatch.setattr(
        attention, "attention", lambda q, k, v, *a, **b: right(q * 2, k, v, *a, **b)
    )
    engine = TransformersEngine.load(ModelSource(str(folder)))
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "packed attention cannot run LlamaForCausalLM (its logits are others)" in warning
    rows = by_key(list(engine.sample([request("a", "ab", 3)], Sampling(max_tokens=6))))
    monkeypatch.setattr(attention, "attention", right)
    exact = TransformersEngine.load(ModelSource(str(folder)))
    scores = exact.score(
        [score_request("a", i, "ab", row.token_ids) for (_, i), row in rows.items()]
    )
    for score in scores:
        row = rows["a", score.sample]
        assert row.sum_logprob == pytest.approx(score.sum_logprob, abs=1e-3)


def test_unknown_dtype(folder: Path) -> None:
    with pytest.raises(EngineError, match="unknown dtype 'int'"):
        TransformersEngine.load(ModelSource(str(folder), dtype="int"))


def test_out_of_memory_is_one_message(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] can't allocate memory: 99 bytes")

    monkeypatch.setattr(decoding, "forward", full)
    with pytest.raises(EngineError, match="out of memory") as raised:
        list(engine.sample([request("a", "x", 1)], Sampling(max_tokens=1)))
    assert "batch_size" in raised.value.fix


# --- The real model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    folder = smollm2_folder(tmp_path_factory)
    return TransformersEngine.load(ModelSource(str(folder), dtype="float32"))


REAL_PROMPTS = {
    "poem": Prompt(messages=(("user", "Write a short poem about the sea."),)),
    "sum": Prompt(messages=(("user", "What is 12 + 30?"),)),
    "raw": Prompt(text="The capital of France is"),
}


@pytest.mark.model
def test_greedy_decoding_equals_generate_token_for_token(smollm2: TransformersEngine) -> None:
    requests = [Request(name, prompt, (0, 1), (3, 4)) for name, prompt in REAL_PROMPTS.items()]
    found = by_key(list(smollm2.sample(requests, Sampling(temperature=0, max_tokens=32))))
    plain = transformers.LlamaForCausalLM(copy.deepcopy(smollm2.model.config))
    plain.load_state_dict(smollm2.model.state_dict())
    plain.set_attn_implementation("sdpa")
    plain.generation_config = smollm2.model.generation_config
    for name, prompt in REAL_PROMPTS.items():
        ids = torch.tensor([smollm2.tokenizer.prompt(prompt)])
        output = plain.generate(ids, do_sample=False, max_new_tokens=32)
        expected = output[0, ids.shape[1] :].tolist()
        assert found[name, 0].token_ids == found[name, 1].token_ids == expected
        assert found[name, 0].mean_entropy == 0


@pytest.mark.model
def test_the_real_model_answers_scores_and_repeats_itself(smollm2: TransformersEngine) -> None:
    requests = [Request(name, p, (0, 1, 2), (7, 8, 9)) for name, p in REAL_PROMPTS.items()]
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=24, stop=("\n",))
    found = by_key(list(smollm2.sample(requests, sampling)))
    alone = by_key(list(smollm2.sample(requests[1:2], sampling)))
    assert {key: s.token_ids for key, s in alone.items()} == {
        key: s.token_ids for key, s in found.items() if key[0] == "sum"
    }
    assert not any("\n" in sample.text for sample in found.values())
    wanted = [
        ScoreRequest(name, i, REAL_PROMPTS[name], s.text, tuple(s.token_ids))
        for (name, i), s in found.items()
    ]
    for score in smollm2.score(wanted):
        sample = found[score.problem_id, score.sample]
        assert score.sum_logprob == pytest.approx(sample.sum_logprob, abs=1e-2)
