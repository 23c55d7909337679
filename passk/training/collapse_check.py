"""Detects trainings whose rewards are all equal: they learn nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from passk.core.errors import EngineError
from passk.core.schemas import TrainingStep
from passk.spec.training_methods import Method

log = logging.getLogger(__name__)

WARN_FLAT_STEPS = 10
"""Consecutive steps with equal rewards after which a warning is logged."""

MAX_FLAT_STEPS = 50
"""Steps with equal rewards from the start after which the training ends: no weight has changed."""


def is_flat(row: TrainingStep, method: Method) -> bool:
    """Whether a step's rewards gave no gradient.

    Methods that compare the responses to one problem need a difference there; the others learn
    from differences between problems, too.
    """
    return row.zero_groups == 1.0 and (method.smallest_group > 1 or row.reward_std == 0.0)


def check_rewards(rows: Sequence[TrainingStep], method: Method, training: str) -> None:
    """Warn once per run of flat steps; raise if every step so far was flat.

    Flat steps later on may mean that all is learned: the training continues.

    Raises:
        EngineError: not one of the first `MAX_FLAT_STEPS` steps had rewards that differ.
    """
    stretch = 0
    for row in reversed(rows):
        if not is_flat(row, method):
            break
        stretch += 1
    reward = rows[-1].reward
    what = "ungraded" if reward is None else "right" if reward == 1 else "wrong"
    what = what if reward in {None, 0.0, 1.0} else "rewarded equally within each problem"
    if stretch == MAX_FLAT_STEPS == len(rows):
        raise EngineError(
            f"nothing can be learned: in {MAX_FLAT_STEPS} steps from the start, responses got "
            f"equal rewards (all {what})",
            where=training,
            fix="train on problems that the model solves at times, raise "
            "`num_generations`, or check the prompt and `max_tokens`",
        )
    if stretch == WARN_FLAT_STEPS:
        log.warning(
            "%s: no learning signal in steps %d to %d: all responses were %s",
            *(training, rows[-1].step - WARN_FLAT_STEPS + 1, rows[-1].step, what),
        )
