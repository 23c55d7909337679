"""Hooks into TRL's trainers: sampling, rewards and log-probabilities are passk's.

TRL samples with `model.generate`, a padded copy of the prompt per response, and runs these copies
again in the loss. Here the engine samples from the live model, the verifier gives the rewards, and
the loss computes shared prefixes once (`passk.training.packing`). Losses, clipping and, where TRL
has the method, advantages are TRL's own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from functools import cached_property, reduce
from operator import add

import torch
from accelerate.utils import gather_object

from passk.core.schemas import Sample
from passk.engines.base import Engine, Request, Sampling
from passk.engines.transformers import TransformersEngine
from passk.training.checkpointing import CheckpointMixin, StepFacts
from passk.training.data_order import step_indices
from passk.training.packing import TOKENS_AT_ONCE, Tree, tree_logprobs, trees
from passk.training.rollout import Rollout, RolloutGenerator
from passk.training.task import Task
from passk.training.vllm_sync import VllmWeights

Batch = dict[str, torch.Tensor]
"""A batch as TRL's trainers pass it on."""


class StepSampler:
    """The sampler: problems of each step, `num_generations` times each, once per iteration."""

    def __init__(self, task: Task, group: int, repeats: int, steps: int) -> None:
        """Take the steps from the first on; the trainer skips those that are done."""
        self.task, self.group, self.repeats, self.steps = task, group, repeats, steps
        self.prompts: int = task.settings["prompts_per_step"]

    def __len__(self) -> int:
        """Return how many indices there are."""
        return self.steps * self.repeats * self.prompts * self.group

    def __iter__(self) -> Iterator[int]:
        """Yield indices of problems."""
        for step in range(self.steps):
            chosen = step_indices(self.task.key, step, self.prompts, len(self.task.problems))
            for _ in range(self.repeats):
                yield from (index for index in chosen for _ in range(self.group))


