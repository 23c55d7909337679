"""SFT and distillation: which texts are imitated, that they are learnt, and what a kill costs."""

from __future__ import annotations

import dataclasses
import json
import logging
import multiprocessing
import random
import signal
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch
from conftest import write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from kills import PRELOADED
from tiny_models import byte_tokenizer, save_tiny, tiny_model
from trainings import Training, same

from passk.core.errors import DataError, EngineError
from passk.core.schemas import Problem, Sample, read_rows
from passk.engines.base import Request, Sampling
from passk.engines.prompts import render
from passk.engines.transformers import TransformersEngine
from passk.spec.models import PromptTemplate
from passk.stages.train import train
from passk.training import sft, teacher_samples
from passk.training.checkpointing import CheckpointManager, TrainerInputs
from passk.training.reward import Grader
from passk.training.run import silence_libraries
from passk.training.sft_data import texts_from_samples, until_stop
from passk.training.task import Task, read_training

SOLUTIONS = {"kind": "solutions"}
SELF = {"kind": "self"}
SELFISH = {
    "prompts_per_step": 4,
    "num_generations": 64,
    "max_tokens": 16,
    "learning_rate": 3e-3,
    "seed": 1,
}
LEARNT = {"prompts_per_step": 6, "learning_rate": 2e-3}


@dataclasses.dataclass
class Imitation(Training):
    """A training on texts: problem i is `i + i =`, its solution says how and ends in 2i."""

    method: str = "distillation"
    teacher: dict[str, Any] | None = dataclasses.field(default_factory=lambda: dict(SOLUTIONS))
    solutions: list[str | None] | None = None

    def solution(self, index: int) -> str | None:
        """The worked solution of a problem."""
        if self.solutions is not None:
            return self.solutions[index]
        return f" is {'abcdef'[index] * 2} {2 * index}"

    def rows_of_problems(self) -> list[Problem]:
        """Problems with golds of their own."""
        return [
            dataclasses.replace(
                row,
                gold=json.dumps(str(2 * index)) if self.teacher != SELF else row.gold,
                meta=json.dumps({"solution": self.solution(index)}),
            )
            for index, row in enumerate(super().rows_of_problems())
        ]

    def greedy(self, step: int) -> list[Sample]:
        """What a checkpoint says to each problem when it does not draw."""
        task, folder = training_of(self), str(self.output(step).parent)
        engine = TransformersEngine.load(dataclasses.replace(task.source, weights=folder))
        template = task.template
        requests = [
            Request(row.id, render(template, row), (0,), (0,)) for row in self.rows_of_problems()
        ]
        rows = engine.sample(requests, Sampling(0.0, max_tokens=40, stop=template.stop))
        return sorted(rows, key=lambda row: row.problem_id)


def test_worked_solutions_are_learnt_with_their_end(tmp_path: Path) -> None:
    training = Imitation(tmp_path / "t", steps=[100], settings=LEARNT)
    training.train(100)
    said = training.greedy(100)
    assert [row.text for row in said] == [training.solution(i) for i in range(6)]
    assert {row.finish_reason for row in said} == {"stop"}
    rows = training.rows(100)
    assert rows[-1].loss < 0.1 * rows[0].loss
    assert rows[0].reward is None
    assert rows[0].response_tokens == sum(len(training.solution(i) or "") + 1 for i in range(6)) / 6


def test_own_responses_and_solutions_are_learnt_in_bfloat16(tmp_path: Path) -> None:
    own = Imitation(
        tmp_path / "t", "SFT", SELFISH, teacher=dict(SELF), steps=[12], dtype="bfloat16"
    )
    taught = Imitation(tmp_path / "u", steps=[40], settings=LEARNT, dtype="bfloat16")
    for training, step in ((own, 12), (taught, 40)):
        training.train(step)
        losses = [row.loss for row in training.rows(step)]
        assert sum(losses[-4:]) < 0.9 * sum(losses[:4])  # each step has other texts
        assert {tensor.dtype for tensor in training.weights_of(step).values()} == {torch.bfloat16}


# One loss, whatever is shared -------------------------------------------------------------------


