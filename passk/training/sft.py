"""Training on texts: supervised fine-tuning and distillation, on TRL's SFT trainer.

The loss is the mean over all response tokens of the batch of -log P(token | prompt, tokens before)
(sequence-level distillation, Kim & Rush 2016, arXiv 1606.07947, eq. 7, where a teacher wrote them).
Prompts are masked. A response ends as the prompt has it end, so that the model learns to stop.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from passk.core.errors import DataError
from passk.engines.base import Engine, ScoreRequest
from passk.engines.prompts import render
from passk.engines.tokens import PromptTokenizer
from passk.engines.transformers import TransformersEngine
from passk.engines.transformers.boundaries import longest_packed
from passk.training.checkpointing import CheckpointManager, CheckpointMixin, TrainerInputs
from passk.training.data_order import step_indices
from passk.training.grpo import common
from passk.training.packing import TOKENS_AT_ONCE, tree_logprobs, trees
from passk.training.reward import Grader
from passk.training.sft_data import (
    Text,
    keep_correct,
    texts_from_references,
    texts_from_samples,
    texts_from_solutions,
)
from passk.training.task import Task
from passk.training.teacher_samples import sample_once
from passk.training.trl_hooks import Batch
from passk.training.vllm_sync import start

MASKED = -100
"""Label of tokens that are not learnt (PyTorch's own)."""


class TextSampler:
    """The sampler: the texts of each step in turn; the trainer skips the steps that are done."""

    def __init__(self, key: str, prompts: int, texts: int, steps: int) -> None:
        """Take the steps from the first on, `prompts_per_step` of the `texts` in each."""
        self.key, self.prompts, self.texts, self.steps = key, prompts, texts, steps

    def __len__(self) -> int:
        """Return how many texts are taken in all."""
        return self.steps * self.prompts

    def __iter__(self) -> Iterator[int]:
        """Yield indices of texts."""
        for step in range(self.steps):
            yield from step_indices(self.key, step, self.prompts, self.texts)


class TextTrainer(CheckpointMixin, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer; the loss computes once what the texts of a batch share."""

    train_dataset: Dataset

    def _get_train_sampler(self, dataset: object = None) -> TextSampler:  # noqa: ARG002
        """Return the order of the data; see `TextSampler`."""
        task, texts = self.manager.task, len(self.train_dataset)
        return TextSampler(task.key, texts_per_step(task, texts), texts, self.args.max_steps)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: Batch,
        return_outputs: bool = False,  # noqa: FBT001, FBT002, ARG002 - the trainer's form
        num_items_in_batch: torch.Tensor | int = None,
    ) -> torch.Tensor:
        """Return the mean negative log-likelihood of the response tokens of a whole step."""
        pairs = split_labels(inputs)
        self._note_lengths([len(response) for _, response in pairs])
        room = int(self.manager.task.execution.get("max_tokens_per_pass") or TOKENS_AT_ONCE)
        logps = torch.cat([tree_logprobs(model, tree, 1.0) for tree in trees(pairs, room)])
        return -logps.sum() / (len(logps) if num_items_in_batch is None else num_items_in_batch)

    def _note_lengths(self, lengths: list[int]) -> None:
        """Note the mean length of the step's texts so far."""
        facts = self.manager.facts
        facts["lengths"] = facts.get("lengths", []) + lengths
        facts["response_tokens"] = statistics.fmean(facts["lengths"])


def split_labels(inputs: Batch) -> list[tuple[list[int], list[int]]]:
    """Return the prompt and the response of each row of a padded batch, as token ids."""
    rows = zip(inputs["input_ids"], inputs["attention_mask"], inputs["labels"], strict=True)
    return [
        (ids[kept.bool() & (labels == MASKED)].tolist(), ids[labels != MASKED].tolist())
        for ids, kept, labels in rows
    ]


def build_text_trainer(given: TrainerInputs) -> TextTrainer:
    """Return the trainer of SFT and of distillation, with the texts that it learns.

    Raises:
        DataError: there are too few texts, or one does not fit into the model's context.
    """
    manager = given.manager
    task = manager.task
    engine = TransformersEngine(
        *(given.model, given.tokenizer, task.execution), template=task.source.chat_template_kwargs
    )
    data = tokenize_texts(task, load_texts(manager, engine, given.grader), engine)
    trainer = TextTrainer(
        model=given.model,
        args=config(manager, given.output, len(data)),
        train_dataset=data,
        processing_class=given.tokenizer,
    )
    trainer.manager = manager
    return trainer


def texts_per_step(task: Task, texts: int) -> int:
    """Return how many texts a step takes: `prompts_per_step`, or all if there are fewer."""
    return min(int(task.settings["prompts_per_step"]), texts)


def config(manager: CheckpointManager, output: Path, texts: int) -> SFTConfig:
    """Return the trainer's arguments for so many texts."""
    batch = texts_per_step(manager.task, texts)
    parts = manager.task.parts(batch)
    return SFTConfig(
        **common(manager, output),
        per_device_train_batch_size=batch // parts,
        gradient_accumulation_steps=parts,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def load_texts(
    manager: CheckpointManager, engine: TransformersEngine, grader: Grader
) -> list[Text]:
    """Return the correct texts of the training's teacher."""
    task = manager.task
    teacher = task.teacher or {"kind": task.method.teacher}
    if teacher["kind"] == "solutions":
        return keep_correct(task, texts_from_solutions(task), grader)
    if teacher["kind"] == "reference":
        return keep_correct(task, texts_from_references(task, Path(teacher["file"])), grader)
    with torch.no_grad(), ExitStack() as after:
        samples = sample_once(manager, lambda: _text_engine(task, engine, after))
    texts = texts_from_samples(task, samples, own=teacher["kind"] == "self")
    return keep_correct(task, texts, grader, drawn=len(samples))


def _text_engine(task: Task, engine: TransformersEngine, after: ExitStack) -> Engine:
    """Return what draws own responses; vLLM gives its memory back `after`."""
    if task.settings.get("engine") != "vllm":
        return engine
    started = start(task)
    after.callback(started.stop)
    return started


def tokenize_texts(task: Task, texts: Sequence[Text], engine: TransformersEngine) -> Dataset:
    """Return texts after their prompts as token ids, and as labels with the prompts masked.

    Raises:
        DataError: a text does not fit into the model's context.
    """
    limit, what = longest_packed(engine.model)
    rows: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for text in texts:
        prompt, response = _tokens(task, text, engine.tokenizer)
        if len(prompt) + len(response) > limit:
            raise DataError(
                f"a prompt of {len(prompt)} tokens and a text of {len(response)} do not fit into "
                f"{what} of {limit}",
                where=f"problem {task.problems[text.problem].id}",
                fix="shorten the prompt, or leave the problem out (`select`)",
            )
        rows["input_ids"].append(prompt + response)
        rows["labels"].append([MASKED] * len(prompt) + response)
    return Dataset.from_dict(rows)


def _tokens(task: Task, text: Text, tokenizer: PromptTokenizer) -> tuple[list[int], list[int]]:
    """Return the tokens of a text's prompt, and its own with what ends it."""
    problem = task.problems[text.problem]
    rendered = render(task.template, problem)
    prompt, stops = tokenizer.prompt(rendered), task.template.stop
    whole = text.text + (stops[0] if stops else "")
    request = ScoreRequest(problem.id, 0, rendered, whole, text.token_ids, ended=not stops)
    return prompt, tokenizer.response(request, prompt)
