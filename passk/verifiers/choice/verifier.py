"""Choices and short answers to questions about images, without a judge that is a model.

`Problem.gold` is a short answer (string, number, or a list of those), or a JSON object:

    {"answer": "145°", "choices": ["135°", "140°", "145°", "150°"]}
    {"answer": "C", "choices": ["$540$", "$570$", "$600$"]}
    {"answer": "1.2", "type": "float", "precision": 1}

| gold has | an answer is right where |
|---|---|
| `choices` (not empty) | it names the choice of the gold answer, by letter or by text |
| `type: integer` | its one number equals the gold number; 5.0 is 5, 5.4 is not |
| `type: float` | its one number, rounded to `precision` decimals, is the gold number so rounded |
| `type: list` | its items equal the gold ones, in order |
| `type: text` | the texts are equal but for case, blanks, marks and a full stop |
| none of these | the `math` verifier says so |

These are the answer types of MathVista (Lu et al. 2024, arXiv 2310.02255), whose own grader lets a
model find the answer and takes the choice that is spelled most alike. Here neither is guessed: what
cannot be read as an answer of the kind asked for is `no_answer`, so that the share of `no_answer`
in a verdict file is the rate at which extraction fails.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from passk.core.errors import VerifierError
from passk.verifiers.base import Outcome
from passk.verifiers.choice.short_answers import HEDGE, choice_of, list_of, plain, single_number
from passk.verifiers.extract import (
    CONCLUSION,
    DEFAULT_END_MARKS,
    DEFAULT_RULES,
    RULES,
    SENTENCE_START,
    Extraction,
    find_answer,
)
from passk.verifiers.gold import gold_answers
from passk.verifiers.math.verifier import MathVerifier
from passk.verifiers.number import parse_number
from passk.verifiers.options import read_options, require_one_of

TYPES = ("integer", "float", "list", "text")
SHORT = 200
"""Longest response, in characters, that can be an answer as a whole."""

NAMED = re.compile(
    r"\b(?:option|choice)(?:\s{1,3}letter)?(?:\s{1,3}is)?\s{0,3}:?\s{0,3}[*_]{0,3}\(?([A-Z])\b\)?"
    r"|(?<!\w)\(([A-Z])\)(?!\w)"
    r"|^[ \t]{0,3}[*_]{0,3}([A-Z])[).:]{0,2}[*_]{0,3}[ \t]{0,3}$"
    r"|^([A-Z])\s{1,3}is\s{1,3}(?:the\s{1,3})?(?:correct|right)\b",
    re.MULTILINE,
)
"""A letter that is said to be an option, stands in brackets, or on a line of its own."""


DOUBT = re.compile(
    r"\b(?:cannot|can't|not|n't|unable|unsure|uncertain|unclear|whether|if|impossible|need|"
    r"insufficient|unknown|might|maybe|perhaps)\b",
    re.IGNORECASE,
)
"""What makes a sentence no answer."""


@dataclass(frozen=True, slots=True)
class ChoiceOptions:
    """Options of the `choice` verifier.

    Attributes:
        extract: rules of `passk.verifiers.extract`, and three more, tried where no other finds an
            answer: `option` finds the last option that is named by its letter, `short` a whole
            response that is one line of at most 200 characters, `conclusion` the number that the
            last sentence ends with ("Therefore, the degree is 3.").
        end_marks: strings that begin a run-on, where the response ends.
    """

    extract: Sequence[str] = (*DEFAULT_RULES, "option", "short", "conclusion")

    end_marks: Sequence[str] = DEFAULT_END_MARKS

    def __post_init__(self) -> None:
        """Refuse values that are none of the choices."""
        if isinstance(self.extract, str) or not self.extract:
            raise VerifierError(
                f"verifier 'choice': option 'extract' is {self.extract!r}",
                fix=f"a list of rules; available: {', '.join((*RULES, *OWN_RULES))}",
            )
        for rule in self.extract:
            require_one_of("choice", "extract", rule, (*RULES, *OWN_RULES))


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold answer with what is known about its kind."""

    answer: str
    choices: tuple[str, ...] = ()
    kind: str = ""
    precision: int = 0
    plain: str = ""
    """The JSON of the answer alone, where nothing is known about its kind."""


