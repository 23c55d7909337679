r"""Units behind a number: their canonical form, and whether two of them agree.

`15 m/s`, `15\,\mathrm{m\,s^{-1}}` and `15 meters per second` have one canonical form. Words that
are no known unit (`5 bags`) are labels, compared by their words.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction

SYNONYMS = {
    "m": "meter metre",
    "cm": "centimeter centimetre",
    "mm": "millimeter millimetre",
    "km": "kilometer kilometre",
    "nm": "nanometer nanometre",
    "in": "inch inche",
    "ft": "foot feet",
    "yd": "yard",
    "mi": "mile",
    "s": "sec second",
    "ms": "millisecond",
    "min": "minute mins",
    "h": "hr hour",
    "day": "d",
    "week": "wk",
    "month": "",
    "year": "yr",
    "g": "gram gm",
    "kg": "kilogram",
    "mg": "milligram",
    "lb": "pound",
    "oz": "ounce",
    "l": "liter litre",
    "ml": "milliliter millilitre",
    "n": "newton",
    "j": "joule",
    "kj": "kilojoule",
    "w": "watt",
    "kw": "kilowatt",
    "v": "volt",
    "hz": "hertz",
    "pa": "pascal",
    "k": "kelvin",
    "mol": "mole",
    "ev": "electronvolt",
    "rad": "radian",
    "degree": "deg",
    "dollar": "usd buck",
    "cent": "",
    "euro": "eur",
    "gbp": "",
    "yen": "jpy",
    "unit": "",
    "erg": "",
    "dyne": "dyn",
    "tesla": "",
    "ohm": "",
    "kohm": "kiloohm kilohm",
    "micro": "",
    "mega": "",
    "amp": "ampere",
    "celsius": "",
    "fahrenheit": "",
    "au": "",
    "pc": "parsec",
    "radiu": "radius",
}
NAMES = {name: base for base, names in SYNONYMS.items() for name in (base, *names.split())}
SPEEDS = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "kmph": "km/h", "mps": "m/s"}
SIGNS = {"\u00a4": "dollar", "\u20ac": "euro", "\u00a3": "gbp", "\u00a5": "yen"}

SINGLE = frozenset("msghLlNJWVKC")
"""Letters that can be a unit behind a blank: `15 m`."""

MEGA = re.compile(r"(?<![a-zA-Z])M(?=(?:W|V|J|N|Hz|Pa|eV|ohm)(?![a-zA-Z]))")
"""The prefix that only its case tells from milli."""

PART = re.compile(r"([a-z]+)(?:\^?\(?(-?[0-9])\)?)?")
WRITTEN_POWER = re.compile(r"\b(square|sq|cubic|cu)\.?\s+([a-z]+)|([a-z]+)\s+(squared|cubed)")

Unit = tuple[tuple[str, int], ...]


@functools.lru_cache(maxsize=1 << 12)
def canonical_unit(text: str) -> str:
    r"""Return a unit in canonical form: its parts with their exponents, in order.

    >>> canonical_unit(r"\text{m s}^{-1}"), canonical_unit("meters per second")
    ('m^1 s^-1', 'm^1 s^-1')
    >>> canonical_unit("square centimeters"), canonical_unit("bags")
    ('cm^2', 'bag^1')
    """
    text = re.sub(r"\\frac ?\{(.+)\} ?\{", r"\1/", text)
    text = MEGA.sub("mega ", re.sub(r"\\mu\b ?", "micro ", re.sub(r"\\?Omega", "ohm", text)))
    plain = re.sub(r"\\text|\\cdot|\\times|\\[,;: ]|[{}~.*]", " ", text)
    plain = re.sub(r"\s*(\^)\s*", r"\1", plain).lower()
    plain = re.sub(r"\b(micro|mega)(?=[a-z]{2})", r"\1 ", plain)
    plain = WRITTEN_POWER.sub(_power, plain)
    plain = re.sub(r"\bper\b|\bfor each\b|\ban?\b(?=\s+(?:hour|day|week|month|year))", "/", plain)
    parts: dict[str, int] = {}
    for place, side in enumerate(plain.split("/")):
        for name, exponent in PART.findall(side):
            for base, power in _bases(name):
                step = power * int(exponent or 1) * (-1 if place else 1)
                parts[base] = parts.get(base, 0) + step
    return " ".join(f"{base}^{power}" for base, power in sorted(parts.items()) if power)


def _power(found: re.Match[str]) -> str:
    """Return `square cm` as `cm^2`."""
    word, unit = (found[1], found[2]) if found[1] else (found[4], found[3])
    return f"{unit}^{2 if word.startswith('sq') else 3}"


def _bases(name: str) -> list[tuple[str, int]]:
    """Return the known units of a word, with their exponents; an unknown word is one itself."""
    if name in SPEEDS:
        above, below = SPEEDS[name].split("/")
        return [(above, 1), (below, -1)]
    singular = name[:-1] if name.endswith("s") and len(name) > 2 and name not in NAMES else name  # noqa: PLR2004
    return [(NAMES.get(name) or NAMES.get(singular, singular), 1)]


def is_known(unit: str) -> bool:
    """Return whether all parts of a canonical unit are known units."""
    return bool(unit) and all(part.partition("^")[0] in NAMES for part in unit.split())


def units_agree(a: str, b: str) -> bool:
    """Return whether two canonical units that both are stated can be the same.

    Known units have to be equal; of two labels one may say more (`bags of rice` and `bags`).
    """
    if a == b:
        return True
    words = set(a.split()), set(b.split())
    known = {word for word in words[0] | words[1] if is_known(word)}
    if known:
        return "unit" in {word.partition("^")[0] for word in known} and _powers(a) == _powers(b)
    return words[0] <= words[1] or words[1] <= words[0]


SINGLE_UNIT = re.compile(r"([a-z]+)\^(-?[0-9])")
SIZES = (
    {"s": 1, "min": 60, "h": 3600, "day": 86400, "week": 604800},
    {"mm": 1, "cm": 10, "m": 1000, "km": 1000000},
    {"in": 1, "ft": 12, "yd": 36, "mi": 63360},
    {"mg": 1, "g": 1000, "kg": 1000000},
    {"ml": 1, "l": 1000},
    {"cent": 1, "dollar": 100},
)
"""Units of one kind, each in multiples of the smallest."""


def conversion(given: str, wanted: str) -> Fraction | None:
    """Return how many of one unit the other one is, where both are of one kind.

    >>> conversion("h^1", "min^1"), conversion("cm^2", "m^2"), conversion("h^1", "cm^1")
    (Fraction(60, 1), Fraction(1, 10000), None)
    """
    parts = [SINGLE_UNIT.fullmatch(unit) for unit in (given, wanted)]
    if not parts[0] or not parts[1] or parts[0][2] != parts[1][2]:
        return None
    a, b = parts[0][1], parts[1][1]
    ratios = (Fraction(sizes[a], sizes[b]) for sizes in SIZES if a in sizes and b in sizes)
    return next((ratio ** int(parts[0][2]) for ratio in ratios), None)


def _powers(unit: str) -> list[str]:
    """Return the exponents of a unit."""
    return sorted(part.partition("^")[2] for part in unit.split())
