"""Renders a prompt template and a problem into an engine's prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from passk.core.errors import DataError
from passk.core.schemas import Problem
from passk.engines.base import Prompt
from passk.spec.models import PromptTemplate


def unused_variables(template: str, names: Iterable[str]) -> list[str]:
    """Return which variables a chat template does not use.

    >>> unused_variables("{% if enable_thinking %}<think>{% endif %}", ["enable_thinkng"])
    ['enable_thinkng']
    """
    return [name for name in names if not re.search(rf"\b{re.escape(name)}\b", template)]


def render(template: PromptTemplate, problem: Problem) -> Prompt:
    """Return the prompt of one problem.

    Raises:
        DataError: the template shows more worked examples than the problem has.
    """
    shots = _shots(template, problem)
    question = template.user.replace("{question}", problem.question)
    images = tuple(problem.images)
    if template.format == "text":
        examples = [template.user.replace("{question}", shown) + answer for shown, answer in shots]
        text = template.separator.join([*examples, question])
        return Prompt(text=text, prefix=template.prefix, images=images)
    messages = [("system", template.system)] if template.system is not None else []
    for shown, answer in shots:
        messages.append(("user", template.user.replace("{question}", shown)))
        messages.append(("assistant", template.prefix + answer))
    messages.append(("user", question))
    return Prompt(messages=tuple(messages), prefix=template.prefix, images=images)


def as_text(prompt: Prompt) -> str:
    """Return a prompt for people: the raw text, or each message under its role."""
    if prompt.text is not None:
        return prompt.text + prompt.prefix
    messages = [*prompt.messages, *([("assistant", prompt.prefix)] if prompt.prefix else [])]
    return "\n".join(f"[{role}]\n{text}" for role, text in messages)


def _shots(template: PromptTemplate, problem: Problem) -> list[tuple[str, str]]:
    """Return the worked examples to show, as (question, answer as the model would write it)."""
    shots = json.loads(problem.meta).get("shots") or []
    if len(shots) < template.shots:
        raise DataError(
            f"prompt '{template.name}' shows {template.shots} worked examples, "
            f"problem '{problem.id}' has {len(shots)}",
            fix="give the benchmark `shots`, or use a prompt that shows fewer",
        )
    return [
        (question, template.answer.replace("{answer}", answer))
        for question, answer in shots[: template.shots]
    ]
