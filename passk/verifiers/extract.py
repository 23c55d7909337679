r"""Extract the final answer from a response.

Text before the last `</think>` counts only if nothing follows it. Text after a run-on (the model
starts another question) is cut off. Of the rules below, the one whose match begins last wins; a
box loses only to a later statement that is a plain value.

| rule | finds |
|---|---|
| `boxed` | the last non-empty `\boxed{...}` or `\fbox{...}`, with those it is joined to |
| `answer_is` | what follows "answer is", to the end of its sentence |
| `answer` | what follows "Answer:" or a heading "Answer", or "A:" in the last line |
| `hashes` | a value after `####` on its line (GSM8K) |
| `tag` | the inside of `<answer>...</answer>` |

Only where a benchmark declares them, and only where no rule above finds anything:

| rule | finds |
|---|---|
| `last_sentence` | the last number of the last complete sentence |
| `last_number` | the last number |

Each rule is linear in the length of the response.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_ANSWER_LENGTH = 4000
"""Longest text, in characters, that can be an answer; anything longer is not one."""

MAX_CACHED_LENGTH = 4000
"""Longest response whose extraction is cached."""

MAX_MARKS = 8
"""Run-on marks that are tried: the first with an answer before it ends the response."""

MAX_BOXES = 20
"""Boxes from the end that are tried one by one before all braces are paired."""

MAX_PROSE_WORDS = 30
"""Most words of a statement that can be an answer."""

BOX = re.compile(
    r"\\(?:boxed|fbox)\s{0,9}(?:\{|(-?[0-9](?:[0-9.,]{0,99}[0-9])?|[a-zA-Z](?![a-zA-Z])))"
)
BRACE = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{|\\.|[{}]", re.DOTALL)
BETWEEN_BOXES = re.compile(
    r"[\s$.:()\\\[\]]*(?:[,;]\s*)?(?:\\text\s?\{\s?)?(?:and|or|(?<=[,;]) ?|\\q?quad)"
    r"(?:\s?\})?[\s$,;:()\\\[\]]*(?:\\?[a-zA-Z](?:_\{?[a-z0-9]\}?)?\s?=)?[\s$]*"
)
"""Text between two boxes that are one answer: `\\boxed{2}$ and $x = \\boxed{3}`."""

ANSWER_IS = re.compile(
    r"\banswer(?:\s{1,9}to\s{1,9}(?:the|this)\s{1,9}(?:question|problem))?"
    r"(?:\s{1,9}(?:is|would\s{1,9}be|must\s{1,9}be|should\s{1,9}be)(?![a-zA-Z_])|\s{0,9}=)"
    r"(?:\s{1,9}(?:thus|therefore|then|simply|just)\b,?)?[ \t:*_]{0,9}"
    r"|\b(?:respuesta|resposta|risposta)(?:\s{1,9}fina[le]{1,2})?\s{1,9}(?:es|\u00e9|\u00e8)\s"
    r"|\br\u00e9ponse(?:\s{1,9}finale)?\s{1,9}est\b|\bantwort\s{1,9}(?:ist|lautet)\b:?"
    r"|\u7b54\u6848(?:\u662f|\u4e3a|\u70ba)?[ \t:\uff1a*_]{0,9}",
    re.IGNORECASE,
)
ANSWER = re.compile(
    r"\b(?:answer|respuesta|resposta|risposta|r\u00e9ponse|antwort|\u043e\u0442\u0432\u0435\u0442)"
    r"[ \t*_]{0,9}:[ \t*_]{0,9}|(?<![\u4e00-\u9fff])\u7b54[:\uff1a][ \t*_]{0,9}"
    r"|^[ \t]{0,9}(?:#{1,6}[ \t]{0,9}[*_]{0,3}|[*_]{2,3})(?:final[ \t]{1,9})?answer"
    r"[ \t*_:]{0,9}(?=\n)"
    r"|^(?-i:A):[ \t]{1,9}(?=[-$\\(0-9][^\n]{0,99}\s{0,9}\Z)",
    re.IGNORECASE | re.MULTILINE,
)
SENTENCE_END = re.compile(r"\n|</|\.(?:\s|$)|\u3002|,?\s(?:because|since)\s")
MATH = re.compile(
    r"\$\$((?:\\.|[^\\$])+?)\$\$|\$((?:\\.|[^\\$])+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL
)
CURRENCY = re.compile(r"\$\s?[0-9][0-9,]*(?:\.[0-9]+)?(?![0-9]|[,.][0-9])")
PROSE_IN_MATH = re.compile(r"\n\s*\n|(?<![\\a-zA-Z{])[a-zA-Z]{3,}\s+[a-zA-Z]{2,}|[.:]\s|\n.*\w+:")
NO_VALUE = re.compile(
    r"(?:correct|right|wrong|incorrect|reasonable|valid|not|in|as|given|found|obtained|that|let|"
    r"we|to|first|because|since|what|yes\s+because|called|unclear|unknown|the\s+same\s+as)\b",
    re.IGNORECASE,
)
PROSE_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}")
LAST_NUMBER = re.compile(
    r"(?<![\w.])[-\u2212]?\$?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
    r"(?:\.[0-9]+)?(?:\s?\\?%|/[0-9]+(?![0-9/]))?"
)
COMPLETE = re.compile(r"[.!][$)*_\]\s]*$|\$$|\\[\])]$")
JOINED = re.compile(r"\s*,?\s*(?:and|or)\s+")
"""Text between two values of a sentence that are one answer: `$x = 2$ and $x = 3$.`"""

PLAIN_OR_NAMED = re.compile(r"[$\\(\[ ]*(?:[a-zA-Z](?:_\{?[a-z0-9]+\}?)? ?=)?[^=]*")
"""A value that can be a part of an answer: `3`, `x = 3`, but not `5x = 30`."""

CONCLUSION = re.compile(
    r"(?:\bis|\bare|\bwas|\bwere|\bequals|\bbe|\bhas|\bhave|=)\s{1,3}"
    r"(?:equal to |approximately |about )?([*$]{0,2}[-\u2212]?(?:\\frac\{[0-9]+\}\{[0-9]+\}|"
    r"[0-9][0-9.,]*(?:\s?:\s?[0-9]+|/[0-9]+)?)(?<![.,])"
    r"(?:\^\{?\\circ\}?|\\?%|\u00b0)?[*$]{0,2})(?:\s[a-zA-Z]+){0,3}[.!]?\s*$"
)
"""The end of a sentence that states a number: "the degree is 3 units."."""

SENTENCE_START = re.compile(r"(?<=[.?!])\s+(?=[A-Z$\\])")
NEGATIVE_OUTCOME = re.compile(r"\b(?:not|cannot|can't|n't|unable|impossible|need)\b", re.IGNORECASE)

DEFAULT_END_MARKS = (
    "Question:",
    "Q:",
    "Problem:",
    "Human:",
    "User:",
    "Exercise:",
    "Instruction:",
    "### Instruction",
    "### Problem",
    "### Question",
    "<|im_",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|user|>",
    "[INST]",
    "</s>",
)
"""Where a run-on begins, where no prompt declares its own marks."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer, the rule that found it, and a note on text that was ignored."""

    answer: str
    rule: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a rule matches in a text, and the answer there."""

    start: int
    answer: str
    end: int = 0
    """Where a box ends; a statement within it is part of it."""


def extract_answer(
    response: str, rules: Sequence[str], end_marks: Sequence[str] = DEFAULT_END_MARKS
) -> str | None:
    """Return the final answer of a response, or None; see `find_answer`."""
    found = find_answer(response, rules, end_marks)
    return found.answer if found else None


def find_answer(
    response: str, rules: Sequence[str], end_marks: Sequence[str] = DEFAULT_END_MARKS
) -> Extraction | None:
    """Return the final answer of a response with the rule that found it, or None.

    Args:
        response: text of any length, hostile text included.
        rules: names of `RULES`.
        end_marks: strings that begin a run-on; those that begin with a letter do so at the
            beginning of a line only.
    """
    search = _find_cached if len(response) <= MAX_CACHED_LENGTH else _find_answer
    return search(response, tuple(rules), tuple(end_marks))


def _find_answer(
    response: str, rules: tuple[str, ...], end_marks: tuple[str, ...]
) -> Extraction | None:
    """Return what `find_answer` does."""
    text, note = _after_thinking(response)
    stated = [rule for rule in rules if rule not in FALLBACKS]
    for mark in _marks_in(text, end_marks):
        found = _last_match(text[:mark], stated)
        plain = last_sentence(text[:mark]) if "last_sentence" in rules and not found else None
        if plain and _is_answer(plain.answer):
            found = "last_sentence", plain
        if found:
            return Extraction(found[1].answer, found[0], "text after a run-on was cut off")
    found = _last_match(text, stated)
    if found:
        return Extraction(found[1].answer, found[0], note)
    for rule in rules:
        match = RULES[rule](text) if rule in FALLBACKS else None
        if match and _is_answer(match.answer):
            return Extraction(match.answer.strip(), rule, note)
    return None


_find_cached = functools.lru_cache(maxsize=1 << 12)(_find_answer)
"""Short responses recur often, above all among many samples of one problem."""


def _after_thinking(response: str) -> tuple[str, str]:
    """Return what follows the last `</think>`, or all where nothing does."""
    before, end, after = response.rpartition("</think>")
    if not end:
        return response, ""
    return (after, "") if after.strip() else (before, "the answer is in the thinking")


@functools.lru_cache(maxsize=64)
def _mark_pattern(marks: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return the pattern of all run-on marks."""
    if not marks:
        return None
    lines = [re.escape(m.strip()) for m in marks if re.match(r"[A-Za-z#]", m.strip())]
    other = [re.escape(m) for m in marks if not re.match(r"[A-Za-z#]", m.strip())]
    parts = [rf"^[ \t*#>]{{0,9}}(?:{'|'.join(lines)})"] if lines else []
    return re.compile("|".join([*parts, *other]), re.MULTILINE)


