r"""Where the final answer stands in a response: rules tried in order, each linear in its length.

| rule | takes |
|---|---|
| `boxed` | the inside of the last balanced `\boxed{...}` (or `\fbox`) |
| `answer_is` | what follows the last "final answer is" or "answer is", to the end of its sentence |
| `answer` | what follows the last "Answer:" on its line, or the next line with text |
| `hashes` | what follows the last `####` on its line (GSM8K) |
| `last_number` | the last number; only where a benchmark declares it |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

MAX_ANSWER_LENGTH = 4000
"""Longest text, in characters, that can be an answer; anything longer is not one."""

BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
BRACE = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{|\\.|[{}]", re.DOTALL)
ANSWER_IS = re.compile(r"answer\s{1,9}is\b[ \t:]{0,9}", re.IGNORECASE)
ANSWER = re.compile(r"\banswer[ \t*_]{0,9}:[ \t*_]{0,9}", re.IGNORECASE)
SENTENCE_END = re.compile(r"\n|\.(?:\s|$)")
MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
LAST_NUMBER = re.compile(
    r"(?<![\w.])[-\u2212]?\$?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
    r"(?:\.[0-9]+)?(?:\s?\\?%)?"
)


def extract_answer(response: str, rules: Sequence[str]) -> str | None:
    """Return what the first rule that finds an answer takes, or None.

    Args:
        response: text of any length, hostile text included.
        rules: names of `RULES`, in order of preference.
    """
    for rule in rules:
        answer = RULES[rule](response)
        if answer and not answer.isspace() and len(answer) <= MAX_ANSWER_LENGTH:
            return answer.strip()
    return None


def boxed(text: str) -> str | None:
    r"""Return the inside of the last balanced `\boxed{...}`.

    The last one usually is balanced, which costs one look from the end; only where it is not
    are all braces paired, once, so that thousands of broken boxes cost no more than their length.
    """
    at = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if at < 0:
        return None
    start = BOX.match(text, at)
    inside = _balanced(text, start.end()) if start else None
    return inside if inside is not None else _last_balanced_box(text)


def _balanced(text: str, begin: int) -> str | None:
    """Return the text from `begin` up to the brace that closes it."""
    depth = 1
    for token in BRACE.finditer(text, begin):
        if token.group() == "}":
            depth -= 1
            if depth == 0:
                return text[begin : token.start()]
        elif token.group().endswith("{") and token.group() != "\\{":
            depth += 1
    return None


def _last_balanced_box(text: str) -> str | None:
    """Pair all braces in one pass and return the inside of the balanced box that begins last."""
    opened: list[tuple[int, bool]] = []
    best = (-1, -1)
    for token in BRACE.finditer(text):
        kind = token.group()
        if kind == "}" and opened:
            begin, is_box = opened.pop()
            if is_box and begin > best[0]:
                best = (begin, token.start())
        elif kind.endswith("{") and kind != "\\{":
            opened.append((token.end(), len(kind) > 1))
    return text[best[0] : best[1]] if best[0] >= 0 else None


def answer_is(text: str) -> str | None:
    """Return what follows the last "answer is", to the end of its sentence."""
    found = _last(ANSWER_IS, text)
    return (
        _statement(text[found.end() : found.end() + MAX_ANSWER_LENGTH].lstrip()) if found else None
    )


def answer(text: str) -> str | None:
    """Return what follows the last "Answer:", on its line or on the next one with text."""
    found = _last(ANSWER, text)
    return (
        _statement(text[found.end() : found.end() + MAX_ANSWER_LENGTH].lstrip()) if found else None
    )


def hashes(text: str) -> str | None:
    """Return what follows the last `####` on its line."""
    at = text.rfind("####")
    return text[at + 4 : at + 4 + MAX_ANSWER_LENGTH].partition("\n")[0] if at >= 0 else None


def last_number(text: str) -> str | None:
    """Return the last number, with its percent sign where it has one."""
    found = _last(LAST_NUMBER, text)
    return found.group().replace("$", "") if found else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match."""
    found = None
    for found in pattern.finditer(text):  # noqa: B007
        pass
    return found


def _statement(text: str) -> str:
    """Return the formula that `text` starts with, else its first sentence without bold marks."""
    formula = MATH.match(text)
    if formula:
        return next(group for group in formula.groups() if group is not None)
    end = SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).strip(" \t*_")


RULES: dict[str, Callable[[str], str | None]] = {
    "boxed": boxed,
    "answer_is": answer_is,
    "answer": answer,
    "hashes": hashes,
    "last_number": last_number,
}
"""Rule name -> what it takes from a response."""

DEFAULT_RULES = ("boxed", "answer_is", "answer", "hashes")
"""The order where a benchmark declares none; the last number is never taken unasked."""
