"""How the transformers engine scores: bundles of responses, blocks of the vocabulary, lanes."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("passk.engines.transformers")  # before torch: it sets how threads wait
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tiny_models import VOCABULARY, byte_tokenizer, tiny_model  # noqa: E402

from passk.engines.base import Prompt, ScoreRequest  # noqa: E402
from passk.engines.transformers import (  # noqa: E402
    TransformersEngine,
    attention,
    batched_attention,
    logprobs,
    scoring,
    thread_pool,
)
from passk.engines.transformers.attention import Chunk, Prefix  # noqa: E402


def random_prefix(length: int, width: int, generator: Any) -> Prefix:
    prefix = Prefix()
    prefix.extend(0, *(torch.randn(1, 2, length, w, generator=generator) for w in (16, width)))
    prefix.length = length
    return prefix


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30)), min_size=1, max_size=8),
    queries=st.integers(16, 40),
    together=st.integers(1, 60),
    width=st.sampled_from((16, 24)),
)
def test_bundles_attend_as_each_response_alone(
    sizes: list[tuple[int, int]], queries: int, together: int, width: int
) -> None:
    made = torch.Generator().manual_seed(1)
    prompts = [random_prefix(length, width, made) for length in (5, 40)]
    contexts = [[], prompts[:1], prompts]
    chunks = [Chunk(range(size), contexts[which], keep=[size - 1]) for which, size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched_attention, "QUERIES_AT_ONCE", queries)
        patch.setattr(batched_attention, "BUNDLE_TOKENS", together)
        patch.setattr(batched_attention, "SCORES_AT_ONCE", 6 * 50 * 20)
        spans = batched_attention.bundle_chunks(chunks)
        total = sum(size for _, size in sizes)
        q = torch.randn(1, 6, total, 16, generator=made)
        k, v = (torch.randn(1, 2, total, w, generator=made) for w in (16, width))
        outputs = [attended(span, q, k, v, at) for span, at in placed(spans)]
    assert [token for span in spans for token in span.tokens] == [
        t for c in chunks for t in c.tokens
    ]
    expected = [attended(chunk, q, k, v, at) for chunk, at in placed(chunks)]
    torch.testing.assert_close(torch.cat(outputs, 2), torch.cat(expected, 2))
    kept = [at + offset for span, at in placed(spans) for offset in span.keep]
    assert kept == [at + offset for chunk, at in placed(chunks) for offset in chunk.keep]


def placed(spans: Any) -> list[tuple[Any, int]]:
    """Spans with the place of their first token in the packed row."""
    lengths = [len(span.tokens) for span in spans]
    return [(span, sum(lengths[:i])) for i, span in enumerate(spans)]


def attended(span: Any, q: Any, k: Any, v: Any, at: int) -> Any:
    piece = slice(at, at + len(span.tokens))
    return span.attend(0, q[:, :, piece], k[:, :, piece], v[:, :, piece], 0.3)


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_blocks_of_the_vocabulary_sum_to_the_whole(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprobs, "ENTRIES_AT_ONCE", 7)
    monkeypatch.setattr(logprobs, "ROWS_AT_ONCE", 2)
    engine = TransformersEngine(tiny_model(attn_implementation=attention.NAME), byte_tokenizer())
    head = engine.model.get_output_embeddings()
    head.weight.mul_(scale)
    chunk, targets = Chunk([5, 6, 7], keep=[0, 1, 2]), [6, 7, 250]
    found = logprobs.token_logprobs(engine.model, head, [chunk], targets)
    logits = engine.model(torch.tensor([[5, 6, 7]]), spans=[Chunk([5, 6, 7])]).logits[0].double()
    expected = logits.log_softmax(-1)[range(3), targets]
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4 * scale)


def config_of(name: str) -> Any:
    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    extra = {"Granite": {"logits_scaling": 3.0}, "Cohere": {"logit_scale": 0.4}}
    return getattr(transformers, f"{name}Config")(**settings, **extra.get(name, {}))


ARCHITECTURES = (
    "Llama",
    "Qwen2",
    "Qwen3",
    "Mistral",
    "Phi3",
    "Gemma",
    "Granite",
    "Cohere",
    "GPTNeoX",
)
SCALED = {"Granite", "Cohere"}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_of_many_architectures_equal_plain_forward_passes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(
        config_of(name), attn_implementation="eager"
    )
    model.eval().requires_grad_(requires_grad=False)
    requests = wanted()
    expected = [plain(model, request) for request in requests]
    model.set_attn_implementation(attention.NAME)
    monkeypatch.setattr(scoring, "POSITIONS_AT_ONCE", 48)
    found = scores(TransformersEngine(model, byte_tokenizer()), requests)
    assert [found[r.problem_id, r.sample] for r in requests] == pytest.approx(expected, rel=1e-4)
    assert (logprobs.plain_head(model) is None) == (name in SCALED)


def wanted() -> list[ScoreRequest]:
    """Responses of 1 to 100 tokens to four prompts, some of them empty."""
    made = torch.Generator().manual_seed(2)
    return [
        ScoreRequest(
            text,
            i,
            Prompt(text=text),
            "",
            tuple(torch.randint(2, 250, (n,), generator=made).tolist()),
        )
        for text in ("a", "some words", "another prompt than that", "b" * 60)
        for i, n in enumerate((1, 3, 20, 2, 9, 48, 49, 50, 100))
    ]


def plain(model: Any, request: ScoreRequest) -> float:
    prompt = byte_tokenizer()(request.prompt.text)["input_ids"]
    tokens = torch.tensor([prompt + list(request.token_ids)])
    known = model(tokens).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1)
    return float(known.gather(1, tokens[0, len(prompt) :, None]).sum())


def scores(
    engine: TransformersEngine, requests: list[ScoreRequest]
) -> dict[tuple[str, int], float]:
    return {(s.problem_id, s.sample): s.sum_logprob for s in engine.score(requests)}


@pytest.fixture
def restored() -> Any:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("restored")
def test_scores_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "POSITIONS_AT_ONCE", 100)
    engine = TransformersEngine(tiny_model(attn_implementation=attention.NAME), byte_tokenizer())
    found = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        found.append(scores(engine, wanted()))
        assert torch.get_num_threads() == threads
    assert list(found[0]) == list(found[1]) == list(found[2])
    assert found[1] == pytest.approx(found[0], abs=1e-3)
    assert found[2] == pytest.approx(found[0], abs=1e-3)


@pytest.mark.usefixtures("restored")
def test_lanes_keep_the_order_pass_errors_on_and_end() -> None:
    torch.set_num_threads(2)
    loads = list(range(20))
    assert list(thread_pool.map_parallel(lambda load: load * load, loads, 8)) == [
        i * i for i in loads
    ]
    with pytest.raises(ZeroDivisionError):
        list(thread_pool.map_parallel(lambda load: 1 // (load - 7), loads, 8))
    begun = thread_pool.map_parallel(lambda load: load, loads, 8)
    next(begun)
    begun.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]
    assert torch.get_num_threads() == 2


def test_a_model_whose_rotary_embedding_keeps_state_has_one_lane() -> None:
    assert thread_pool.max_workers(tiny_model()) > 1
    changing = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    assert thread_pool.max_workers(tiny_model(rope_parameters=changing)) == 1


def test_a_model_that_is_being_trained_is_scored_without_gradients() -> None:
    model = tiny_model(attn_implementation=attention.NAME).requires_grad_()
    found = scores(TransformersEngine(model, byte_tokenizer()), wanted())
    assert len(found) == len(wanted())
    assert all(parameter.grad is None for parameter in model.parameters())
