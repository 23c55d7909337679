"""Methods with a baseline of another kind: Reinforce++, ReMax and PPO.

TRL has none of them in this release. Each is its GRPO trainer with per-token advantages of its
own (`passk.training.advantages`); the clipped loss, a mean over the batch's tokens, is TRL's. The
KL term is in the reward of each token.
"""

from __future__ import annotations

import torch
from trl import GRPOConfig

from passk.training import advantages
from passk.training.checkpointing import TrainerInputs
from passk.training.grpo import Grpo, build_trainer
from passk.training.packing import Tree
from passk.training.rollout import Rollout
from passk.training.trl_hooks import Batch, mask_zero_advantage, scatter_to_mask


class TokenRewards(Grpo):
    """Base of methods whose advantages come from rewards per token."""

    def prepare_batch(self, batch: Batch) -> Batch:
        """Set the advantages; mask what has none, and what has no reward."""
        rewards = torch.tensor(self.rollout.rewards, device=batch["advantages"].device)
        known = ~rewards.isnan()
        batch = {**batch, "completion_mask": batch["completion_mask"] * known.unsqueeze(1)}
        kl = self._kl(batch)
        given = advantages.token_rewards(
            rewards.nan_to_num(), batch["completion_mask"], kl, self.beta
        )
        return self.set_advantages(batch, given)

    def set_advantages(self, batch: Batch, rewards: torch.Tensor) -> Batch:
        """Return the batch with the method's advantages, from rewards [B, T]."""
        raise NotImplementedError

    def _kl(self, batch: Batch) -> torch.Tensor | None:
        """Return log(p / p_start) of each token [B, T], and tell its mean; None without a term."""
        if not self.beta:
            return None
        mask = batch["completion_mask"]
        kl = (self._current_logps(batch) - batch["ref_per_token_logps"]) * mask
        self.manager.facts["kl"] = float(kl.sum() / mask.sum().clamp(min=1))
        return kl

    def _current_logps(self, batch: Batch) -> torch.Tensor:
        """Return log P of the batch's tokens under the model as it is, [B, T]."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
        width = batch["completion_ids"].shape[1]
        with torch.no_grad():
            return self._get_per_token_logps_and_entropies(self.model, ids, mask, width)[0]

    def _compute_loss(self, model: torch.nn.Module, inputs: Batch) -> torch.Tensor:
        """Return TRL's loss without its KL term: the rewards have it."""
        weight, self.beta = self.beta, 0.0
        try:
            return super()._compute_loss(model, inputs)
        finally:
            self.beta = weight


class ReinforcePlusPlus(TokenRewards):
    """Reinforce++ (Hu 2025, eq. 3 to 6): the return of each token, normalised over the batch."""

    def set_advantages(self, batch: Batch, rewards: torch.Tensor) -> Batch:
        """Set A_t = (G_t - mean(G)) / std(G), G_t = sum of rewards from t on."""
        mask = batch["completion_mask"]
        found = advantages.whiten(advantages.returns(rewards, mask), mask, self.total)
        return mask_zero_advantage({**batch, "advantages": found})


class ReMax(TokenRewards):
    """ReMax (Li et al. 2024, eq. 6): the baseline is the reward of the greedy response."""

    def set_advantages(self, batch: Batch, rewards: torch.Tensor) -> Batch:
        """Set A_t = G_t - r(greedy); a greedy response that cannot be graded leaves none."""
        rollout, facts = self.rollout, self.manager.facts
        greedy = self.rollout_generator.generate_rollout(
            rollout.problems, 1, self.step, greedy=True
        )
        facts["drawing"] += greedy.drawing
        facts["grading"] += greedy.grading
        self.record_flat_groups(append_greedy(rollout, greedy))
        baseline = torch.tensor(greedy.rewards, device=rewards.device)
        baseline = baseline.repeat_interleave(rollout.group)
        mask = batch["completion_mask"] * ~baseline.isnan().unsqueeze(1)
        sums = advantages.returns(rewards, mask)
        found = advantages.subtract_greedy(sums, baseline.nan_to_num(), mask)
        return mask_zero_advantage({**batch, "completion_mask": mask, "advantages": found})


def append_greedy(rollout: Rollout, greedy: Rollout) -> Rollout:
    """Return the rewards of each problem's responses with that of its greedy one."""
    size, rewards = rollout.group, rollout.rewards
    parts = [rewards[at * size : (at + 1) * size] for at in range(len(rollout.problems))]
    joined = [r for part, own in zip(parts, greedy.rewards, strict=True) for r in (*part, own)]
    return Rollout(rollout.problems, [], joined, size + 1)


