"""Methods with a baseline of another kind: Reinforce++, ReMax and PPO.

TRL has none of them in this release. Each is its GRPO trainer with per-token advantages of its
own (`passk.training.advantages`); the clipped loss, a mean over the batch's tokens, is TRL's. The
KL term is in the reward of each token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from trl import GRPOConfig

from passk.training import advantages
from passk.training.checkpointing import Keeper
from passk.training.grpo import Grpo, built, config
from passk.training.packing import Tree
from passk.training.reward import Grader
from passk.training.rollout import Rollout
from passk.training.trl_hooks import laid_out, without_idle


class TokenRewards(Grpo):
    """Base of methods whose advantages come from rewards per token."""

    def learned(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Set the advantages; mask what has none, and what has no reward."""
        rewards = torch.tensor(self.rollout.rewards, device=batch["advantages"].device)
        known = ~rewards.isnan()
        batch = {**batch, "completion_mask": batch["completion_mask"] * known.unsqueeze(1)}
        kl = self._divergence(batch)
        given = advantages.token_rewards(
            rewards.nan_to_num(), batch["completion_mask"], kl, self.beta
        )
        return self.advised(batch, given)

    def advised(self, batch: dict[str, Any], rewards: Any) -> dict[str, Any]:
        """Return the batch with the method's advantages, from rewards [B, T]."""
        raise NotImplementedError

    def _divergence(self, batch: dict[str, Any]) -> Any:
        """Return log(p / p_start) of each token [B, T], and tell its mean; None without a term."""
        if not self.beta:
            return None
        mask = batch["completion_mask"]
        kl = (self._now(batch) - batch["ref_per_token_logps"]) * mask
        self.keeper.facts["kl"] = float(kl.sum() / mask.sum().clamp(min=1))
        return kl

    def _now(self, batch: dict[str, Any]) -> Any:
        """Return log P of the batch's tokens under the model as it is, [B, T]."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
        width = batch["completion_ids"].shape[1]
        with torch.no_grad():
            return self._get_per_token_logps_and_entropies(self.model, ids, mask, width)[0]

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        """Return TRL's loss without its KL term: the rewards have it."""
        weight, self.beta = self.beta, 0.0
        try:
            return super()._compute_loss(model, inputs)
        finally:
            self.beta = weight


class ReinforcePlusPlus(TokenRewards):
    """Reinforce++ (Hu 2025, eq. 3 to 6): the return of each token, normalised over the batch."""

    def advised(self, batch: dict[str, Any], rewards: Any) -> dict[str, Any]:
        """Set A_t = (G_t - mean(G)) / std(G), G_t = sum of rewards from t on."""
        mask = batch["completion_mask"]
        found = advantages.whitened(advantages.returns(rewards, mask), mask, self.total)
        return without_idle({**batch, "advantages": found})


class ReMax(TokenRewards):
    """ReMax (Li et al. 2024, eq. 6): the baseline is the reward of the greedy response."""

    def advised(self, batch: dict[str, Any], rewards: Any) -> dict[str, Any]:
        """Set A_t = G_t - r(greedy); a greedy response that cannot be graded leaves none."""
        rollout, facts = self.rollout, self.keeper.facts
        greedy = self.roller.roll(rollout.problems, 1, self.step, greedy=True)
        facts["drawing"] += greedy.drawing
        facts["grading"] += greedy.grading
        self.compared(beside(rollout, greedy))
        baseline = torch.tensor(greedy.rewards, device=rewards.device)
        baseline = baseline.repeat_interleave(rollout.group)
        mask = batch["completion_mask"] * ~baseline.isnan().unsqueeze(1)
        sums = advantages.returns(rewards, mask)
        found = advantages.less_greedy(sums, baseline.nan_to_num(), mask)
        return without_idle({**batch, "completion_mask": mask, "advantages": found})


def beside(rollout: Rollout, greedy: Rollout) -> Rollout:
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

    def forward(self, states: Any) -> Any:
        """Return values [...] of states [..., width], in float32."""
        with torch.autocast(states.device.type, enabled=False):
            plain = torch.nn.functional.layer_norm(states.detach().float(), states.shape[-1:])
            return self.linear(plain).squeeze(-1)


class Ppo(TokenRewards):
    """PPO (Schulman et al. 2017, eq. 7) with generalised advantages and a clipped value loss.

    The critic is a linear head on the policy's own last hidden states, through which no gradient
    flows back, with a rate of its own; a critic as large as the policy would double the cost.
    """

    values: Any

    def advised(self, batch: dict[str, Any], rewards: Any) -> dict[str, Any]:
        """Set advantages, whitened over the batch, and what the values are to become."""
        settings, mask = self.task.settings, batch["completion_mask"]
        old = self._now(batch)
        values = self.values.detach()
        found = advantages.gae(rewards, values, mask, settings["gamma"], settings["lam"])
        return {
            **batch,
            "advantages": advantages.whitened(found, mask, self.total),
            "old_per_token_logps": old,
            "old_values": values,
            "value_targets": found + values,
        }

    def scored(self, model: Any, tree: Tree) -> Any:
        """Return log P of the tree's response tokens, and note the values before each."""
        logps = super().scored(model, tree)
        if model is not self.ref_model:
            self._found.append(self._valued[0][torch.tensor(tree.predictors)])
        return logps

    def _get_per_token_logps_and_entropies(self, model: Any, *inputs: Any, **more: Any) -> Any:
        """Return what the base does, and keep the values in the same places."""
        self._found: list[Any] = []
        result = super()._get_per_token_logps_and_entropies(model, *inputs, **more)
        _, mask, width = inputs[:3]
        if self._found:
            self.values = laid_out(torch.cat(self._found), mask[:, -width:].bool())
        return result

    def _value(self, _: Any, inputs: tuple[Any, ...]) -> None:
        """Note the values of the states that the head of the language model is given."""
        self._valued = self.model.value_head(inputs[0])

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
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

    def create_optimizer(self, model: Any = None) -> Any:
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

    def _clip_grad_norm(self, model: Any) -> Any:
        """Clip policy and value head each by itself; return the policy's norm before."""
        head = list(self.model.value_head.parameters())
        known = set(head)
        body = [p for p in model.parameters() if p not in known]
        self.accelerator.clip_grad_norm_(head, self.args.max_grad_norm)
        return self.accelerator.clip_grad_norm_(body, self.args.max_grad_norm)


def reinforce(keeper: Keeper, model: Any, tokenizer: Any, grader: Grader, output: Path) -> Any:
    """Return the trainer of Reinforce++."""
    arguments = GRPOConfig(**config(keeper, output, loss_type="dapo"))
    return built(ReinforcePlusPlus, arguments, keeper, model, tokenizer, grader)


def remax(keeper: Keeper, model: Any, tokenizer: Any, grader: Grader, output: Path) -> Any:
    """Return the trainer of ReMax."""
    arguments = GRPOConfig(**config(keeper, output, loss_type="dapo"))
    return built(ReMax, arguments, keeper, model, tokenizer, grader)


def ppo(keeper: Keeper, model: Any, tokenizer: Any, grader: Grader, output: Path) -> Any:
    """Return the trainer of PPO, and give the model a value head."""
    width = model.config.get_text_config().hidden_size
    model.value_head = ValueHead(width).to(model.device)
    arguments = GRPOConfig(**config(keeper, output, loss_type="dapo"))
    trainer = built(Ppo, arguments, keeper, model, tokenizer, grader)
    model.get_output_embeddings().register_forward_pre_hook(trainer._value)  # noqa: SLF001
    return trainer