SECOND_HASHES = re.compile(r"####[ \t]*[-$\\]?[0-9][^\n]*()")


def _marks_in(text: str, marks: tuple[str, ...]) -> list[int]:
    """Return where run-ons may begin: at the first marks, and behind the first `#### 18`."""
    present = tuple(mark for mark in marks if mark.strip() in text)
    pattern = _mark_pattern(present)
    found: list[int] = []
    if pattern:
        for match in pattern.finditer(text):
            if match.start() > 0:
                found.append(match.start())
            if len(found) == MAX_MARKS:
                break
    if text.count("####") > 1 and (first := SECOND_HASHES.search(text)):
        second = text.find("####", first.end())
        found += [second] if second > 0 else []
    return sorted(found)


def _last_match(text: str, rules: Sequence[str]) -> tuple[str, Match] | None:
    """Return the rule whose match begins last, with its match."""
    found = [(rule, match) for rule in rules if (match := RULES[rule](text))]
    found = [(rule, match) for rule, match in found if _is_answer(match.answer)]
    if not found:
        return None
    rule, best = max(found, key=lambda item: item[1].start)
    box = next((match for name, match in found if name == "boxed"), None)
    if box is not None and (best.start < box.end or not _is_value(best.answer)):
        rule, best = "boxed", box
    return rule, Match(best.start, best.answer.strip())


