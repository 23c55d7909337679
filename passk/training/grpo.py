"""The methods that compare responses to one problem: GRPO, DAPO and RLOO, on TRL's trainers.

Equations are those of the papers that `passk.spec.training_methods` cites.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from passk.training import advantages, collapse_check
from passk.training.checkpointing import CheckpointManager, TrainerInputs
from passk.training.data_order import resample_indices, step_indices
from passk.training.rollout import Rollout, RolloutGenerator
from passk.training.trl_hooks import Batch, RolloutMixin, mask_zero_advantage

TrainerT = TypeVar("TrainerT", bound=RolloutMixin)


class Grpo(RolloutMixin, GRPOTrainer):  # type: ignore[misc]
    """GRPO (Shao et al. 2024, eq. 3 with outcome rewards): advantages and loss are TRL's.

    A_i = (r_i - mean(r)) / std(r) over the responses to one problem; the clipped ratio's mean per
    response, then over responses; the KL term, where there is one, in the loss.
    """

    def _generate(self, prompts: list[str]) -> tuple[object, ...]:
        """Return what TRL's own drawing returns, from ours."""
        prompt_ids, answered = self._rollout_tokens(prompts)
        texts = [sample.text for sample in self.rollout.samples]
        return prompt_ids, answered, None, texts, None, {}, None, []


class Dapo(Grpo):
    """DAPO (Yu et al. 2025): clip-higher, token-level loss, dynamic sampling, overlong penalty.

    The first two (eq. 10 and 12) are TRL's. Problems whose responses are all right or all wrong
    are replaced by others (eq. 11), at most `max_resamples` times. Groups that still have equal
    rewards stay in the batch, masked.
    """

    def generate_rollout(self, problems: Sequence[int]) -> Rollout:
        """Draw, and draw for further problems until enough of them have mixed rewards."""
        rollout = super().generate_rollout(problems)
        task, settings, wanted = self.task, self.task.settings, len(problems)
        taken = step_indices(task.key, self.step, settings["prompts_per_step"], len(task.problems))
        others_of_all = resample_indices(task.key, self.step, taken, len(task.problems))
        rest = iter(others_of_all[self.args.process_index :: self.args.world_size])
        for _ in range(settings["max_resamples"]):
            lacking = wanted - sum(rollout.mixed())
            others = list(islice(rest, max(0, lacking)))
            if not others:
                break
            rollout = rollout + self.rollout_generator.generate_rollout(
                others, settings["num_generations"], self.step
            )
        self.manager.facts.update({"drawing": rollout.drawing, "grading": rollout.grading})
        self.record_flat_groups(rollout)
        return prefer_mixed_groups(rollout, wanted)

    def _calculate_rewards(self, *_: object) -> torch.Tensor:
        """Return the rewards less the penalty on responses that are nearly too long, [B, 1]."""
        lengths = torch.tensor([sample.n_tokens for sample in self.rollout.samples])
        settings = self.task.settings
        penalty = advantages.overlong_penalty(
            lengths, settings["max_tokens"], settings["overlong_buffer"]
        )
        return super()._calculate_rewards() + self.accelerator.gather(
            penalty.unsqueeze(1).to(self.accelerator.device)
        )

    def prepare_batch(self, batch: Batch) -> Batch:
        """Mask problems without mixed rewards, and divide by the tokens of the others."""
        kept = torch.tensor(self.rollout.mixed(), device=batch["advantages"].device)
        kept = kept.repeat_interleave(self.rollout.group)
        given = {**batch, "advantages": batch["advantages"] * kept}
        given = super().prepare_batch(given)
        return {**given, "num_items_in_batch": self.total(given["completion_mask"].sum())}


def prefer_mixed_groups(rollout: Rollout, wanted: int) -> Rollout:
    """Return `wanted` groups: those with mixed rewards first, each kind in the order drawn."""
    mixed = rollout.mixed()
    best = sorted(range(len(mixed)), key=lambda group: not mixed[group])[:wanted]
    return rollout.select(sorted(best))


