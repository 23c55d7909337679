r"""Scalar expressions as LaTeX or plain text write them, read into small trees (`expr_tree`).

Nothing is evaluated here, and nothing but this grammar is understood: text outside of it, or
text that can be read in two ways, is refused, and other rules have to decide.
"""

from __future__ import annotations

from fractions import Fraction

from passk.verifiers.math.expr_tree import Tree, has, mixed_number, part_of_name, quotient_of
from passk.verifiers.math.lexer import (
    ACCENTS,
    BRACKETS,
    END,
    FUNCTIONS,
    GREEK,
    LOG,
    MAX_DEPTH,
    MAX_LENGTH,
    ROUNDED,
    SIGNS,
    WORDS,
    ParseError,
    Stream,
    Token,
    number,
    repeating,
    tokenize,
)


def parse(text: str) -> Tree:
    r"""Return the tree of an expression in normal form.

    >>> parse(r"\frac12n")
    ('mul', ('group', ('div', ('num', Fraction(1, 1)), ('num', Fraction(2, 1)))), ('var', 'n'))

    Raises:
        ParseError: the text is too long, nested too deeply, or not understood.
    """
    if len(text) > MAX_LENGTH:
        raise ParseError("too long")
    reader = ExpressionParser(tokenize(text))
    tree = reader.sum()
    if reader.peek() != END:
        raise ParseError("something is left over")
    return tree


class ExpressionParser(Stream):
    """Reads one list of tokens, from the loosest operator to the tightest."""

    def __init__(self, tokens: list[Token]) -> None:
        """Start before the first token."""
        super().__init__(tokens)
        self.depth = 0
        self.in_bars = 0

    def sum(self) -> Tree:
        """Read terms joined by + and -."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError("nested too deeply")
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
            return mixed_number(tree, self.quotient() if gap else self.power(), must=gap)
        if follows[0] == "num" and self.last[1] != ")":
            raise ParseError("a number follows without a sign")
        if tree[0] == "div":
            raise ParseError("a/bc can be read in two ways")
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
                tree = ("var", f"{part_of_name(tree)}'")
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
            return ("var", f"{part_of_name(base)}'")
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
        raise ParseError(f"found {text!r} where a value should be")

    def bars(self) -> Tree:
        """Read an absolute value; bars do not nest."""
        if self.in_bars:
            raise ParseError("bars within bars")
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
            return quotient_of(above, below) if name == "frac" else ("call", name, above, below)
        if name in WORDS or name in FUNCTIONS:
            return self.function(name)
        if name in GREEK:
            return self.subscripted(name)
        if name in ROUNDED or name in ("gcd", "lcm"):
            return self.rounded(*ROUNDED[name]) if name in ROUNDED else self.common(name)
        if name in ACCENTS:
            return self.subscripted(f"{name}({part_of_name(self.argument())})")
        if name == "prime":
            return ("var", "prime")
        raise ParseError(f"unknown command {name!r}")

    def rounded(self, kind: str, end: str) -> Tree:
        """Read a floor or ceiling."""
        tree = self.sum()
        self.expect("\\" + end)
        return (kind, tree)

    def common(self, name: str) -> Tree:
        """Read the numbers of a greatest common divisor or least common multiple."""
        left = self.accept("(", "\\{")
        if not left:
            raise ParseError(f"{name} of what?")
        numbers = [self.sum()]
        while self.accept(","):
            numbers.append(self.sum())
        self.expect(BRACKETS[left])
        return (name, *numbers)

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
                raise ParseError("a subscript does not end")
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
            raise ParseError("a function or a product")
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
            if f"arc{function}" not in FUNCTIONS:
                raise ParseError("an inverse or a reciprocal")
            return ("call", f"arc{function}", argument)
        return ("pow", tree, exponent) if exponent is not None else tree

    def function_argument(self) -> Tree:
        """Read what a function applies to: a bracket, or the factors up to the next sign."""
        if self.peek()[1] in ("(", "{", "[", "|") and self.peek()[0] == "sign":
            tree = self.atom()
            if self.peek() == ("sign", "^"):
                raise ParseError("a power of the function or of its argument")
            return tree
        tree = self.power()
        while self.starts_factor() and self.peek()[0] in ("num", "letter", "command"):
            if self.peek()[1].lstrip("\\") in (*FUNCTIONS, "log"):
                break
            tree = self.juxtaposed(tree)
        if self.peek() == ("sign", "/"):
            raise ParseError("a quotient of the function or of its argument")
        return tree

    def radical(self) -> Tree:
        """Read a root with its index."""
        index: Tree = ("num", Fraction(2))
        if self.accept("["):
            index = self.sum()
            self.expect("]")
        return ("root", self.argument(), index)


def try_parse(text: str) -> Tree | None:
    """Return the tree of a formula, if it is one."""
    try:
        return parse(text)
    except ParseError:
        return None


def try_parse_value(text: str) -> Tree | None:
    """Return the tree of one side of an equation, if it has one value."""
    tree = try_parse(text)
    return None if tree is None or has(tree, ("pm", "mp")) else tree