def _is_answer(answer: str) -> bool:
    """Return whether a text can be an answer at all."""
    return bool(answer) and not answer.isspace() and len(answer) <= MAX_ANSWER_LENGTH


def _is_value(text: str) -> bool:
    """Return whether a text is a value, perhaps with its unit, and no sentence."""
    bare = re.sub(r"\\text\s?\{[^{}]*\}", "", text[:MAX_ANSWER_LENGTH])
    words = PROSE_WORD.findall(bare)
    return len(words) <= (2 if re.search(r"[0-9]", bare) else 1) and "?" not in bare


def boxed(text: str) -> Match | None:
    r"""Return the last non-empty `\boxed{...}`, with those before it that belong to it."""
    end = len(text)
    for _ in range(MAX_BOXES):
        at = max(text.rfind("\\boxed", 0, end), text.rfind("\\fbox", 0, end))
        if at < 0:
            return None
        inside = _box_at(text, at)
        if inside and inside[0].strip():
            return _join_boxes(text, at, *inside)
        end = at
    return _last_balanced_box(text)


def _box_at(text: str, at: int) -> tuple[str, int] | None:
    """Return the inside of the box that begins at `at`, and where the box ends."""
    start = BOX.match(text, at)
    if not start:
        return None
    if start[1]:
        return start[1], start.end()
    inside = _balanced(text, start.end())
    return None if inside is None else (inside, start.end() + len(inside) + 1)


