"""What the rewards say of a training: where all are equal, nothing can be learned."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from passk.core.errors import EngineError
from passk.core.schemas import TrainingStep
from passk.spec.training_methods import Method

log = logging.getLogger(__name__)

STRETCH = 10
"""Steps in a row without a difference between rewards after which a user is told."""

HOPELESS = 50
"""Steps from the very first on after which the training ends: no weight has moved yet."""


def flat(row: TrainingStep, method: Method) -> bool:
    """Tell whether a step's rewards taught nothing.

    Methods that compare the responses to one problem need a difference there; the others learn
    from differences between problems, too.
    """
    return row.zero_groups == 1.0 and (method.smallest_group > 1 or row.reward_std == 0.0)


def look(rows: Sequence[TrainingStep], method: Method, training: str) -> None:
    """Warn once per stretch of steps that taught nothing; raise where none ever did.

    A stretch later on may mean that all is learned: its checkpoints stand, and it goes on.

    Raises:
        EngineError: not one of the first `HOPELESS` steps had rewards that differ.
    """
    stretch = 0
    for row in reversed(rows):
        if not flat(row, method):
            break
        stretch += 1
    reward = rows[-1].reward
    what = "graded" if reward is None else "right" if reward == 1 else "wrong"
    what = what if reward in {None, 0.0, 1.0} else "rewarded alike for each problem"
    if stretch == HOPELESS == len(rows):
        raise EngineError(
            f"nothing can be learned: in {HOPELESS} steps from the first on, no response was "
            f"rewarded otherwise than another (all {what})",
            where=training,
            fix="train on problems that the model solves at times, raise "
            "`num_generations`, or check the prompt and `max_tokens`",
        )
    if stretch == STRETCH:
        log.warning(
            "%s: steps %d to %d taught nothing: all responses were %s",
            *(training, rows[-1].step - STRETCH + 1, rows[-1].step, what),
        )
