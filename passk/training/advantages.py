"""Rewards turned into advantages, where TRL does not do it: pure functions of tensors.

Shapes: B responses of at most T tokens each. A mask [B, T] is 1 on a response's tokens and 0 on
what pads it. Rewards are per response, [B].
"""

from __future__ import annotations

from collections.abc import Callable

import torch

EPSILON = 1e-8
"""Added to variances, so that equal values have a deviation."""


def token_rewards(
    rewards: torch.Tensor, mask: torch.Tensor, kl: torch.Tensor | None = None, weight: float = 0.0
) -> torch.Tensor:
    """Return the reward of each token, [B, T]: the response's on its last, less the penalty.

    r_t = [t is last] r - weight KL_t, KL_t = log(p_old / p_start) of token t (Ouyang et al. 2022,
    eq. 2, token by token as in Hu 2025, eq. 3).
    """
    place = mask.sum(1).long() - 1
    last = torch.zeros_like(mask, dtype=torch.float32)
    last[torch.arange(len(last)), place.clamp(min=0)] = 1.0
    given = last * rewards.unsqueeze(1)
    return (given if kl is None else given - weight * kl) * mask


def returns(rewards: torch.Tensor, mask: torch.Tensor, gamma: float = 1.0) -> torch.Tensor:
    """Return the discounted sum of a token's own and all later rewards, [B, T]."""
    sums, running = torch.zeros_like(rewards), torch.zeros_like(rewards[:, 0])
    for at in range(rewards.shape[1] - 1, -1, -1):
        running = rewards[:, at] + gamma * running
        sums[:, at] = running
    return sums * mask


def whiten(
    values: torch.Tensor,
    mask: torch.Tensor,
    total: Callable[[torch.Tensor], torch.Tensor] = lambda one: one,
) -> torch.Tensor:
    """Return values with mean 0 and variance 1 over all tokens of the batch, [B, T].

    Reinforce++ normalises over the whole batch, not per problem (Hu 2025, eq. 6).

    Args:
        values: of each token.
        mask: where the tokens are.
        total: returns the sum of a number over all processes that share the batch.
    """
    count = total(mask.sum()).clamp(min=1)
    mean = total((values * mask).sum()) / count
    variance = total(((values - mean) ** 2 * mask).sum()) / count
    return (values - mean) * torch.rsqrt(variance + EPSILON) * mask


def subtract_greedy(sums: torch.Tensor, greedy: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return returns [B, T] less the reward [B] of the greedy response to the same problem.

    ReMax's estimator: sum_t grad log p(a_t) (r(x, a) - r(x, greedy)) (Li et al. 2024, eq. 6).
    """
    return (sums - greedy.unsqueeze(1)) * mask


def gae(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, gamma: float, lam: float
) -> torch.Tensor:
    """Return generalised advantage estimates, [B, T] (Schulman et al. 2016, eq. 16).

    A_t = sum_l (gamma lam)^l d_(t+l), d_t = r_t + gamma V_(t+1) - V_t, V = 0 after the last token.

    Args:
        rewards: of each token.
        values: V_t, the value of the state before token t.
        mask: where the tokens are.
        gamma: discount.
        lam: 1 takes the returns as they came, 0 trusts the values.
    """
    values = values * mask
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    deltas = rewards + gamma * following - values
    return returns(deltas, mask, gamma * lam)


def value_loss(
    values: torch.Tensor, old: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, clip: float
) -> torch.Tensor:
    """Return the clipped squared error of the values: the mean over tokens, halved.

    max((V - R)^2, (clip(V, V_old - e, V_old + e) - R)^2) / 2: the value's counterpart of the
    clipped objective of Schulman et al. 2017, eq. 9, as their code has it.
    """
    near = torch.clamp(values, old - clip, old + clip)
    worse = torch.maximum((values - targets) ** 2, (near - targets) ** 2)
    return 0.5 * (worse * mask).sum() / mask.sum().clamp(min=1)


def overlong_penalty(lengths: torch.Tensor, longest: int, buffer: int) -> torch.Tensor:
    """Return the penalty on the length of each response, [B], from 0 to -1.

    0 up to `longest - buffer` tokens, then down in a straight line to -1 at `longest`
    (Yu et al. 2025, eq. 13); 0 where there is no buffer.
    """
    if buffer <= 0:
        return torch.zeros_like(lengths, dtype=torch.float32)
    return ((longest - buffer - lengths.float()) / buffer).clamp(-1.0, 0.0)
