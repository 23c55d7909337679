"""Where passk enters the trainers of TRL: what they draw, how it is rewarded, and its likelihood.

TRL's own loop draws with `model.generate`, a padded copy of the prompt per response, and scores
copies of it again in the loss. Here the engine draws from the live model, the verifier rewards,
and the loss sees whatever responses share once (`passk.training.packing`). Losses, clipping and,
where TRL has the method, advantages stay TRL's own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from functools import cached_property, reduce
from operator import add
from typing import Any

import torch
from accelerate.utils import gather_object

from passk.core.schemas import Sample
from passk.engines.base import Engine, Request, Sampling
from passk.engines.transformers import TransformersEngine
from passk.training.checkpointing import Kept
from passk.training.data_order import asked
from passk.training.packing import TOKENS_AT_ONCE, Tree, tree_logprobs, trees
from passk.training.rollout import Roller, Rollout
from passk.training.task import Task
from passk.training.vllm_sync import VllmCopy


class Steps:
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
            chosen = asked(self.task.key, step, self.prompts, len(self.task.problems))
            for _ in range(self.repeats):
                yield from (index for index in chosen for _ in range(self.group))


class Drawing(Kept):
    """Put before a trainer of TRL that learns from rewards; `task` and `roller` are set by `rl`."""

    task: Task
    roller: Roller
    rollout: Rollout
    beta: float
    temperature: float
    num_iterations: int
    _metrics: Any
    _step: int
    _buffered: list[dict[str, Any]]

    def draw(self, requests: Sequence[Request], sampling: Sampling) -> list[Sample]:
        """Draw from the model as it is now."""
        with torch.no_grad():
            return list(self.engine().sample(requests, sampling))

    def engine(self) -> Engine:
        """Return the engine that the training names, with the model's weights as they are now."""
        if self.task.settings.get("engine") == "vllm":
            return self.vllm.at(self.step, self.save_weights)
        return TransformersEngine(self.model, self.processing_class, self.task.execution)

    def release(self) -> None:
        """End vLLM, where it drew."""
        self.vllm.stop()

    @cached_property
    def vllm(self) -> VllmCopy:
        """The copy of the weights that vLLM draws from."""
        size = sum(4 * weight.numel() for weight in self.model.parameters())
        return VllmCopy(self.task, size, self.accelerator)

    def roll(self, problems: Sequence[int]) -> Rollout:
        """Return this step's responses, and note what they were like; a method may draw more."""
        rollout = self.roller.roll(problems, self.task.settings["num_generations"], self.step)
        self.keeper.facts.update(told(self._of_all(rollout)))
        self.keeper.facts.update(drawing=rollout.drawing, grading=rollout.grading)
        return rollout

    def compared(self, rollout: Rollout) -> None:
        """Note in how many of the groups that a method compares all rewards are equal."""
        self.keeper.facts["zero_groups"] = equal_share(self._of_all(rollout))

    def _of_all(self, rollout: Rollout) -> Rollout:
        """Return the rollouts of all processes as one."""
        if self.accelerator.num_processes == 1:
            return rollout
        whole: Rollout = reduce(add, gather_object([rollout]))
        return whole

    def total(self, number: Any) -> Any:
        """Return the sum of a number over all processes."""
        return self.accelerator.reduce(number, reduction="sum")

    def prompt_ids(self, problem: int) -> list[int]:
        """Return the token ids of a problem's prompt."""
        engine = TransformersEngine(self.model, self.processing_class)
        return engine.tokenizer.prompt(self.roller.prompts[problem])

    def _get_train_sampler(self, dataset: Any = None) -> Any:  # noqa: ARG002
        """Return the order of the data; see `Steps`."""
        repeats = self.num_iterations * self.args.steps_per_generation
        steps = self.args.max_steps // self.keeper.passes
        return Steps(self.task, self.task.settings["num_generations"], repeats, steps)

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """Draw at the first pass of a step, and hand out the parts of the batch in order."""
        parts = self.args.steps_per_generation
        if self._step % (parts * self.num_iterations) == 0 or not hasattr(self, "_buffered"):
            batch = self._generate_and_score_completions(generation_batch)  # type: ignore[attr-defined]
            self._buffered = split(self.learned(batch), parts)
        return self._buffered[self._step % parts]

    def learned(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the batch as the loss sees it; a method may set advantages of its own."""
        return batch if self.beta else without_idle(batch)

    def _rolled(self, prompts: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Draw this step's responses; return the token ids of their prompts and their own."""
        problems = [int(name) for name in prompts[:: self.task.settings["num_generations"]]]
        self.rollout = rollout = self.roll(problems)
        asked_ids = [self.prompt_ids(problem) for problem in rollout.problems]
        repeated = [ids for ids in asked_ids for _ in range(rollout.group)]
        return repeated, [list(sample.token_ids) for sample in rollout.samples]

    def _calculate_rewards(self, *_: Any) -> Any:
        """Return the rewards of this step's responses, of all processes, [B, 1]."""
        rewards = torch.tensor(self.rollout.rewards, device=self.accelerator.device)
        return self.accelerator.gather(rewards.unsqueeze(1))

    def scored(self, model: Any, tree: Tree) -> Any:
        """Return log P of the tree's response tokens, [M]."""
        return tree_logprobs(model, tree, self.temperature)

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Any,
        attention_mask: Any,
        logits_to_keep: int,
        *_: Any,
        **__: Any,
    ) -> tuple[Any, Any, None]:
        """Return log P of response tokens [B, T], zero where masked; in place of entropies, zeros.

        The entropy that is told of a step is that of its draws.
        """
        answered = attention_mask[:, -logits_to_keep:].bool()
        pairs = sequences(input_ids, attention_mask.bool(), logits_to_keep)
        room = int(self.task.execution.get("max_tokens_per_pass") or TOKENS_AT_ONCE)
        with self.accelerator.autocast():
            parts = [self.scored(model, tree) for tree in trees(pairs, room)]
        if not parts:  # nothing of this batch moves anything
            parts = [next(model.parameters()).flatten()[:0].float()]
        logps = laid_out(torch.cat(parts), answered)
        return logps, torch.zeros_like(logps), None