def build_trainer(training: Training) -> tuple[Any, Any, list[dict[str, list[int]]]]:
    """The trainer of a training, its model, and its rows of tokens."""
    training.write()
    manager = CheckpointManager(training_of(training), training.folder, tuple(training.steps))
    model, tokenizer = tiny_model(), byte_tokenizer()
    model.set_attn_implementation("passk_packed")
    model.requires_grad_(requires_grad=True)
    grader = Grader("number", {})
    with silence_libraries():
        output = training.folder / "scratch"
        trainer = sft.build_text_trainer(TrainerInputs(manager, model, tokenizer, grader, output))
    return trainer, model, list(trainer.train_dataset)


def training_of(training: Training) -> Task:
    """The training as a job reads it."""
    return read_training(training.task, training.asked, 1)


def plain_loss(model: Any, rows: list[dict[str, list[int]]]) -> Any:
    """The loss as its definition says: each sequence by itself, transformers' own attention."""
    model.set_attn_implementation("eager")
    total, count = 0.0, 0
    for row in rows:
        ids, labels = torch.tensor(row["input_ids"]), torch.tensor(row["labels"])
        logps = model(input_ids=ids[None]).logits[0, :-1].log_softmax(-1)
        learnt = labels[1:] != sft.MASKED
        total = total - logps[learnt, labels[1:][learnt]].sum()
        count += int(learnt.sum())
    return total / count


def test_loss_and_gradient_are_those_of_each_text_by_itself(tmp_path: Path) -> None:
    trainer, model, rows = build_trainer(
        Imitation(tmp_path / "t", settings={"prompts_per_step": 6})
    )
    batch = trainer.data_collator(rows)
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    gradient = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    expected = plain_loss(model, rows)
    expected.backward()
    torch.testing.assert_close(loss, expected)
    for found, parameter in zip(gradient, model.parameters(), strict=True):
        torch.testing.assert_close(found, parameter.grad, rtol=1e-3, atol=1e-5)


def test_prompts_are_masked_and_texts_end_as_the_prompt_has_them_end(tmp_path: Path) -> None:
    _, _, rows = build_trainer(Imitation(tmp_path / "t", settings={"prompts_per_step": 6}))
    text = byte_tokenizer().decode
    learnt = [[t for t in row["labels"] if t != sft.MASKED] for row in rows]
    shown = [row["input_ids"][: row["labels"].count(sft.MASKED)] for row in rows]
    assert text(learnt[1]) == " is bb 2~"
    assert text(shown[1]) == "Examples: 1 + 1 = 2. 1 + 1 ="


def test_a_batch_in_parts_is_learnt_as_a_whole(tmp_path: Path) -> None:
    whole = Imitation(tmp_path / "whole", settings={"prompts_per_step": 6})
    parts = Imitation(tmp_path / "parts", settings={"prompts_per_step": 6})
    parts.execution = {"threads": 1, "gradient_accumulation_steps": 3}
    whole.train(4)
    parts.train(4)
    told = [[row.loss for row in training.rows(4)] for training in (whole, parts)]
    assert told[1] == pytest.approx(told[0], rel=1e-3)
    one, other = whole.weights_of(4), parts.weights_of(4)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-4)


# Which texts ------------------------------------------------------------------------------------


def sample(problem: str, index: int, text: str, finish: Any = "stop") -> Sample:
    """A response."""
    return Sample(problem, index, 0, text, [9, 8, index], 3, finish, -1.0, 0.5)


def test_different_responses_that_ended_are_taken_once_each(tmp_path: Path) -> None:
    training = Imitation(tmp_path / "t", teacher=dict(SELF))
    training.write()
    drew = [
        *(sample("p0", 0, "1"), sample("p0", 1, "1"), sample("p0", 2, "2")),
        *(sample("p1", 0, "1"), sample("p1", 1, "3", "length")),
    ]
    own = texts_from_samples(training_of(training), drew, own=True)
    assert [(text.problem, text.text) for text in own] == [(0, "1"), (0, "2"), (1, "1")]
    assert own[1].token_ids == (9, 8, 2)
    others = texts_from_samples(training_of(training), drew, own=False)
    assert {text.token_ids for text in others} == {()}


@given(
    text=st.text("ab~#", max_size=12),
    stops=st.lists(st.sampled_from(["~", "##", "ab"]), unique=True),
)
def test_a_text_ends_where_a_draw_of_it_would(text: str, stops: list[str]) -> None:
    cut = until_stop(PromptTemplate("p", "text", "{question}", stop=tuple(stops)), text)
    assert text.startswith(cut)
    assert not any(stop in cut for stop in stops)
    rest = text[len(cut) :]
    assert not rest or any(rest.startswith(stop) for stop in stops)


