"""What a training imitates: texts that the verifier finds right, from whoever wrote them.

Rejection sampling (Yuan et al. 2023, arXiv 2308.01825, section 3.3): of the responses that a model
drew, the different correct ones are kept. Worked solutions and references pass the same verifier.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from passk.core.errors import DataError
from passk.core.references import read_references
from passk.core.schemas import Sample
from passk.spec.models import PromptTemplate
from passk.training.reward import Grader
from passk.training.task import Task
from passk.verifiers.grading.worker_pool import FAILURES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Text:
    """A response to imitate.

    Attributes:
        problem: index of the problem.
        text: the response without what ends it.
        token_ids: its tokens with what ends it, where the model that learns drew it itself.
    """

    problem: int
    text: str
    token_ids: tuple[int, ...] = ()


def texts_from_solutions(task: Task) -> list[Text]:
    """Return the problems' worked solutions, each as a worked example's answer is shown.

    Raises:
        DataError: no problem has one.
    """
    found = [
        Text(index, until_stop(task.template, task.template.answer.replace("{answer}", solution)))
        for index, problem in enumerate(task.problems)
        if (solution := json.loads(problem.meta).get("solution"))
    ]
    if not found:
        raise DataError(
            "no problem has a worked solution to learn from",
            where=task.training,
            fix="name their column in the benchmark's file (`columns: {solution: COLUMN}`), or "
            "another `teacher`",
        )
    return found


def texts_from_references(task: Task, file: Path) -> list[Text]:
    """Return the responses of a reference file to the problems that are trained on.

    Raises:
        DataError: the file cannot be read, or answers none of the problems.
    """
    index = {problem.id: at for at, problem in enumerate(task.problems)}
    rows = read_references(file)
    found = [
        Text(index[name], until_stop(task.template, text)) for name, text in rows if name in index
    ]
    if not found:
        raise DataError(
            "holds no response to any problem that is trained on",
            where=str(file),
            fix="its `problem_id` are the ids of the training's benchmark",
        )
    if len(found) < len(rows):
        left = len(rows) - len(found)
        log.warning("%s: %d responses are to other problems, and left out", file, left)
    return found


def texts_from_samples(task: Task, samples: Sequence[Sample], *, own: bool) -> list[Text]:
    """Return the different responses to each problem that came to their end.

    Args:
        task: the training.
        samples: what a model drew.
        own: it was the model that learns: its tokens are taken as they are.
    """
    index = {problem.id: at for at, problem in enumerate(task.problems)}
    ended = [sample for sample in samples if sample.finish_reason == "stop"]
    texts = (Text(index[s.problem_id], s.text, tuple(s.token_ids) if own else ()) for s in ended)
    return list({(text.problem, text.text): text for text in texts}.values())


def until_stop(template: PromptTemplate, text: str) -> str:
    """Return a text up to the first string that would have ended it, had it been drawn.

    >>> until_stop(PromptTemplate("p", "text", "{question}", stop=("###", "END")), "4 END 5 ###")
    '4 '
    """
    found = (at for stop in template.stop if (at := text.find(stop)) >= 0)
    return text[: min(found, default=len(text))]


def keep_correct(
    task: Task, texts: Sequence[Text], grader: Grader, *, drawn: int = 0
) -> list[Text]:
    """Return the texts that the verifier finds right, in their order.

    Args:
        task: the training.
        texts: what may be imitated.
        grader: the verifier.
        drawn: how many responses a model sampled for them; 0 if none were: then a wrong one is a
            fault that is warned of.

    Raises:
        DataError: there is none, or they were not sampled and are fewer than one step takes.
    """
    graded = grader.grade([(task.problems[text.problem].gold, text.text) for text in texts])
    verdicts = [found.verdict for found in graded]
    kept = [t for t, verdict in zip(texts, verdicts, strict=True) if verdict == "correct"]
    if drawn:
        numbers = (task.training, len(kept), drawn, len({text.problem for text in kept}))
        log.info("%s: %d different correct responses of %d drawn, to %d problems", *numbers)
    elif len(kept) < len(texts):
        _warn(task, texts, verdicts)
    _require_enough(task, kept, drawn or len(texts), drawn=bool(drawn))
    return kept


def _warn(task: Task, texts: Sequence[Text], verdicts: Sequence[str]) -> None:
    """Say how many texts of a teacher are left out, and name the first."""
    bad = list(_bad(task, texts, verdicts))
    failed = sum(verdict in FAILURES for verdict in verdicts)
    log.warning(
        "%s: %d of %d texts to imitate are left out: the verifier finds them wrong (the first is "
        "to problem '%s')%s",
        *(task.training, len(bad), len(texts), bad[0]),
        f"; {failed} of them could not be graded" if failed else "",
    )


def _bad(task: Task, texts: Sequence[Text], verdicts: Sequence[str]) -> Iterator[str]:
    """Yield the problem of each text that is not correct."""
    for text, verdict in zip(texts, verdicts, strict=True):
        if verdict != "correct":
            yield task.problems[text.problem].id


def _require_enough(task: Task, kept: Sequence[Text], of: int, *, drawn: bool) -> None:
    """Raise where there are no texts, or fewer than a step takes and they were not sampled.

    How many of a model's own responses are correct is not known before: a step then takes all.
    """
    if not kept:
        raise DataError(
            f"none of {of} {'responses drawn' if drawn else 'texts to imitate'} is correct: "
            "there is nothing to learn from",
            where=task.training,
            fix="train on easier problems, draw more (`num_generations`), or name another `teacher`"
            if drawn
            else "see that the texts end as the prompt asks, with an answer the verifier reads",
        )
    if len(kept) >= (wanted := task.settings["prompts_per_step"]):
        return
    what = f"a step imitates {wanted} texts, and {len(kept)} are correct"
    if not drawn:
        fix = f"set `prompts_per_step` of the training to {len(kept)} or less"
        raise DataError(what, where=task.training, fix=fix)
    log.warning("%s: %s: each step takes all of them", task.training, what)