class ValueHead(torch.nn.Module):  # type: ignore[misc]
    """A linear value of the model's last hidden states, which it does not change.

    The states are normalised; the weights start at 0, and so do the values.
    """

    def __init__(self, width: int) -> None:
        """Take states of this width."""
        super().__init__()
        self.linear = torch.nn.Linear(width, 1)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return values [...] of states [..., width], in float32."""
        with torch.autocast(states.device.type, enabled=False):
            plain = torch.nn.functional.layer_norm(states.detach().float(), states.shape[-1:])
            return self.linear(plain).squeeze(-1)


class Ppo(TokenRewards):
    """PPO (Schulman et al. 2017, eq. 7) with generalised advantages and a clipped value loss.

    The critic is a linear head on the policy's own last hidden states, through which no gradient
    flows back, with a rate of its own; a critic as large as the policy would double the cost.
    """

    values: torch.Tensor

    def set_advantages(self, batch: Batch, rewards: torch.Tensor) -> Batch:
        """Set advantages, whitened over the batch, and what the values are to become."""
        settings, mask = self.task.settings, batch["completion_mask"]
        old = self._current_logps(batch)
        values = self.values.detach()
        found = advantages.gae(rewards, values, mask, settings["gamma"], settings["lam"])
        return {
            **batch,
            "advantages": advantages.whiten(found, mask, self.total),
            "old_per_token_logps": old,
            "old_values": values,
            "value_targets": found + values,
        }

    def tree_logps(self, model: torch.nn.Module, tree: Tree) -> torch.Tensor:
        """Return log P of the tree's response tokens, and note the values before each."""
        logps = super().tree_logps(model, tree)
        if model is not self.ref_model:
            self._value_parts.append(self._head_values[0][torch.tensor(tree.predictors)])
        return logps

    def _get_per_token_logps_and_entropies(
        self, model: torch.nn.Module, *inputs: torch.Tensor, **more: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Return what the base does, and keep the values in the same places."""
        self._value_parts: list[torch.Tensor] = []
        result = super()._get_per_token_logps_and_entropies(model, *inputs, **more)
        _, mask, width = inputs[:3]
        if self._value_parts:
            self.values = scatter_to_mask(torch.cat(self._value_parts), mask[:, -width:].bool())
        return result

    def compute_values(self, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """Note the values of the states that the head of the language model is given."""
        self._head_values = self.model.value_head(inputs[0])

    def _compute_loss(self, model: torch.nn.Module, inputs: Batch) -> torch.Tensor:
        """Return the policy's loss and the values', which share no parameter."""
        policy = super()._compute_loss(model, inputs)
        critic = advantages.value_loss(
            self.values,
            inputs["old_values"],
            inputs["value_targets"],
            inputs["completion_mask"],
            self.task.settings["cliprange_value"],
        )
        return policy + critic / self.current_gradient_accumulation_steps

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Return the optimiser, in which the value head has a rate of its own."""
        made = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if made:
            head = set(self.model.value_head.parameters())
            for group in optimizer.param_groups:
                group["params"] = [p for p in group["params"] if p not in head]
            own = {"params": list(self.model.value_head.parameters()), "weight_decay": 0.0}
            optimizer.add_param_group({**own, "lr": self.task.settings["value_learning_rate"]})
        return optimizer

    def _clip_grad_norm(self, model: torch.nn.Module) -> torch.Tensor:
        """Clip policy and value head separately; return the policy's norm before."""
        head = list(self.model.value_head.parameters())
        known = set(head)
        body = [p for p in model.parameters() if p not in known]
        self.accelerator.clip_grad_norm_(head, self.args.max_grad_norm)
        return self.accelerator.clip_grad_norm_(body, self.args.max_grad_norm)


def reinforce(given: TrainerInputs) -> ReinforcePlusPlus:
    """Return the trainer of Reinforce++."""
    return build_trainer(ReinforcePlusPlus, GRPOConfig, given, loss_type="dapo")


def remax(given: TrainerInputs) -> ReMax:
    """Return the trainer of ReMax."""
    return build_trainer(ReMax, GRPOConfig, given, loss_type="dapo")


def ppo(given: TrainerInputs) -> Ppo:
    """Return the trainer of PPO, and give the model a value head."""
    model = given.model
    width = model.config.get_text_config().hidden_size
    model.value_head = ValueHead(width).to(model.device)
    trainer = build_trainer(Ppo, GRPOConfig, given, loss_type="dapo")
    model.get_output_embeddings().register_forward_pre_hook(trainer.compute_values)
    return trainer
