r"""Scalar expressions as LaTeX or plain text write them, read into small trees.

A tree is a nested tuple: `("num", Fraction)`, `("var", name)`, `("call", function, argument, ...)`
or an operation with its operands: `add sub mul div pow neg pm mp root abs floor ceil fact`, and
`group` (brackets around a quotient).
Nothing is evaluated here, and nothing but this grammar is understood: text outside of it, or
text that can be read in two ways, is refused, and other rules have to decide.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from passk.verifiers.tokens import (
    ACCENTS,
    BRACKETS,
    DEPTH_LIMIT,
    END,
    FUNCTIONS,
    GREEK,
    LENGTH_LIMIT,
    LOG,
    ROUNDED,
    SIGNS,
    WORDS,
    Token,
    UnreadableError,
    number,
    repeating,
    tokens_of,
)

Tree = tuple[Any, ...]


def parse(text: str) -> Tree:
    r"""Return the tree of an expression in normal form.

    >>> parse(r"\frac12n")
    ('mul', ('div', ('num', Fraction(1, 1)), ('num', Fraction(2, 1))), ('var', 'n'))

    Raises:
        UnreadableError: the text is too long, nested too deeply, or not understood.
    """
    if len(text) > LENGTH_LIMIT:
        raise UnreadableError("too long")
    reader = _Reader(tokens_of(text))
    tree = reader.sum()
    if reader.peek() != END:
        raise UnreadableError("something is left over")
    return tree


class _Reader:
    """Reads one list of tokens, from the loosest operator to the tightest."""

    def __init__(self, tokens: list[Token]) -> None:
        """Start before the first token."""
        self.tokens = tokens
        self.tokens.reverse()
        self.depth = 0
        self.in_bars = 0
        self.last = END

    def peek(self) -> Token:
        """Return the next token without taking it."""
        return self.tokens[-1] if self.tokens else END

    def take(self) -> Token:
        """Take the next token."""
        self.last = self.tokens.pop() if self.tokens else END
        return self.last

    def accept(self, *texts: str) -> str | None:
        """Take the next token if it is a sign among `texts`."""
        kind, text = self.peek()
        if kind in ("sign", "command") and text in texts:
            return self.take()[1]
        return None

    def expect(self, text: str) -> None:
        """Take a sign that has to stand here."""
        if not self.accept(text):
            raise UnreadableError(f"{text!r} is missing")

    def sum(self) -> Tree:
        """Read terms joined by + and -."""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise UnreadableError("nested too deeply")
        tree = self.signed()
        while True:
            sign = self.accept("+", "-", "\\pm", "\\mp")
            if not sign:
                break
            kind = {"+": "add", "-": "sub", "\\pm": "pm", "\\mp": "mp"}[sign]
            tree = (kind, tree, self.signed())
        self.depth -= 1
        return tree

    def signed(self) -> Tree:
        """Read a term with its signs."""
        minus = False
        while sign := self.accept("+", "-", "\\pm", "\\mp"):
            if sign.startswith("\\"):
                return ({"\\pm": "pm", "\\mp": "mp"}[sign], ("num", Fraction(0)), self.signed())
            minus ^= sign == "-"
        return ("neg", self.product()) if minus else self.product()

    def product(self) -> Tree:
        """Read factors joined by signs, or by nothing at all."""
        tree = self.power()
        while True:
            sign = self.accept("*", "/", "\\cdot", "\\times", "\\div", "\\ast")
            if sign:
                minus = bool(self.accept("-"))
                factor = ("neg", self.power()) if minus else self.power()
                tree = ("div" if sign in ("/", "\\div") else "mul", tree, factor)
            elif self.starts_factor():
                tree = self.juxtaposed(tree)
            else:
                return tree

    def starts_factor(self) -> bool:
        """Return whether the next token can begin a factor."""
        kind, text = self.peek()
        if kind == "gap":
            return True
        if kind == "sign":
            return text in BRACKETS or (text == "|" and not self.in_bars)
        if kind == "command":
            return text[1:] not in SIGNS and text[1:] not in ("rfloor", "rceil", "circ")
        return kind in ("num", "word", "letter", "text")

    def juxtaposed(self, tree: Tree) -> Tree:
        """Read a factor that follows without a sign: a product, or the rest of a mixed number."""
        gap = self.peek()[0] == "gap"
        if gap:
            self.take()
        follows = self.peek()
        if tree[0] == "num" and (gap or follows == ("command", "\\frac")):
            return _mixed(tree, self.quotient() if gap else self.power(), must=gap)
        if follows[0] == "num" and self.last[1] != ")":
            raise UnreadableError("a number follows without a sign")
        if tree[0] == "div":
            raise UnreadableError("a/bc can be read in two ways")
        return ("mul", tree, self.power())

    def quotient(self) -> Tree:
        """Read the `4/5` of `1 4/5`."""
        above = self.power()
        return ("div", above, self.power()) if self.accept("/") else above

    def power(self) -> Tree:
        """Read an atom with what is set after it: powers, factorials, primes, degrees."""
        tree = self.atom()
        while True:
            if self.accept("^"):
                if self.accept("\\circ"):
                    tree = ("call", "degrees", tree)
                    continue
                tree = self.raised(tree)
            elif tree[0] == "pow" and tree[1][0] == "var" and self.accept("_"):
                tree = ("pow", ("var", f"{tree[1][1]}_{self.subscript()}"), tree[2])
            elif self.accept("!"):
                tree = ("fact", tree)
            elif self.peek() == ("sign", "'"):
                self.take()
                tree = ("var", f"{_name(tree)}'")
            else:
                return tree

    def raised(self, base: Tree) -> Tree:
        """Read an exponent: a group, or one signed atom with powers of its own (2^-1, 2^3^4)."""
        if self.peek() == ("sign", "{"):
            exponent = self.argument()
        else:
            minus = bool(self.accept("-"))
            exponent = self.atom()
            exponent = self.raised(exponent) if self.accept("^") else exponent
            exponent = ("neg", exponent) if minus else exponent
        if exponent == ("var", "prime"):
            return ("var", f"{_name(base)}'")
        return ("pow", base, exponent)

    def argument(self) -> Tree:
        """Read what LaTeX takes as an argument: a group in braces, or one token."""
        if self.accept("{"):
            tree = self.sum()
            self.expect("}")
            return ("group", tree) if tree[0] == "div" else tree
        kind, text = self.peek()
        if kind == "num" and len(text) > 1 and text.isdigit():
            self.take()
            self.tokens.append(("num", text[1:]))
            return ("num", Fraction(text[0]))
        return self.atom()

    def atom(self) -> Tree:
        """Read a number, a name, a bracket, or a command with its arguments."""
        kind, text = self.take()
        if kind in ("num", "repeating"):
            return ("num", number(text) if kind == "num" else repeating(text))
        if kind == "letter" or (kind == "text" and len(text.strip()) == 1):
            return self.subscripted(text.strip())
        if kind == "word":
            return self.function(text)
        if kind == "command":
            return self.command(text[1:])
        if kind == "sign" and text in BRACKETS:
            tree = self.sum()
            self.expect(BRACKETS[text])
            return ("group", tree) if tree[0] == "div" else tree
        if kind == "sign" and text == "|":
            return self.bars()
        raise UnreadableError(f"{text!r} stands where a value should")

    def bars(self) -> Tree:
        """Read an absolute value; bars do not nest."""
        if self.in_bars:
            raise UnreadableError("bars within bars")
        self.in_bars += 1
        tree = self.sum()
        self.expect("|")
        self.in_bars -= 1
        return ("abs", tree)

    def command(self, name: str) -> Tree:
        """Read a command with its arguments."""
        if name in ("frac", "binom"):
            above = self.argument()
            below = self.argument()
            return _fraction(above, below) if name == "frac" else ("call", name, above, below)
        if name in WORDS or name in FUNCTIONS:
            return self.function(name)
        if name in GREEK:
            return self.subscripted(name)
        if name in ROUNDED:
            kind, end = ROUNDED[name]
            tree = self.sum()
            self.expect("\\" + end)
            return (kind, tree)
        if name in ACCENTS:
            return self.subscripted(f"{name}({_name(self.argument())})")
        if name == "prime":
            return ("var", "prime")
        raise UnreadableError(f"unknown command {name!r}")

    def subscripted(self, name: str) -> Tree:
        """Read the subscript of a name, and the argument where it is a function's."""
        if self.accept("_"):
            name += f"_{self.subscript()}"
        if name == "e":
            return ("call", "e")
        if name == "i":
            return ("call", "i")
        return self.applied(name)

    def subscript(self) -> str:
        """Read a subscript as text."""
        if not self.accept("{"):
            return self.take()[1]
        parts, depth = [], 1
        while depth:
            kind, text = self.take()
            if (kind, text) == END:
                raise UnreadableError("a subscript does not end")
            depth += {"{": 1, "}": -1}.get(text, 0) if kind == "sign" else 0
            parts.append(text)
        return "".join(parts[:-1]).replace(" ", "")

    def applied(self, name: str) -> Tree:
        """Return a variable, or the value of a function that the text does not define: f(0), x(t).

        `n(n+1)` is a product and `f(0)` is not; `f(x+1)` could be either and is refused.
        """
        if self.peek() != ("sign", "(") or len(self.tokens) < 3:  # noqa: PLR2004
            return ("var", name)
        single = self.tokens[-3] == ("sign", ")") and self.tokens[-2][0] in ("num", "letter")
        if single:
            self.take()
            argument = self.power()
            self.expect(")")
            return ("call", f"apply {name}", argument)
        if name.partition("_")[0] in ("f", "g", "h", "F", "G", "H", "P", "Q", "phi", "Phi"):
            raise UnreadableError("a function or a product")
        return ("var", name)

    def function(self, name: str) -> Tree:
        """Read a named function with its power and argument."""
        if name == "pi":
            return ("call", "pi")
        if name == "sqrt":
            return self.radical()
        function, below = FUNCTIONS.get(name, name), None
        if name == "log" and self.accept("_"):
            below = self.argument()
        exponent = self.argument() if self.accept("^") else None
        argument = self.function_argument()
        tree: Tree = ("call", function, argument)
        if name == "log":
            base = ("var", LOG) if below is None else ("call", "ln", below)
            tree = ("div", ("call", "ln", argument), base)
        if exponent == ("neg", ("num", Fraction(1))):
            raise UnreadableError("an inverse or a reciprocal")
        return ("pow", tree, exponent) if exponent is not None else tree

    def function_argument(self) -> Tree:
        """Read what a function applies to: a bracket, or the factors up to the next sign."""
        if self.peek()[1] in ("(", "{", "[", "|") and self.peek()[0] == "sign":
            tree = self.atom()
            if self.peek() == ("sign", "^"):
                raise UnreadableError("a power of the function or of its argument")
            return tree
        tree = self.power()
        while self.starts_factor() and self.peek()[0] in ("num", "letter", "command"):
            if self.peek()[1].lstrip("\\") in (*FUNCTIONS, "log"):
                break
            tree = self.juxtaposed(tree)
        if self.peek() == ("sign", "/"):
            raise UnreadableError("a quotient of the function or of its argument")
        return tree

    def radical(self) -> Tree:
        """Read a root with its index."""
        index: Tree = ("num", Fraction(2))
        if self.accept("["):
            index = self.sum()
            self.expect("]")
        return ("root", self.argument(), index)


