"""Prompts with images through the transformers engine, with a tiny random Qwen2.5-VL."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("passk.engines.transformers")  # before torch: it sets how threads wait
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL", reason="pip install pillow")

from tiny_models import save_image, save_tiny, save_tiny_vision  # noqa: E402

from passk.core.errors import EngineError  # noqa: E402
from passk.core.schemas import Sample  # noqa: E402
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest  # noqa: E402
from passk.engines.images import chat_with_images  # noqa: E402
from passk.engines.transformers import TransformersEngine, attention  # noqa: E402
from passk.engines.vllm.requests import vllm_prompt  # noqa: E402

QUESTION = "Which is larger?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vision(tmp_path_factory.mktemp("vision"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformersEngine:
    return TransformersEngine.load(ModelSource(str(folder), dtype="float32"))


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    """The model as transformers runs it."""
    return transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    made = tmp_path_factory.mktemp("images")
    sizes = [(84, 56), (84, 56), (112, 112)]
    return [save_image(made / f"{i}.png", i, size) for i, size in enumerate(sizes)]


def submitted(*images: str, text: str = QUESTION) -> Prompt:
    return Prompt(messages=(("system", "Look."), ("user", text)), images=images)


def drawn(
    engine: TransformersEngine, prompts: dict[str, Prompt], sampling: Sampling, count: int = 4
) -> dict[tuple[str, int], Sample]:
    seeds = tuple(range(count))
    requests = [Request(name, prompt, seeds, seeds) for name, prompt in prompts.items()]
    return {(row.problem_id, row.sample): row for row in engine.sample(requests, sampling)}


def test_greedy_answers_to_images_equal_generate(
    engine: TransformersEngine, plain: Any, images: list[str]
) -> None:
    prompts = {
        "one": submitted(images[0]),
        "other": submitted(images[1]),
        "three": submitted(*images),
        "between": submitted(images[2], images[0], text="First <image>, then <image>: larger?"),
        "text": submitted(),
    }
    rows = drawn(engine, prompts, Sampling(temperature=0, max_tokens=12), count=2)
    for name, prompt in prompts.items():
        if prompt.images:
            inputs = engine.tokenizer.image_inputs(prompt)
        else:
            inputs = {"input_ids": torch.tensor([engine.tokenizer.prompt(prompt)])}
        output = plain.generate(**inputs, do_sample=False, max_new_tokens=12)
        expected = output[0, inputs["input_ids"].shape[1] :].tolist()
        assert rows[name, 0].token_ids == rows[name, 1].token_ids == expected
    assert rows["one", 0].token_ids != rows["other", 0].token_ids


def test_scores_after_images_equal_sampling_and_a_plain_pass(
    engine: TransformersEngine, plain: Any, images: list[str]
) -> None:
    prompts = {"one": submitted(images[0]), "other": submitted(images[1]), "text": submitted()}
    rows = drawn(engine, prompts, Sampling(max_tokens=10))
    requests = [
        ScoreRequest(name, i, prompts[name], row.text, tuple(row.token_ids))
        for (name, i), row in rows.items()
    ]
    for score in engine.score(requests):
        row = rows[score.problem_id, score.sample]
        assert score.sum_logprob == pytest.approx(row.sum_logprob, abs=1e-2)
    inputs = engine.tokenizer.image_inputs(prompts["one"])
    row = rows["one", 0]
    whole = torch.cat([inputs["input_ids"], torch.tensor([row.token_ids])], 1)
    kinds = torch.nn.functional.pad(inputs["mm_token_type_ids"], (0, row.n_tokens))
    seen = {k: inputs[k] for k in ("pixel_values", "image_grid_thw")}
    logits = plain(input_ids=whole, mm_token_type_ids=kinds, **seen).logits[0, -row.n_tokens - 1 :]
    known = logits.float().log_softmax(-1)
    expected = math.fsum(known[i, token].item() for i, token in enumerate(row.token_ids))
    assert row.sum_logprob == pytest.approx(expected, abs=1e-2)


def test_a_model_whose_attention_is_another_one_sees_images_by_its_own(
    folder: Path,
    engine: TransformersEngine,
    images: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = attention.attention
    monkeypatch.setattr(
        attention, "attention", lambda q, k, v, *a, **b: right(q * 2, k, v, *a, **b)
    )
    other = TransformersEngine.load(ModelSource(str(folder), dtype="float32"))
    assert other.mismatch
    prompts = {"one": submitted(images[0]), "three": submitted(*images), "text": submitted()}
    rows = drawn(other, prompts, Sampling(max_tokens=6), count=2)
    requests = [
        ScoreRequest(name, i, prompts[name], row.text, tuple(row.token_ids))
        for (name, i), row in rows.items()
    ]
    own = list(other.score(requests))
    monkeypatch.setattr(attention, "attention", right)
    by_key = {(s.problem_id, s.sample): s.sum_logprob for s in engine.score(requests)}
    assert len(own) == len(by_key) == 6
    for score in own:
        key = score.problem_id, score.sample
        assert score.sum_logprob == pytest.approx(by_key[key], abs=1e-3)
        assert rows[key].sum_logprob == pytest.approx(by_key[key], abs=1e-3)


def test_text_is_scored_as_a_continuation_of_images(
    engine: TransformersEngine, images: list[str]
) -> None:
    tokens = tuple(engine.tokenizer.tokenizer("the left one")["input_ids"])
    prompt = submitted(images[0])
    (by_text,) = engine.score([ScoreRequest("p", 0, prompt, "the left one")])
    (by_tokens,) = engine.score([ScoreRequest("p", 0, prompt, "", tokens)])
    assert by_text == by_tokens


def test_an_image_counts_as_the_tokens_that_it_takes(
    engine: TransformersEngine, images: list[str]
) -> None:
    text, small, large = (
        len(engine.tokenizer.prompt(p))
        for p in (submitted(), submitted(images[0]), submitted(images[2]))
    )
    assert (small - text, large - text) == (2 + 6, 2 + 16)
    request = Request("big", submitted(images[2]), (0,), (0,))
    with pytest.raises(EngineError, match=f"a prompt of {large} tokens"):
        next(engine.sample([request], Sampling(max_tokens=513 - large)))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(text="look", images=("a.png",)), "raw-text prompt carries no images"),
        (submitted("a.png", text="<image> and <image>"), "2 <image> marks for 1 images"),
        (submitted("no-such.png"), "cannot be read: No such file"),
    ],
)
def test_prompts_that_are_refused(engine: TransformersEngine, prompt: Prompt, message: str) -> None:
    with pytest.raises(EngineError, match=message) as raised:
        drawn(engine, {"p": prompt}, Sampling(max_tokens=2))
    assert raised.value.fix


def test_a_file_that_is_no_image(engine: TransformersEngine, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(EngineError, match="image cannot be read") as raised:
        drawn(engine, {"p": submitted(str(tmp_path / "a.png"))}, Sampling(max_tokens=2))
    assert raised.value.where == str(tmp_path / "a.png")


def test_a_template_that_shows_no_image_is_refused(
    engine: TransformersEngine, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.tokenizer.processor, "chat_template", "{{ messages | length }}")
    with pytest.raises(EngineError, match="cannot take these images"):
        drawn(engine, {"p": submitted(images[0])}, Sampling(max_tokens=2))


def test_a_text_model_refuses_images(tmp_path: Path, images: list[str]) -> None:
    engine = TransformersEngine.load(ModelSource(str(save_tiny(tmp_path)), dtype="float32"))
    with pytest.raises(EngineError, match="takes no images"):
        drawn(engine, {"p": submitted(images[0])}, Sampling(max_tokens=2))


def test_vllm_is_handed_the_images_and_one_token_for_each(
    engine: TransformersEngine, images: list[str]
) -> None:
    prompt = submitted(*images[:2])
    given = vllm_prompt(prompt, engine.tokenizer.plain(prompt))
    mark = engine.tokenizer.processor.image_token_id
    assert given["prompt_token_ids"].count(mark) == 2
    assert engine.tokenizer.prompt(prompt).count(mark) == 12
    assert [image.size for image in given["multi_modal_data"]["image"]] == [(84, 56)] * 2
    assert "multi_modal_data" not in vllm_prompt(submitted(), engine.tokenizer.plain(submitted()))


def test_images_come_first_or_where_they_are_marked() -> None:
    first = Prompt(messages=(("user", "a"), ("assistant", "b"), ("user", "c")), images=("x", "y"))
    assert chat_with_images(first)[2] == (
        "user",
        [("image", "x"), ("image", "y"), ("text", "c")],
    )
    marked = Prompt(messages=(("user", "a <image>"), ("user", "<image> b")), images=("x", "y"))
    assert chat_with_images(marked) == [
        ("user", [("text", "a "), ("image", "x")]),
        ("user", [("image", "y"), ("text", " b")]),
    ]
