"""A small study made of random numbers: two samplers of one model whose curves cross."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from passk.core.artifacts import digest, write_json
from passk.core.schemas import Problem, Sample, Score, Verdict, write_rows
from passk.stages.count import count

GROUPS = ("sums", "products", "lcm")
SHARD = 32


@dataclass(frozen=True)
class Drawn:
    """The responses of one cell as arrays: answers and truncation, both problem x sample."""

    answers: np.ndarray
    truncated: np.ndarray


def golds(problems: int) -> np.ndarray:
    return np.arange(problems) * 37 % 241 + 10


def problem_rows(problems: int) -> list[Problem]:
    return [
        Problem(
            id=f"p{i:03d}",
            question=f"What is {gold}?",
            gold=json.dumps(str(gold)),
            images=[],
            meta=json.dumps({"group": GROUPS[i % len(GROUPS)]}),
            question_digest=digest(i),
            gold_digest=digest(int(gold)),
        )
        for i, gold in enumerate(golds(problems))
    ]


def rates(problems: int, *, sharp: bool) -> np.ndarray:
    """Success rates per problem; sharpening lifts the likely and sinks the unlikely."""
    base = np.random.default_rng(7).beta(0.45, 1.6, problems)
    if not sharp:
        return base
    power = 1.9
    return base**power / (base**power + (0.45 * (1 - base)) ** power)


def draw(rate: np.ndarray, n: int, seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    gold = golds(len(rate))[:, None]
    right = rng.random((len(rate), n)) < rate[:, None]
    wrong = gold + rng.integers(1, 30, right.shape)
    answers = np.where(right, gold, wrong)
    truncated = rng.random(right.shape) < 0.04
    return Drawn(np.where(truncated & ~right, -1, answers), truncated)


def sample_rows(drawn: Drawn, samples: range) -> list[Sample]:
    return [
        Sample(
            problem_id=f"p{i:03d}",
            sample=j,
            seed=1000 * i + j,
            text=f"The answer is {drawn.answers[i, j]}.",
            token_ids=[1, 2, 3],
            n_tokens=3 + j % 4,
            finish_reason="length" if drawn.truncated[i, j] else "stop",
            sum_logprob=-2.5,
            mean_entropy=0.4,
        )
        for i in range(len(drawn.answers))
        for j in samples
    ]


def verdict_rows(drawn: Drawn, samples: range) -> list[Verdict]:
    gold = golds(len(drawn.answers))
    return [
        _verdict(i, j, int(drawn.answers[i, j]), int(gold[i]))
        for i in range(len(gold))
        for j in samples
    ]


def _verdict(i: int, j: int, answer: int, gold: int) -> Verdict:
    told = None if answer < 0 else str(answer)
    verdict = "no_answer" if told is None else "correct" if answer == gold else "wrong"
    return Verdict(f"p{i:03d}", j, verdict, told, told, 0.001, "equal" if answer == gold else "")


def score_rows(problems: int, samples: range, shift: float, seed: int) -> list[Score]:
    rng = np.random.default_rng(seed)
    means = np.exp(rng.normal(shift, 0.25, (problems, len(samples))))
    return [
        Score(f"p{i:03d}", j, 5, -5 * float(np.log(means[i, at])), float(means[i, at]))
        for i in range(problems)
        for at, j in enumerate(samples)
    ]


def write_cell(
    folder: Path, name: str, drawn: Drawn, entry: dict[str, object], problems: Path
) -> dict[str, object]:
    """Write the shards and counts of one cell and return its entry of the plan."""
    n = drawn.answers.shape[1]
    shards = [range(start, min(start + SHARD, n)) for start in range(0, n, SHARD)]
    files: dict[str, list[Path]] = {"samples": [], "verdicts": []}
    for shard in shards:
        manifest = {
            "cell": name, "engine": "fake", "device": "cpu", "packages": {"passk": "0.1.0"},
            "seconds": 12.5, "tokens": 5400, "responses": len(shard) * len(drawn.answers),
        }  # fmt: skip
        rows = {"samples": sample_rows(drawn, shard), "verdicts": verdict_rows(drawn, shard)}
        for kind, made in rows.items():
            path = folder / kind / name / f"{shard.start:05d}-{shard.stop:05d}.parquet"
            write_rows(path, made, manifest)
            files[kind].append(path)
    counts = folder / "counts" / f"{name}.parquet"
    count(problems, files["samples"], files["verdicts"], counts, n, canonical=str)
    return {
        "id": name, "model": "tiny", "color": None, "role": "base", "algorithm": None, "step": None,
        "n": n, "problems": str(problems), "counts": str(counts), **entry,
        **{kind: [str(path) for path in paths] for kind, paths in files.items()},
    }  # fmt: skip


def write_scoring(
    folder: Path, cell: dict[str, object], shift: float, problems: int
) -> dict[str, object]:
    path = folder / "scores" / f"tiny-of-{cell['id']}.parquet"
    write_rows(path, score_rows(problems, range(8), shift, 3), {"engine": "fake", "seconds": 3.5})
    return {
        "id": f"tiny-of-{cell['id']}", "scorer": "tiny", "scorer_label": "tiny",
        "responses_of": cell["label"], "cell": cell["id"], "reference": None,
        "benchmark": cell["benchmark"], "sampler": cell["sampler"], "problems": cell["problems"],
        "verdicts": cell["verdicts"], "files": [str(path)],
    }  # fmt: skip


def make_study(folder: Path, problems: int = 60, n: int = 64, title: str = "Hot and cold") -> Path:
    """Write a whole study into `folder` and return the path of its plan.json."""
    asked = folder / "problems.parquet"
    write_rows(asked, problem_rows(problems))
    hot = write_cell(
        folder, "hot", draw(rates(problems, sharp=False), n, 1),
        {"label": "T = 1.0", "benchmark": "arithmetic", "sampler": "hot", "base": None}, asked,
    )  # fmt: skip
    cold = write_cell(
        folder, "cold", draw(rates(problems, sharp=True), n, 2),
        {"label": "T = 0.6", "benchmark": "arithmetic", "sampler": "cold", "base": "hot"}, asked,
    )  # fmt: skip
    scores = [write_scoring(folder, hot, 1.1, problems), write_scoring(folder, cold, 0.6, problems)]
    plan = folder / "plan.json"
    write_json(
        plan,
        {
            "name": "synthetic", "title": title, "k": [1, 2, 4, 8, 16, 32, 64],
            "cells": [hot, cold], "scores": scores, "spec": {"name": "synthetic"},
            "spec_path": "specs/synthetic.yaml", "engines": {"fake": {}}, "unknown": 1,
        },
    )  # fmt: skip
    return plan
