"""The training methods that a spec can name: the settings that each reads, and their defaults.

One table for the spec's checks, the plan and the trainers (`passk/training/`). Nothing heavy is
imported: planning reads it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPTIMISER: Mapping[str, Any] = {
    "prompts_per_step": 8,
    "learning_rate": 1e-6,
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "seed": 0,
}
"""Settings of every method. The learning rate is constant after `warmup_steps`, so that a longer
training has the same checkpoints as a shorter one."""

DRAWING: Mapping[str, Any] = {
    "num_generations": 8,
    "temperature": 1.0,
    "top_p": 1.0,
    "max_tokens": 1024,
}
"""How responses are drawn: read wherever any are."""

OWN: Mapping[str, Any] = {**DRAWING, "engine": "transformers"}
"""How the model in training samples; part of its identity, as engines' responses differ."""

CLIPPED: Mapping[str, Any] = {
    "beta": 0.0,
    "epsilon": 0.2,
    "epsilon_high": None,
    "num_iterations": 1,
}
"""Of methods with a clipped ratio; `epsilon_high` is `epsilon` where neither says otherwise."""

IMITATION: Mapping[str, Any] = {**OPTIMISER, "learning_rate": 1e-5, **DRAWING}
"""Of training on texts. Responses are drawn where a model writes them."""

SELF = "self"
SOLUTIONS = "solutions"
REFERENCE = "reference:"


@dataclass(frozen=True, slots=True)
class Method:
    """A training method.

    Attributes:
        name: as a spec writes it.
        role: what its models are in a study where the spec does not say: rl, sft or distilled.
        defaults: every setting that it reads, with its default.
        smallest_group: responses per problem below which it learns nothing.
        teacher: whose texts it imitates where the spec does not say; None for methods that learn
            from rewards.
        paper: where it is described.
    """

    name: str
    role: str
    defaults: Mapping[str, Any]
    smallest_group: int = 1
    teacher: str | None = None
    paper: str = ""


_ALL = (
    Method(
        "GRPO",
        "rl",
        {**OPTIMISER, **OWN, **CLIPPED},
        smallest_group=2,
        paper="Shao et al. 2024, arXiv 2402.03300",
    ),
    Method(
        "DAPO",
        "rl",
        {
            **OPTIMISER,
            **OWN,
            **CLIPPED,
            "epsilon_high": 0.28,
            "max_resamples": 3,
            "overlong_buffer": 0,
        },
        smallest_group=2,
        paper="Yu et al. 2025, arXiv 2503.14476",
    ),
    Method(
        "RLOO",
        "rl",
        {**OPTIMISER, **OWN, **CLIPPED},
        smallest_group=2,
        paper="Ahmadian et al. 2024, arXiv 2402.14740",
    ),
    Method(
        "Reinforce++",
        "rl",
        {**OPTIMISER, **OWN, **CLIPPED},
        paper="Hu 2025, arXiv 2501.03262",
    ),
    Method(
        "ReMax",
        "rl",
        {**OPTIMISER, **OWN, "beta": 0.0},
        paper="Li et al. 2024, arXiv 2310.10505",
    ),
    Method(
        "PPO",
        "rl",
        {
            **OPTIMISER,
            **OWN,
            **CLIPPED,
            "value_learning_rate": 3e-4,
            "cliprange_value": 0.2,
            "gamma": 1.0,
            "lam": 1.0,
        },
        paper="Schulman et al. 2017, arXiv 1707.06347",
    ),
    Method(
        "SFT",
        "sft",
        {**IMITATION, **OWN},
        teacher=SELF,
        paper="rejection sampling as in Yuan et al. 2023, arXiv 2308.01825",
    ),
    Method(
        "distillation",
        "distilled",
        IMITATION,
        teacher=SOLUTIONS,
        paper="Kim & Rush 2016, arXiv 1606.07947",
    ),
)

METHODS: Mapping[str, Method] = {method.name: method for method in _ALL}
"""Method name -> the settings that it reads."""


def draws(method: Method, teacher: str | None) -> bool:
    """Tell whether a training draws responses: its own, or those of a model that teaches."""
    texts = teacher == SOLUTIONS or (teacher or "").startswith(REFERENCE)
    return method.teacher is None or not texts


def settings(method: Method, given: Mapping[str, Any], teacher: str | None) -> dict[str, Any]:
    """Return every setting that a training reads, defaults filled in, in the table's order.

    Args:
        method: the method.
        given: what the spec says.
        teacher: whose texts are imitated, for methods that imitate.
    """
    unread = frozenset() if draws(method, teacher) else DRAWING.keys()
    filled = {
        name: given.get(name, default)
        for name, default in method.defaults.items()
        if name not in unread
    }
    if filled.get("epsilon_high", 0.0) is None:
        filled["epsilon_high"] = filled["epsilon"]
    return filled