class ChoiceVerifier:
    """Grades choices and short answers.

    Args:
        options: see `ChoiceOptions`.

    Raises:
        VerifierError: an option is unknown or has a value that is none of its choices.
    """

    version = 5
    packages: tuple[str, ...] = MathVerifier.packages

    def __init__(self, **options: Any) -> None:
        """Check and keep the options."""
        self.options = read_options(ChoiceOptions, "choice", options)
        self.math = MathVerifier()

    def extract(self, response: str) -> str | None:
        """Return the final answer as the response states it."""
        found = self.find_answer(response)
        return found.answer if found else None

    def find_answer(self, response: str) -> Extraction | None:
        """Return the final answer, with the rule that found it.

        The rules of `OWN_RULES` are tried where no other finds an answer.
        """
        rules = [rule for rule in self.options.extract if rule not in OWN_RULES]
        found = find_answer(response, rules, self.options.end_marks) if rules else None
        for rule in self.options.extract:
            if found is None and rule in OWN_RULES:
                answer = OWN_RULES[rule](response)
                found = Extraction(answer, rule) if answer else None
        return found

    def quick_compare(self, gold: str, answer: str) -> Outcome | None:
        """Decide by the kind of the gold answer; None where only the `math` verifier can tell."""
        known = read_gold(gold)
        if known.choices:
            return _judge_choice(known, answer)
        if known.kind:
            return _judge_typed(known, answer)
        outcome = self.math.quick_compare(known.plain, answer)
        if outcome is not None and outcome.verdict == "correct":
            return outcome
        return _judge_number(known, answer) or outcome

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare as the `math` verifier does; to be called in a worker."""
        return self.math.compare(read_gold(gold).plain, answer)

    def canonical(self, answer: str) -> str:
        """Return the class of an answer, or of a gold given as its JSON object."""
        if answer.startswith("{"):
            try:
                return _gold_class(read_gold(answer), self.math)
            except ValueError:
                pass  # an answer that looks like one
        return self.math.canonical(answer)

    def check_gold(self, gold: str) -> None:
        """Raise ValueError where a gold answer has none of the known forms."""
        read_gold(gold)


@functools.lru_cache(maxsize=1 << 12)
def read_gold(gold: str) -> Gold:
    """Return what a gold answer says.

    Raises:
        ValueError: it is not JSON, or of none of the known forms.
    """
    row = json.loads(gold, parse_float=str, parse_int=str)
    if not isinstance(row, dict):
        return Gold(gold_answers(gold)[0], plain=gold)
    if not isinstance(row.get("answer"), str):
        raise ValueError(  # noqa: TRY004
            "a gold answer with choices or a type has a text 'answer'"
        )
    choices, kind = row.get("choices") or (), row.get("type") or ""
    if not isinstance(choices, list | tuple) or not all(isinstance(c, str) for c in choices):
        raise ValueError("'choices' is a list of texts")
    if kind and kind not in TYPES:
        raise ValueError(f"'type' is one of {', '.join(TYPES)}, not {kind!r}")
    precision = int(float(row.get("precision") or 0))
    known = Gold(row["answer"], tuple(choices), kind, precision, json.dumps(row["answer"]))
    if choices and choice_of(known.answer, known.choices) is None:
        raise ValueError(f"the answer {known.answer!r:.60} is none of the choices")
    return known


def _named_option(response: str) -> str | None:
    """Return the last letter that a response names an option by."""
    last = None
    for last in NAMED.finditer(response):  # noqa: B007
        pass
    if last is None or DOUBT.search(response[: last.end()].rpartition("\n")[2][-SHORT:]):
        return None
    return last[last.lastindex or 0]


def _short(response: str) -> str | None:
    """Return a response that is one short line."""
    line = response.strip()
    return line if line and len(line) <= SHORT and "\n" not in line else None


def _conclusion(response: str) -> str | None:
    """Return the number that the last sentence states, where it states one without doubt."""
    line = response.rstrip()[-SHORT * 4 :].rpartition("\n")[2]
    sentence = SENTENCE_START.split(line)[-1]
    found = CONCLUSION.search(sentence)
    return found[1] if found and not DOUBT.search(sentence) and not HEDGE.search(sentence) else None


OWN_RULES = {"option": _named_option, "short": _short, "conclusion": _conclusion}
"""Rule name -> what it finds in a response, or None."""


def _judge_choice(gold: Gold, answer: str) -> Outcome:
    """Return whether an answer names the right choice."""
    index = choice_of(answer, gold.choices)
    if index is None:
        return Outcome("no_answer", "none of the choices", None)
    right = index == choice_of(gold.answer, gold.choices)
    return Outcome("correct" if right else "wrong", "choice", chr(ord("A") + index))


def _judge_typed(gold: Gold, answer: str) -> Outcome:
    """Return whether an answer of a known type is the gold one."""
    expected, given = _typed(gold, gold.answer), _typed(gold, answer)
    if given is None:
        return Outcome("no_answer", f"not one {gold.kind}", None)
    return Outcome("correct" if given == expected else "wrong", gold.kind, given)


def _judge_number(gold: Gold, answer: str) -> Outcome | None:
    """Judge a sentence that holds one number, where the gold answer is a number; else None."""
    expected, given = parse_number(gold.answer), single_number(answer)
    if expected is None or given is None:
        return None
    return Outcome("correct" if given == expected else "wrong", "one number", str(given))


def _typed(gold: Gold, answer: str) -> str | None:
    """Return the canonical form of an answer of the gold answer's type, or None."""
    if gold.kind == "text":
        return plain(answer).casefold() or None
    if gold.kind == "list":
        return list_of(answer)
    value = single_number(answer)
    if value is None:
        return None
    return str(value) if gold.kind == "integer" else f"{_rounded(value, gold.precision)}"


def _rounded(value: Fraction, places: int) -> Fraction:
    """Return a number rounded half away from zero, as people round."""
    scaled = abs(value) * 10**places
    rounded = Fraction(int(scaled + Fraction(1, 2)), 10**places)
    return -rounded if value < 0 else rounded


def _gold_class(gold: Gold, math: MathVerifier) -> str:
    """Return the class that right answers have."""
    if gold.choices:
        return chr(ord("A") + (choice_of(gold.answer, gold.choices) or 0))
    if gold.kind:
        return _typed(gold, gold.answer) or gold.answer
    return math.canonical(gold.answer)