def without_idle(batch: dict[str, Any]) -> dict[str, Any]:
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


def sequences(input_ids: Any, mask: Any, width: int) -> list[tuple[list[int], list[int]]]:
    """Return the prompt and the response of each row [B, P + width] without what is masked."""
    rows = zip(input_ids, mask, strict=True)
    return [
        (ids[:-width][kept[:-width]].tolist(), ids[-width:][kept[-width:]].tolist())
        for ids, kept in rows
    ]


def laid_out(values: Any, mask: Any) -> Any:
    """Return values [M] in the places of a mask [B, T], and zero elsewhere."""
    return torch.zeros(mask.shape, device=mask.device).masked_scatter(mask, values)


def split(batch: dict[str, Any], parts: int) -> list[dict[str, Any]]:
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


def told(rollout: Rollout) -> dict[str, Any]:
    """Return what the row of a step says of its responses."""
    known = [reward for reward in rollout.rewards if not math.isnan(reward)]
    lengths = [sample.n_tokens for sample in rollout.samples]
    entropy = sum(sample.mean_entropy * sample.n_tokens for sample in rollout.samples)
    mean = entropy / sum(lengths)
    return {
        "reward": statistics.fmean(known) if known else None,
        "reward_std": statistics.pstdev(known) if known else None,
        "zero_groups": equal_share(rollout),
        "entropy": mean if math.isfinite(mean) else None,
        "response_tokens": statistics.fmean(lengths),
        "truncated": statistics.fmean(s.finish_reason == "length" for s in rollout.samples),
    }


def equal_share(rollout: Rollout) -> float:
    """Return the share of groups whose rewards are all equal."""
    mixed = rollout.mixed()
    return 1 - sum(mixed) / len(mixed)
