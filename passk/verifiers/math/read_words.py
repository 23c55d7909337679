"""Read words: names, times, ratios, and words that stand for a value."""

from __future__ import annotations

import re
from fractions import Fraction

from passk.verifiers.math.answers import Answer, Parse, Scalar, Text
from passk.verifiers.math.normalize import CONNECTIVE, as_text, inside_brackets, squeeze
from passk.verifiers.math.read_scalars import read_scalar
from passk.verifiers.number import number_in_words

TIME = re.compile(r"[0-9]+(?::[0-9]+)+(?: ?\\text ?\{[^{}]*\}|[ .a-zA-Z]*)")
WORD = re.compile(r"[a-zA-Z][a-zA-Z' .-]*")
CHOICE = re.compile(r"(?:[Oo]ption|[Cc]hoice|[Aa]nswer) \(?([A-J])\)?")
WORD_LIST = re.compile(r"[a-zA-Z0-9 ,'-]+")
ARTICLE = re.compile(r"^((?:\\text ?\{ ?)?)(?:an?|the) ", re.IGNORECASE)
EMPTY = ("nosolution", "nosolutions", "emptyset", "nullset", "thereisnosolution")
MONTH = (
    r"(jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)"
    r"(?:uary|ruary|ch|il|ust|t(?:ember)?|ober|ember)?"
)
YEAR = r"(?:,? ?([0-9]{4}))?"
DATE = re.compile(
    rf"{MONTH}\.? ([0-9]{{1,2}}){YEAR}|([0-9]{{1,2}})(?: of)? {MONTH}\.?{YEAR}", re.IGNORECASE
)
NOTHING = ("dne", "doesn'texist", "doesnotexist", "limitdoesnotexist", "nolimit")


def read_words(text: str, parse: Parse) -> Answer | None:
    r"""Read words, with or without `\text{}`; a number or one letter in `\text{}` is no word."""
    inner = inside_brackets(text.removeprefix("\\text").lstrip(), "{", "}")
    inside = inner if inner is not None and text.startswith("\\text") else None
    plain = inside if inside is not None else text
    letter = re.fullmatch(r"\(?([A-Za-z])\)?", plain)
    if letter:
        return Scalar(("var", letter.group(1))) if inside is not None or plain != text else None
    if inside is not None and not re.search(r"[a-zA-Z]{2}", inside):
        return parse(inside) if inside else None
    if inside is not None and re.match(r"-?[0-9.]+(?: |[a-z]|$)", inside) and ":" not in inside:
        return read_scalar(inside)
    choice = CHOICE.fullmatch(plain)
    if choice:
        return Scalar(("var", choice[1]))
    if inside is not None and re.search(r",| and | or ", inside) and WORD_LIST.fullmatch(inside):
        return parse(CONNECTIVE.sub(as_text, inside))
    known = text.lower() in NOTHING
    return as_words(text) if inside is not None or known or _is_wordy(text) else None


def read_phrase(text: str) -> Text | Scalar | None:
    """Read a number in words, or a day of a month in either order: `20 June 2024`."""
    plain = re.sub(r"\\text ?|[{}]", "", text).strip()
    number = number_in_words(re.sub(" +", " ", plain))
    if number is not None:
        return Scalar(("num", Fraction(number)))
    found = DATE.fullmatch(plain)
    if not found:
        return None
    month, day, year = found[1] or found[5], found[2] or found[4], found[3] or found[6] or ""
    return Text(f"{month[:3].lower()}{int(day)}/{year}")


def as_words(text: str) -> Answer:
    """Return words without an article, in one spelling; "infinity" is the number."""
    plain = squeeze(ARTICLE.sub(r"\1", text))
    if plain in ("infinity", "+infinity", "positiveinfinity"):
        return Scalar(("var", "infty"))
    if plain in ("-infinity", "negativeinfinity"):
        return Scalar(("neg", ("var", "infty")))
    if plain in EMPTY:
        return Text("nosolution")
    return Text("doesnotexist" if plain in NOTHING else plain)


def _is_wordy(text: str) -> bool:
    """Return whether text without any LaTeX is words, a time or a ratio rather than a formula."""
    if TIME.fullmatch(text):
        return True
    return bool(WORD.fullmatch(text)) and bool(re.search(r"[a-zA-Z]{4}", text)) and _tree_free(text)


def _tree_free(text: str) -> bool:
    """Return whether no word of the text is a function's name, so that it is no formula."""
    return not re.search(r"sqrt|\bpi\b|sin|cos|tan|log|\bln\b|exp", text)