def _join_boxes(text: str, at: int, answer: str, end: int) -> Match:
    """Return a box together with the boxes before it, where only a connective parts them."""
    answers, begin = [answer], at
    while len(answers) < MAX_BOXES:
        before = max(text.rfind("\\boxed", 0, begin), text.rfind("\\fbox", 0, begin))
        box = _box_at(text, before) if before >= 0 else None
        if not box or box[1] > begin or begin - box[1] > 40:  # noqa: PLR2004
            break
        if not BETWEEN_BOXES.fullmatch(text, box[1], begin):
            break
        if box[0].strip() and box[0].strip() not in answers:
            answers.insert(0, box[0].strip())
        begin = before
    return Match(at, ", ".join(answers), end)


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


def _last_balanced_box(text: str) -> Match | None:
    """Pair all braces in one pass and return the non-empty balanced box that begins last."""
    opened: list[tuple[int, bool]] = []
    best = (-1, -1)
    for token in BRACE.finditer(text):
        kind = token.group()
        if kind == "}" and opened:
            begin, is_box = opened.pop()
            if is_box and begin > best[0] and not text[begin : token.start()].isspace():
                best = (begin, token.start()) if token.start() > begin else best
        elif kind.endswith("{") and kind != "\\{":
            opened.append((token.end(), len(kind) > 1))
    return Match(best[0], text[best[0] : best[1]]) if best[0] >= 0 else None


def answer_is(text: str) -> Match | None:
    """Return what follows the last "answer is" that states a value, to the end of its sentence."""
    return _last_statement(ANSWER_IS, text)


def answer(text: str) -> Match | None:
    """Return what follows the last "Answer:", on its line or on the next one with text.

    Of a sentence that ends in "is 540" it is that number.
    """
    found = _last_statement(ANSWER, text)
    if found and len(PROSE_WORD.findall(found.answer)) > 2:  # noqa: PLR2004
        number = CONCLUSION.search(found.answer)
        if number and not NEGATIVE_OUTCOME.search(found.answer):
            return Match(found.start, number[1].strip("*$"))
    return found


def hashes(text: str) -> Match | None:
    """Return the value after the last `####` on its line."""
    at = text.rfind("####")
    if at < 0:
        return None
    line = text[at + 4 : at + 4 + MAX_ANSWER_LENGTH].partition("\n")[0].strip(" \t*_")
    return Match(at, line) if _is_value(line) else None


