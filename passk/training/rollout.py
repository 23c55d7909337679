"""What a step learns from: responses of the live model to some problems, with their rewards."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from passk.core.schemas import Problem, Sample
from passk.engines.base import Prompt, Request, Sampling
from passk.engines.prompts import render
from passk.training.data_order import seed_of
from passk.training.reward import Grader
from passk.training.task import Task

Draw = Callable[[Sequence[Request], Sampling], Sequence[Sample]]
"""Draws what is requested, in any order."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Responses, `num_generations` consecutive ones per problem.

    Attributes:
        problems: indices of the problems, one per group.
        samples: the responses.
        rewards: of each response; NaN where grading failed.
        group: responses per problem.
        drawing, grading: seconds that each took.
    """

    problems: list[int]
    samples: list[Sample]
    rewards: list[float]
    group: int
    drawing: float = 0.0
    grading: float = 0.0

    def __add__(self, other: Rollout) -> Rollout:
        """Return both, one after the other."""
        return Rollout(
            self.problems + other.problems,
            self.samples + other.samples,
            self.rewards + other.rewards,
            self.group,
            self.drawing + other.drawing,
            self.grading + other.grading,
        )

    def select(self, groups: Sequence[int]) -> Rollout:
        """Return some of the groups, in the order given; the seconds are those of all."""
        places = [g * self.group + i for g in groups for i in range(self.group)]
        return Rollout(
            [self.problems[g] for g in groups],
            [self.samples[i] for i in places],
            [self.rewards[i] for i in places],
            self.group,
            self.drawing,
            self.grading,
        )

    def mixed(self) -> list[bool]:
        """Tell of each group whether its rewards differ: others teach nothing."""
        starts = range(0, len(self.rewards) + 1, self.group)
        parts = [self.rewards[a:b] for a, b in pairwise(starts)]
        return [len({r for r in part if not math.isnan(r)}) > 1 for part in parts]


class RolloutGenerator:
    """Draws and grades responses of one training."""

    def __init__(self, task: Task, draw: Draw, grader: Grader) -> None:
        """Render every prompt once."""
        self.task, self._draw, self._grader = task, draw, grader
        self.prompts: list[Prompt] = [render(task.template, p) for p in task.problems]

    def generate_rollout(
        self, problems: Sequence[int], group: int, *what: object, greedy: bool = False
    ) -> Rollout:
        """Return `num_generations` responses to each problem.

        Args:
            problems: their indices.
            group: responses to each.
            what: what these are, as the step's number: their seeds derive from it.
            greedy: decode without drawing.
        """
        began = time.perf_counter()
        key, chosen = self.task.key, [self.task.problems[i] for i in problems]
        requests = [
            Request(
                problem.id,
                self.prompts[index],
                tuple(range(group)),
                tuple(seed_of(key, *what, problem.id, i) for i in range(group)),
            )
            for index, problem in zip(problems, chosen, strict=True)
        ]
        sampling = self.task.sampling
        if greedy:
            sampling = Sampling(0.0, max_tokens=sampling.max_tokens, stop=sampling.stop)
        samples = sort_samples(chosen, group, self._draw(requests, sampling))
        drawn = time.perf_counter()
        golds = [problem.gold for problem in chosen for _ in range(group)]
        texts = [sample.text for sample in samples]
        rewards = self._grader.rewards(list(zip(golds, texts, strict=True)))
        graded = time.perf_counter()
        return Rollout(list(problems), samples, rewards, group, drawn - began, graded - drawn)


def sort_samples(
    problems: Sequence[Problem], group: int, samples: Sequence[Sample]
) -> list[Sample]:
    """Return samples in the order of the problems, then of their indices."""
    known = {(sample.problem_id, sample.sample): sample for sample in samples}
    return [known[problem.id, i] for problem in problems for i in range(group)]