def test_own_correct_responses_are_drawn_once_and_imitated(tmp_path: Path) -> None:
    training = Imitation(tmp_path / "t", "SFT", SELFISH, teacher=dict(SELF), steps=[4, 8])
    training.train(4)
    file = training.folder / "state" / teacher_samples.FILE
    rows, written = read_rows(file, Sample), file.stat().st_mtime_ns
    assert len(rows) == 6 * SELFISH["num_generations"]
    training.train(8)
    assert file.stat().st_mtime_ns == written
    straight = Imitation(tmp_path / "u", "SFT", SELFISH, teacher=dict(SELF), steps=[8])
    straight.train(8)
    assert read_rows(straight.folder / "state" / teacher_samples.FILE, Sample) == rows
    assert same(straight.weights_of(8), training.weights_of(8))


def test_a_model_teaches_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    master = Imitation(tmp_path / "m", steps=[100], settings=LEARNT)
    master.train(100)
    teacher = {
        "kind": "model",
        "engine": "transformers",
        "model": {
            "weights": str(master.output(100).parent),
            "revision": None,
            "dtype": "float32",
            "adapters": [],
            "execution": {},
        },
    }
    settings = {**LEARNT, "prompts_per_step": 4, "max_tokens": 40, "num_generations": 2}
    pupil = Imitation(tmp_path / "p", steps=[60], settings=settings, teacher=teacher)
    pupil.train(60)
    assert "different correct responses of 12 drawn" in caplog.text
    right = [row.text == pupil.solution(i) for i, row in enumerate(pupil.greedy(60))]
    assert sum(right) >= 4


def test_a_wrong_solution_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    solutions = [" is 0", " is 3", " is 4", " is 6", None, " is 10~11"]
    training = Imitation(
        tmp_path / "t", settings={"prompts_per_step": 4}, steps=[1], solutions=solutions
    )
    training.train(1)
    (told,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "1 of 5 texts to imitate are left out" in told
    assert "problem 'p1'" in told


def test_references_teach(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"problem_id": f"p{i}", "text": f" so {2 * i}"} for i in range(6)]
    write_jsonl(tmp_path / "r.jsonl", [*rows, {"problem_id": "other", "text": "1"}])
    teacher = {"kind": "reference", "file": str(tmp_path / "r.jsonl")}
    training = Imitation(tmp_path / "t", settings=LEARNT, steps=[100], teacher=teacher)
    training.train(100)
    assert [row.text for row in training.greedy(100)] == [row["text"] for row in rows]
    assert "1 responses are to other problems" in caplog.text


# Faults -----------------------------------------------------------------------------------------


def test_what_cannot_be_imitated_is_told_in_one_message(tmp_path: Path) -> None:
    none = Imitation(tmp_path / "a", solutions=[None] * 6)
    with pytest.raises(DataError, match="no problem has a worked solution"):
        none.train(4)
    wrong = Imitation(tmp_path / "b", solutions=[" is 77"] * 6)
    with pytest.raises(DataError, match="none of 6 texts to imitate is correct"):
        wrong.train(4)
    few = Imitation(tmp_path / "c", settings={"prompts_per_step": 4})
    few.solutions = [" is 0", " is 2", " is 4", None, None, None]
    with pytest.raises(DataError, match="a step imitates 4 texts, and 3 are correct"):
        few.train(4)
    long = Imitation(tmp_path / "d", solutions=[f"{'x' * 500} {2 * i}" for i in range(6)])
    with pytest.raises(DataError, match="do not fit into the model's context of 512"):
        long.train(4)


def test_fewer_own_correct_responses_than_a_step_takes_are_all_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {**SELFISH, "prompts_per_step": 6, "num_generations": 16}
    training = Imitation(tmp_path / "t", "SFT", settings, teacher=dict(SELF), steps=[2])
    training.train(2)
    assert "each step takes all of them" in caplog.text
    samples = read_rows(training.folder / "state" / teacher_samples.FILE, Sample)
    kept = texts_from_samples(training_of(training), samples, own=True)
    graded = Grader("number", {}).rewards([(training.gold, text.text) for text in kept])
    right = [text for text, found in zip(kept, graded, strict=True) if found]
    assert 0 < len(right) < 6
    mean = sum(len(text.token_ids) for text in right) / len(right)
    assert [row.response_tokens for row in training.rows(2)] == [mean, mean]