def tag(text: str) -> Match | None:
    """Return the inside of the last `<answer>...</answer>`."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, max(end, 0)) + len("<answer>")
    if end < 0 or start < len("<answer>"):
        return None
    inside = text[start:end][:MAX_ANSWER_LENGTH].strip()
    within = answer_is(inside)
    return Match(start, within.answer if within else _statement(inside))


def last_sentence(text: str) -> Match | None:
    """Return the last formula or number of the last sentence, behind its last equals sign.

    Several that "and" or "or" joins are one answer. A response that breaks off within a sentence
    has none, nor has one that ends in a question or in what is not so.
    """
    tail = text.rstrip()[-MAX_ANSWER_LENGTH:]
    displayed = tail.rfind("\\[") if tail.endswith("\\]") else -1
    line = tail[displayed:] if displayed >= 0 else tail.rpartition("\n")[2]
    sentence = SENTENCE_START.split(line)[-1]
    if not COMPLETE.search(sentence) or NEGATIVE_OUTCOME.search(sentence):
        return None
    formulas, numbers = _joined(MATH, sentence), _joined(LAST_NUMBER, sentence)
    later = formulas and (not numbers or numbers[-1].start() < formulas[-1].end())
    if later and not CURRENCY.match(formulas[-1].group()):
        stated = [next(group for group in found.groups() if group) for found in formulas]
        values = [formula.rpartition("=")[2].strip(" .") for formula in stated]
        return Match(len(text), values[0] if len(values) == 1 else ", ".join(stated))
    values = [found.group().replace("$", "") for found in numbers]
    return Match(len(text), ", ".join(values)) if values else None


def _joined(pattern: re.Pattern[str], sentence: str) -> list[re.Match[str]]:
    """Return the last match, and those before it that "and" or "or" joins to it."""
    found = list(pattern.finditer(sentence))
    begin = len(found) - 1
    while (
        begin > 0
        and JOINED.fullmatch(sentence, found[begin - 1].end(), found[begin].start())
        and all(PLAIN_OR_NAMED.fullmatch(one.group()) for one in found[begin - 1 : begin + 1])
    ):
        begin -= 1
    return found[max(begin, 0) :]


def last_number(text: str) -> Match | None:
    """Return the last number, with its percent sign where it has one."""
    found = _last(LAST_NUMBER, text)
    return Match(found.start(), found.group().replace("$", "")) if found else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match."""
    found = None
    for found in pattern.finditer(text):  # noqa: B007
        pass
    return found


def _last_statement(pattern: re.Pattern[str], text: str) -> Match | None:
    """Return the last statement that a pattern introduces and that can be an answer."""
    starts = [found.end() for found in pattern.finditer(text)]
    for start in reversed(starts[-MAX_BOXES:]):
        stated = _statement(text[start : start + MAX_ANSWER_LENGTH].lstrip())
        if stated and _can_be_stated(stated):
            return Match(start, stated)
    return None


def _can_be_stated(text: str) -> bool:
    """Return whether a statement can be an answer rather than the rest of a sentence."""
    words = len(PROSE_WORD.findall(text))
    return words <= MAX_PROSE_WORDS and not NO_VALUE.match(text)


def _statement(text: str) -> str:
    """Return the formula that `text` starts with, else its first sentence without bold marks."""
    text = text.lstrip(" \t*_`'\"")
    price = CURRENCY.match(text)
    formula = MATH.match(text)
    if price and (formula is None or PROSE_IN_MATH.search(formula.group())):
        end = SENTENCE_END.search(text, price.end())
        rest = text[: end.start()] if end else text
        return rest if _is_value(rest) else price.group()
    if formula:
        return next(group for group in formula.groups() if group is not None).strip()
    end = SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).strip(" \t*_`'\"")


FALLBACKS = ("last_sentence", "last_number")
"""Rules that are tried only where no other finds an answer."""

RULES: dict[str, Callable[[str], Match | None]] = {
    "boxed": boxed,
    "answer_is": answer_is,
    "answer": answer,
    "hashes": hashes,
    "tag": tag,
    "last_sentence": last_sentence,
    "last_number": last_number,
}
"""Rule name -> the function that finds an answer by it."""

DEFAULT_RULES = ("boxed", "answer_is", "answer", "hashes", "tag")
"""The rules where a benchmark declares none."""