class RolloutMixin(CheckpointMixin):
    """Base class before a TRL trainer that learns from rewards.

    `grpo.build_trainer` sets `task` and `rollout_generator`.
    """

    task: Task
    rollout_generator: RolloutGenerator
    rollout: Rollout
    beta: float
    temperature: float
    num_iterations: int
    _step: int
    _buffered: list[Batch]

    def draw(self, requests: Sequence[Request], sampling: Sampling) -> list[Sample]:
        """Sample from the current weights."""
        with torch.no_grad():
            return list(self.engine().sample(requests, sampling))

    def engine(self) -> Engine:
        """Return the training's engine with the current weights."""
        if self.task.settings.get("engine") == "vllm":
            return self.vllm.with_weights_of(self.step, self.save_weights)
        return self._transformers_engine()

    def _transformers_engine(self) -> TransformersEngine:
        """Return the transformers engine with the current weights."""
        template = self.task.source.chat_template_kwargs
        return TransformersEngine(
            self.model, self.processing_class, self.task.execution, template=template
        )

    def release(self) -> None:
        """Stop vLLM, if it was used."""
        self.vllm.stop()

    @cached_property
    def vllm(self) -> VllmWeights:
        """VLLM's copy of the weights."""
        size = sum(4 * weight.numel() for weight in self.model.parameters())
        return VllmWeights(self.task, size, self.accelerator)

    def generate_rollout(self, problems: Sequence[int]) -> Rollout:
        """Sample this step's responses and record their metrics; a method may sample more."""
        rollout = self.rollout_generator.generate_rollout(
            problems, self.task.settings["num_generations"], self.step
        )
        self.manager.facts.update(rollout_metrics(self._gather_rollouts(rollout)))
        self.manager.facts.update({"drawing": rollout.drawing, "grading": rollout.grading})
        return rollout

    def record_flat_groups(self, rollout: Rollout) -> None:
        """Record the share of groups whose rewards are all equal."""
        self.manager.facts["zero_groups"] = flat_group_share(self._gather_rollouts(rollout))

    def _gather_rollouts(self, rollout: Rollout) -> Rollout:
        """Return the rollouts of all processes as one."""
        if self.accelerator.num_processes == 1:
            return rollout
        whole: Rollout = reduce(add, gather_object([rollout]))
        return whole

    def total(self, number: torch.Tensor) -> torch.Tensor:
        """Return the sum of a number over all processes."""
        return self.accelerator.reduce(number, reduction="sum")

    def prompt_ids(self, problem: int) -> list[int]:
        """Return the token ids of a problem's prompt."""
        return self._transformers_engine().tokenizer.prompt(self.rollout_generator.prompts[problem])

    def _get_train_sampler(self, dataset: object = None) -> StepSampler:  # noqa: ARG002
        """Return the order of the data; see `StepSampler`."""
        repeats = self.num_iterations * self.args.steps_per_generation
        steps = self.args.max_steps // self.manager.num_iterations
        return StepSampler(self.task, self.task.settings["num_generations"], repeats, steps)

    def _prepare_inputs(self, generation_batch: object) -> Batch:
        """Sample at the first pass of a step; return the parts of the batch in order."""
        parts = self.args.steps_per_generation
        if self._step % (parts * self.num_iterations) == 0 or not hasattr(self, "_buffered"):
            batch = self._generate_and_score_completions(generation_batch)  # type: ignore[attr-defined]
            self._buffered = split(self.prepare_batch(batch), parts)
        part: Batch = self._buffered[self._step % parts]
        return part

    def prepare_batch(self, batch: Batch) -> Batch:
        """Return the batch for the loss; a method may set its own advantages."""
        return batch if self.beta else mask_zero_advantage(batch)

    def _rollout_tokens(self, prompts: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Sample this step's responses; return the token ids of prompts and of responses."""
        problems = [int(name) for name in prompts[:: self.task.settings["num_generations"]]]
        self.rollout = rollout = self.generate_rollout(problems)
        prompt_ids = [self.prompt_ids(problem) for problem in rollout.problems]
        repeated = [ids for ids in prompt_ids for _ in range(rollout.group)]
        return repeated, [list(sample.token_ids) for sample in rollout.samples]

    def _calculate_rewards(self, *_: object) -> torch.Tensor:
        """Return the rewards of this step's responses, of all processes, [B, 1]."""
        rewards = torch.tensor(self.rollout.rewards, device=self.accelerator.device)
        return self.accelerator.gather(rewards.unsqueeze(1))

    def tree_logps(self, model: torch.nn.Module, tree: Tree) -> torch.Tensor:
        """Return log P of the tree's response tokens, [M]."""
        return tree_logprobs(model, tree, self.temperature)

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        *_: object,
        **__: object,
    ) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Return log P of response tokens [B, T], zero where masked; in place of entropies, zeros.

        The reported entropy of a step is that of its sampled tokens.
        """
        answered = attention_mask[:, -logits_to_keep:].bool()
        pairs = split_rows(input_ids, attention_mask.bool(), logits_to_keep)
        room = int(self.task.execution.get("max_tokens_per_pass") or TOKENS_AT_ONCE)
        with self.accelerator.autocast():
            parts = [self.tree_logps(model, tree) for tree in trees(pairs, room)]
        if not parts:  # nothing of this batch moves anything
            parts = [next(model.parameters()).flatten()[:0].float()]
        logps = scatter_to_mask(torch.cat(parts), answered)
        return logps, torch.zeros_like(logps), None


def mask_zero_advantage(batch: Batch) -> Batch:
    """Return a batch in which responses of advantage 0 are masked: they move nothing.

    The model need not see them then. Losses that average over responses count them all the same,
    and `num_items_in_batch`, by which others divide, stays. A batch of nothing else stays whole.
    """
    moving = batch["advantages"] != 0
    if moving.dim() > 1:
        moving = moving.any(1)
    if not moving.any():
        return batch
    mask = batch["completion_mask"] * moving.unsqueeze(1)
    changed = {**batch, "completion_mask": mask}
    if "old_logps" in batch:  # the sum over no tokens
        changed["old_logps"] = batch["old_logps"] * moving
    return changed


def split_rows(
    input_ids: torch.Tensor, mask: torch.Tensor, width: int
) -> list[tuple[list[int], list[int]]]:
    """Return the prompt and the response of each row [B, P + width] without what is masked."""
    rows = zip(input_ids, mask, strict=True)
    return [
        (ids[:-width][kept[:-width]].tolist(), ids[-width:][kept[-width:]].tolist())
        for ids, kept in rows
    ]


def scatter_to_mask(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return values [M] in the places of a mask [B, T], and zero elsewhere."""
    return torch.zeros(mask.shape, device=mask.device).masked_scatter(mask, values)


def split(batch: Batch, parts: int) -> list[Batch]:
    """Return a batch as parts of equal size; numbers that are of the whole batch go with each."""
    rows = batch["completion_ids"].shape[0]
    size = rows // parts
    return [
        {
            name: value[part * size : (part + 1) * size]
            if torch.is_tensor(value) and value.dim() and value.shape[0] == rows
            else value
            for name, value in batch.items()
        }
        for part in range(parts)
    ]


def rollout_metrics(rollout: Rollout) -> StepFacts:
    """Return what the row of a step says of its responses."""
    known = [reward for reward in rollout.rewards if not math.isnan(reward)]
    lengths = [sample.n_tokens for sample in rollout.samples]
    entropy = sum(sample.mean_entropy * sample.n_tokens for sample in rollout.samples)
    mean = entropy / sum(lengths)
    return {
        "reward": statistics.fmean(known) if known else None,
        "reward_std": statistics.pstdev(known) if known else None,
        "zero_groups": flat_group_share(rollout),
        "entropy": mean if math.isfinite(mean) else None,
        "response_tokens": statistics.fmean(lengths),
        "truncated": statistics.fmean(s.finish_reason == "length" for s in rollout.samples),
    }


def flat_group_share(rollout: Rollout) -> float:
    """Return the share of groups whose rewards are all equal."""
    mixed = rollout.mixed()
    return 1 - sum(mixed) / len(mixed)
