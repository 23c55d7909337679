"""Read one number or formula with its percent sign, degree sign, unit and scale."""

from __future__ import annotations

import re
from fractions import Fraction

from passk.verifiers.math.answers import Answer, Collection, Scalar
from passk.verifiers.math.expr_tree import Tree, has
from passk.verifiers.math.parser import try_parse
from passk.verifiers.math.units import SIGNS, SINGLE, canonical_unit

DECIMAL = re.compile(r"-?([0-9]*)\.([0-9]+)")
PERCENT = re.compile(r"(?: ?\\?%| ?\\text ?\{ ?(?:percent|\\?%) ?\}| percent)$")
DEGREES = re.compile(r"(?:\^\\circ ?|\\text ?\{ ?degrees? ?\}| degrees?)$")
TRIGONOMETRIC = re.compile(r"sin|cos|tan|cot|sec|csc|cis")
UNIT = re.compile(
    r"(?<=[0-9a-zA-Z})!])(?: ?(?:\\cdot|/|\\times)? ?"
    r"(?:\\mu ?)?\\text ?\{(?:[^{}]|\{[^{}]*\}){0,99}\}(?:\^\{?-?[0-9]\}?)?)+$"
    r"|(?<=[0-9a-zA-Z})!]) ?\\frac ?\{\\text ?\{[^{}]{0,99}\}(?:\^\{?[0-9]\}?)?\} ?"
    r"\{\\text ?\{[^{}]{0,99}\}(?:\^\{?[0-9]\}?)?\}$"
)
BARE_UNIT = re.compile(
    r"(?<=[0-9})]) ?(?:(?:square |cubic |sq\.? ?|cu\.? ?)?"
    r"(?:cm|mm|km|kg|mg|ml|mph|kmh|ft|in|units?)"
    r"(?:(?:/|\^-1 ?)(?:h|hr|s|min|hour|second|minute))?"
    r"|[\u4e00-\u9fff]{1,4}"
    r"|(?<= )(?:[a-zA-Z]{1,6}(?:\^\{?[23]\}?)?/[a-zA-Z]{2,6})"
    r"|(?<= )(?!(?:arc|sin|cos|tan|cot|sec|csc|log|exp|sqrt|mod)\b)[a-zA-Z]{3,}(?: [a-zA-Z]+)*)"
    r"(?:\^\{?[23]\}?)?$"
)
BASE = re.compile(r"([0-9]{1,600})_(?:\{([0-9]{1,3})\}|([0-9]{1,2}))")

_PART = (
    rf"(?:\\mu ?)?(?:[{''.join(sorted(SINGLE))}]|[ckm]m|kg|mol|rad|Hz|Pa|eV|\\Omega)"
    r"(?:\^(?:-?[0-9]|\{-?[0-9]\}))?"
)
WITH_UNIT = re.compile(
    rf"(?<=[0-9]) ({_PART}(?:/{_PART})?|(?:{_PART}(?: |\\cdot ?)){{1,3}}{_PART}|N m)$"
    rf"|(?<=[0-9]\}}) ?((?:{_PART}(?: |\\cdot ?)){{1,3}}{_PART})$"
    r"|(?<=[0-9]) (\\frac ?\{(?:[gmJN]|km|kg)\}\{(?:[shm]|kg|(?:s|m|cm)\^(?:[23]|\{[23]\}))\})$"
)
"""What can be a unit or a product of variables: `15 m`, `15 m/s`, `15 m s^{-2}`."""
NEGATIVE_POWER = re.compile(r"\^\{?-")
NO_LABEL = re.compile(
    r"\b(?:or|than|not|no|more|less|least|most|if|when|where|times|plus|minus|mod|from|between|to|"
    r"except|only|both|either|neither|hundred|thousand|million|billion|trillion|dozen|half|squared|"
    r"cubed|percent|over|divided|factorial)\b"
)
MAX_LABEL_WORDS = 4
SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
SCALE = re.compile(rf" ?(?:\\text ?\{{ ?)?({'|'.join(SCALES)})(?: ?\}})?(?=$| )", re.IGNORECASE)


def read_scalar(text: str) -> Answer | None:
    """Read a number or formula with its percent sign, degrees and unit."""
    based = BASE.fullmatch(text)
    if based and "10" in based.groups():
        text = based[1]
    elif based:
        return Scalar(
            ("num", Fraction(based.group(1))), unit=f"_{based.group(2) or based.group(3)}"
        )
    bare_text = PERCENT.sub("", text)
    percent = bare_text != text
    bare_text, unit = _without_unit(bare_text)
    if not TRIGONOMETRIC.search(bare_text):
        plain = DEGREES.sub("", bare_text).replace("^\\circ", "").strip()
        if plain != bare_text:
            bare_text, unit = plain, unit or canonical_unit("degree")
    bare_text, power = _without_scale(bare_text)
    tree = try_parse(bare_text)
    if tree is None:
        return None
    if power:
        tree = ("mul", tree, ("num", Fraction(10**power)))
    possible = _possible_unit(bare_text)
    if possible and not unit and (number := try_parse(bare_text[: -len(possible)])) is not None:
        return Scalar(tree, percent, with_unit=(number, canonical_unit(possible)))
    trees = [_signed(tree, 1), _signed(tree, -1)] if has(tree, ("pm", "mp")) else [tree]
    decimal = DECIMAL.fullmatch(bare_text)
    places = len(decimal.group(2)) if decimal else None
    digits = len((decimal.group(1) + decimal.group(2)).lstrip("0")) if decimal else 0
    scalars = tuple(Scalar(tree, percent, unit, places, digits) for tree in trees)
    return scalars[0] if len(scalars) == 1 else Collection("", "", scalars)


def _possible_unit(text: str) -> str:
    """Return what could be a unit behind a number; a product is one if a power is negative."""
    found = WITH_UNIT.search(text)
    unit = found[1] or found[2] or found[3] if found else ""
    product = re.search(r"[a-zA-Z}0-9](?: |\\cdot)", unit.replace("\\mu ", "\\mu"))
    if product and not (NEGATIVE_POWER.search(unit) or unit == "N m"):
        return ""
    return unit


def _without_unit(text: str) -> tuple[str, str]:
    """Return a text without the unit behind it, and the unit."""
    sign = next((sign for sign in text if sign in SIGNS), None)
    if sign is not None:
        bare, _ = _without_unit(text.replace(sign, ""))
        return bare, canonical_unit(SIGNS[sign])
    found = UNIT.search(text) or BARE_UNIT.search(text)
    if not found or NO_LABEL.search(found.group()):
        return text, ""
    words = re.sub(r"\\text|\\cdot|\^\{?-?[0-9]\}?|[{}~.]", " ", found.group())
    if len(words.split()) > MAX_LABEL_WORDS:
        return text, ""
    return text[: found.start()].strip(), canonical_unit(found.group())


def _without_scale(text: str) -> tuple[str, int]:
    """Return a text without the "million" behind its number, and its power of ten."""
    found = SCALE.search(text)
    if not found or found.end() != len(text) or not found.start():
        return text, 0
    return text[: found.start()].strip(), SCALES[found[1].lower()]


def _signed(tree: Tree, sign: int) -> Tree:
    """Return the tree with plus-minus read as plus (or minus), and minus-plus as the other."""
    if tree[0] in ("pm", "mp"):
        plus = (tree[0] == "pm") == (sign > 0)
        return ("add" if plus else "sub", _signed(tree[1], sign), _signed(tree[2], sign))
    return tuple(_signed(b, sign) if isinstance(b, tuple) else b for b in tree)