class Rloo(RolloutMixin, RLOOTrainer):  # type: ignore[misc]
    """RLOO (Ahmadian et al. 2024, eq. 8): advantages and loss are TRL's.

    A_i = r_i - mean of the other responses' rewards; a ratio per response, not per token; the KL
    term, where there is one, in the reward.
    """

    def _generate(self, prompts: list[str]) -> tuple[object, ...]:
        """Return what TRL's own drawing returns, from ours."""
        prompt_ids, answered = self._rollout_tokens(prompts)
        return prompt_ids, answered, [sample.text for sample in self.rollout.samples]

    def prepare_batch(self, batch: Batch) -> Batch:
        """Mask responses of advantage 0: the KL term is in the advantages already."""
        return mask_zero_advantage(batch)


def grpo(given: TrainerInputs) -> Grpo:
    """Return the trainer of GRPO."""
    return build_trainer(Grpo, GRPOConfig, given, loss_type="grpo", scale_rewards="group")


def dapo(given: TrainerInputs) -> Dapo:
    """Return the trainer of DAPO."""
    return build_trainer(Dapo, GRPOConfig, given, loss_type="dapo", scale_rewards="group")


def rloo(given: TrainerInputs) -> Rloo:
    """Return the trainer of RLOO."""
    return build_trainer(Rloo, RLOOConfig, given)


def config(given: TrainerInputs) -> dict[str, object]:
    """Return the arguments that TRL's configurations of methods with rewards share."""
    manager = given.manager
    settings = manager.task.settings
    rows = settings["prompts_per_step"] * settings["num_generations"]
    parts = manager.task.parts(rows)
    group = settings["num_generations"]
    return {
        **common(manager, given.output),
        "per_device_train_batch_size": rows // parts // processes(),
        "gradient_accumulation_steps": parts,
        "steps_per_generation": parts,
        "num_generations": group if group > 1 else rows,  # TRL wants two; ours are not compared
        "num_iterations": manager.num_iterations,
        "max_completion_length": settings["max_tokens"],
        "temperature": settings["temperature"],
        "top_p": settings["top_p"],
        "beta": settings["beta"],
        "epsilon": settings.get("epsilon", 0.2),
        "epsilon_high": settings.get("epsilon_high"),
        "shuffle_dataset": False,
        "disable_dropout": True,
    }


def processes() -> int:
    """Return how many processes train together (`passk.training.torchrun`)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def common(manager: CheckpointManager, output: Path) -> dict[str, object]:
    """Return the arguments that every trainer shares."""
    settings, execution = manager.task.settings, manager.task.execution
    return {
        "output_dir": str(output),
        "max_steps": manager.due[-1] * manager.num_iterations,
        "learning_rate": settings["learning_rate"],
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": settings["warmup_steps"] * manager.num_iterations,
        "weight_decay": settings["weight_decay"],
        "max_grad_norm": settings["max_grad_norm"],
        "optim": "adamw_torch_fused",
        "bf16": manager.task.source.dtype == "bfloat16",
        "gradient_checkpointing": bool(execution.get("gradient_checkpointing")),
        "seed": settings["seed"],
        "use_cpu": not torch.cuda.is_available(),
        "logging_steps": manager.num_iterations,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
        "average_tokens_across_devices": False,
    }


def build_trainer(
    kind: Callable[..., TrainerT],
    arguments: Callable[..., object],
    given: TrainerInputs,
    **changes: str,
) -> TrainerT:
    """Return a trainer of a kind, which samples, grades and checks as passk does.

    Args:
        kind: TRL's trainer with our hooks.
        arguments: its class of arguments.
        given: what it is built from.
        changes: arguments of the method's own.
    """
    task = given.manager.task
    trainer = kind(
        model=given.model,
        reward_funcs=unused_reward,
        args=arguments(**config(given), **changes),
        train_dataset=Dataset.from_dict({"prompt": [str(i) for i in range(len(task.problems))]}),
        processing_class=given.tokenizer,
    )
    trainer.manager, trainer.task = given.manager, task
    trainer.rollout_generator = RolloutGenerator(task, trainer.draw, given.grader)
    given.manager.notice = lambda rows: collapse_check.check_rewards(
        rows, task.method, task.training
    )
    return trainer


def unused_reward(**_: object) -> list[float]:
    """Stand where TRL wants a reward function; the verifier's rewards come by the hooks."""
    raise NotImplementedError