def _name(tree: Tree) -> str:
    """Return a tree as part of a name (of a derivative, a vector); only names and products can."""
    if tree[0] == "var":
        return str(tree[1])
    if tree[0] == "call" and len(tree) == 2:  # noqa: PLR2004
        return str(tree[1])
    if tree[0] == "mul":
        return _name(tree[1]) + _name(tree[2])
    if tree[0] == "call" and str(tree[1]).startswith("apply "):
        return f"{tree[1]}({tree[2]})"
    raise UnreadableError("no name")


def _fraction(above: Tree, below: Tree) -> Tree:
    """Return a quotient; `dx/dt` is no quotient of products with a common d."""
    if _first(above) == _first(below) and _first(above) in (("var", "d"), ("var", "partial")):
        raise UnreadableError("a derivative")
    return ("group", ("div", above, below))


def _first(tree: Tree) -> Tree:
    """Return the leftmost factor."""
    while tree[0] in ("mul", "pow", "group", "div"):
        tree = tree[1]
    return tree


def _mixed(whole: Tree, part: Tree, *, must: bool) -> Tree:
    """Return the sum that a mixed number such as 1 4/5 stands for."""
    inner = part[1] if part[0] == "group" else part
    if inner[0] == "div" and inner[1][0] == inner[2][0] == "num":
        above, below = inner[1][1], inner[2][1]
        if whole[1].denominator == 1 and 0 <= above < below:
            return ("add", whole, part)
    if must or (inner[0] == "div" and inner[1][0] == inner[2][0] == "num"):
        raise UnreadableError("neither a mixed number nor a product")
    return ("mul", whole, part)