def test_a_batch_that_cannot_be_cut_into_equal_parts_is_refused(tmp_path: Path) -> None:
    training = Imitation(tmp_path / "t", settings={"prompts_per_step": 6})
    training.execution = {"threads": 1, "gradient_accumulation_steps": 4}
    with pytest.raises(DataError, match="a batch of 6 cannot be cut into 4 equal parts"):
        training.train(4)


def test_no_correct_response_at_all_is_told_and_the_draw_is_kept(tmp_path: Path) -> None:
    never = Imitation(tmp_path / "t", "SFT", teacher=dict(SELF), gold=json.dumps("123456789"))
    with pytest.raises(DataError, match="none of 24 responses drawn is correct"):
        never.train(4)
    assert len(read_rows(never.folder / "state" / teacher_samples.FILE, Sample)) == 24


def test_a_missing_teacher_is_told(tmp_path: Path) -> None:
    gone = {"weights": str(tmp_path / "gone"), "revision": None, "dtype": "float32"}
    model = {"kind": "model", "engine": "transformers", "model": {**gone, "adapters": []}}
    model["model"] |= {"execution": {}}
    with pytest.raises(EngineError, match="gone"):
        Imitation(tmp_path / "t", teacher=model).train(4)
    file = {"kind": "reference", "file": str(tmp_path / "gone.jsonl")}
    with pytest.raises(DataError, match="cannot be read"):
        Imitation(tmp_path / "u", teacher=file).train(4)


# Kills ------------------------------------------------------------------------------------------


def test_killed_at_five_moments_the_weights_are_those_of_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    weights = save_tiny(tmp_path / "tiny")
    made = {"settings": SELFISH, "teacher": dict(SELF), "steps": [12], "weights": weights}
    undisturbed = Imitation(tmp_path / "u", "SFT", **made)
    disturbed = Imitation(tmp_path / "d", "SFT", **made)
    for one in (undisturbed, disturbed):
        one.execution = {"threads": 1, "save_steps": 1}
        one.write()
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)

    def start(one: Training) -> Any:
        arguments = (one.task, one.asked, 12, one.output(12))
        process = processes.Process(target=train, args=arguments)
        process.start()
        return process

    first, moments, killed = start(undisturbed), random.Random(3), 0
    first.join()
    assert first.exitcode == 0
    for there in (
        "drawn.journal.jsonl",
        "drawn.parquet",
        *(f"step-00000{n}" for n in (1, 4, 7)),
    ):
        process = start(disturbed)
        while process.is_alive() and not (disturbed.folder / "state" / there).exists():
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.02))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 3
    last = start(disturbed)
    last.join()
    assert last.exitcode == 0
    assert same(undisturbed.weights_of(12), disturbed.weights_of(12))
    assert [row.loss for row in undisturbed.rows(12)] == [row.loss for row in disturbed.rows(12)]


def test_a_draw_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    training = Imitation(tmp_path / "t", "SFT", SELFISH, teacher=dict(SELF))
    training.write()
    task = training_of(training)
    manager = CheckpointManager(task, training.folder, (4,))
    engine = TransformersEngine.load(task.source)

    class Dying(TransformersEngine):
        """Ends in the middle of its work."""

        def sample(self, requests: Any, sampling: Any) -> Iterator[Sample]:
            yield from islice(super().sample(requests, sampling), 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), torch.no_grad():
        teacher_samples.sample_once(
            manager, lambda: Dying(engine.model, engine.tokenizer.tokenizer)
        )
    asked: list[int] = []

    class Counting(TransformersEngine):
        """Notes how many responses are asked for."""

        def sample(self, requests: Any, sampling: Any) -> Iterator[Sample]:
            asked.extend(len(request.samples) for request in requests)
            yield from super().sample(requests, sampling)

    with torch.no_grad():
        rows = teacher_samples.sample_once(
            manager, lambda: Counting(engine.model, engine.tokenizer.tokenizer)
        )
    assert sum(asked) == len(rows) - 10
    assert len({(row.problem_id, row.sample) for row in rows}) == len(rows)
