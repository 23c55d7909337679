"""The program of a response: which of its blocks is the solution, and what else it needs."""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence

from passk.verifiers.code.code_blocks import Block, fenced_blocks, unfenced_blocks

END_OF_TURN = re.compile(
    r"(?:<\|(?:im_end|eot_id|end|endoftext|end_of_text)\|>|<end_of_turn>|</s>"
    r"|<\uff5cend\u2581of\u2581sentence\uff5c>)[ \t\r]*$",
    re.MULTILINE,
)
"""A mark at the end of a line after which a response is over."""

END_OF_THINKING = re.compile(r"(?<![\"'`])</(?:think|thinking|thought|reasoning)>")

READS_INPUT = re.compile(
    r"\binput\s*\(|\bstdin\s*\.|\bin\s+(?:sys\.)?stdin\b|\bimport\s+stdin\b|\bopen\(0|/dev/stdin"
    r"|\bfileinput\b"
)
"""What a program that reads standard input holds."""

LOOKED_AT = 40
"""Most blocks, from the last one on, that are looked at where there are several."""

TREE_LIMIT = 1 << 17
"""Longest text, in characters, that is parsed to a syntax tree, of 300 bytes each."""

CUTS = 12
"""How often lines that look like code are cut before the one that is none."""

COMPOUND = ast.If | ast.Try | ast.With | ast.For | ast.While
DEFINITIONS = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom),
    *(ast.Assign, ast.AnnAssign),
)


def extract_code(response: str, entry_point: str = "") -> str | None:
    r"""Return the program that a response gives as its solution, or None.

    It is the last block that defines `entry_point`; without an entry point the last one that reads
    standard input, else the last one. Blocks that no fence closes, or that are not said to be
    Python, count only where they are Python. Names that it lacks come from the other blocks.
    Without such a block between fences, lines that look like code are searched. Thinking that ends
    by `</think>` counts only where nothing follows.

    >>> extract_code("So:\n```python\nx = 1\n```\nDone."), extract_code("x = 1")
    ('x = 1', None)
    >>> extract_code("```\ndef f(x): return x\n```\nOutput:\n```\n5\n```", "f")
    'def f(x): return x'
    """
    turn = END_OF_TURN.split(response, maxsplit=1)[0]
    text = turn if turn.strip() else response
    ends = list(END_OF_THINKING.finditer(text))
    if not ends:
        return _extract(text, entry_point)
    found = _extract(text[ends[-1].end() :], entry_point)
    return _extract(text[: ends[-1].start()], entry_point) if found is None else found


def _extract(text: str, entry_point: str) -> str | None:
    """Return the program of a text without marks of thinking."""
    blocks = fenced_blocks(text)
    wanted = _definition_of(entry_point) if entry_point else READS_INPUT
    if len(blocks) == 1 and blocks[0].closed and blocks[0].language != "other":
        (block,) = blocks
        if wanted.search(block.text):
            return block.text  # by far the most frequent: nothing to choose
    found = _solution(blocks, entry_point, wanted)
    if found is None and blocks:
        found = _solution(fenced_blocks(text, nested=False), entry_point, wanted)
    if found is None:
        runs = [trimmed for block in unfenced_blocks(text) for trimmed in _python_of(block)]
        found = _solution(runs, entry_point, wanted)
    if found is not None:
        return found
    python = [block for block in blocks if block.language == "python"]
    untagged = [block for block in blocks if not block.language]
    solutions = [block for block in [*untagged, *python] if wanted.search(block.text)]
    for group in (solutions, python, untagged):
        if group:
            return next((block.text for block in reversed(group) if block.closed), group[-1].text)
    return None


def _definition_of(name: str) -> re.Pattern[str]:
    """Return a pattern of what defines a name."""
    name = re.escape(name)
    return re.compile(
        rf"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|^{name}[ \t]*(?::[^=\n]*)?=(?!=)"
        rf"|^[ \t]*(?:from|import)[ \t].*\b{name}\b",
        re.MULTILINE,
    )


# Choosing ---------------------------------------------------------------------------------------


def _solution(blocks: Sequence[Block], entry_point: str, wanted: re.Pattern[str]) -> str | None:
    """Return the last block that is a solution, with the definitions that it lacks, or None."""
    blocks = blocks[-LOOKED_AT:]
    solutions: list[tuple[tuple[bool, bool, bool, int], ast.Module | None]] = []
    for number, block in enumerate(blocks):
        if not wanted.search(block.text):
            continue
        tree = _parse(block.text)
        # A closed block that is said to be Python is the author's word, even if it is none.
        at_its_word = (block.closed and block.language == "python") or len(block.text) > TREE_LIMIT
        if (tree is None and at_its_word) or (
            tree is not None and (not entry_point or _defines(tree.body, entry_point))
        ):
            # A test block may import the name that another block defines.
            own = tree is None or not entry_point or _defines(tree.body, entry_point, own=True)
            solutions.append(((own, block.language != "other", block.closed, number), tree))
    if not solutions:
        return None
    (*_, number), tree = max(solutions, key=lambda solution: solution[0])
    text = blocks[number].text
    if tree is None or len(blocks) == 1:
        return text
    others = [*reversed(blocks[:number]), *blocks[number + 1 :]]
    start = [] if entry_point else _start(tree, blocks[number + 1 :])
    return "\n".join([*_lacking(tree, others), text, *start])


def _parse(text: str) -> ast.Module | None:
    """Return the syntax tree of a program, or None where it is none, or too long."""
    try:
        return _tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _tree(text: str) -> ast.Module:
    """Return the syntax tree of a program.

    Raises:
        ValueError: it is too long.
        SyntaxError, RecursionError, MemoryError: it is no program.
    """
    if len(text) > TREE_LIMIT:
        raise ValueError("too long")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _defines(body: Iterable[ast.stmt], name: str, *, own: bool = False) -> bool:
    """Return whether statements define a name, or a class `Solution` with it; no stub does.

    Args:
        body: the statements.
        name: the name.
        own: whether an import does not count.
    """
    return any(
        (_binds(node, name) and not (own and isinstance(node, ast.Import | ast.ImportFrom)))
        or (
            isinstance(node, ast.ClassDef)
            and node.name == "Solution"
            and _defines(node.body, name, own=own)
        )
        or (isinstance(node, COMPOUND) and _defines(_inner(node), name, own=own))
        for node in body
    )


def _binds(node: ast.stmt, name: str) -> bool:
    """Return whether a statement gives a name a value that may be a function."""
    return any(bound == name for bound, _ in _bound(node)) and not _is_stub(node)


def _inner(node: COMPOUND) -> Iterator[ast.stmt]:
    """Yield the statements within a compound one."""
    return (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))


def _bound(node: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the names that a statement binds, each with the statement."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, node
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            for alias in names:
                yield (alias.asname or alias.name).partition(".")[0], node
        case ast.Assign() | ast.AnnAssign():
            for target in ast.walk(node):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                    yield target.id, node


def _is_stub(node: ast.stmt) -> bool:
    """Return whether a statement shows a signature alone, or a value, as a printed result does."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return not isinstance(node.value, ast.Name | ast.Attribute | ast.Lambda | ast.Call)
    return isinstance(node, ast.FunctionDef) and all(
        isinstance(line, ast.Pass)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in node.body
    )


# What the solution lacks ------------------------------------------------------------------------


def _lacking(tree: ast.Module, others: Sequence[Block]) -> list[str]:
    """Return definitions of other blocks that a program uses and does not make itself."""
    found: list[str] = []
    missing = _free_names(tree)
    for block in others:
        if not missing or block.language == "other":
            continue
        other = _parse(block.text)
        definitions = (
            [node for node in other.body if isinstance(node, DEFINITIONS)] if other else []
        )
        given = {name for node in definitions for name, _ in _bound(node)}
        if other is not None and given & missing:
            found.insert(0, "\n".join(ast.unparse(node) for node in definitions))
            missing = (missing | _free_names(other)) - given
    return found


def _start(tree: ast.Module, later: Sequence[Block]) -> list[str]:
    """Return the first later block that calls a program which is definitions alone."""
    if not all(isinstance(node, DEFINITIONS) for node in tree.body):
        return []
    given = {name for node in tree.body for name, _ in _bound(node)}
    trees = ((block.text, _parse(block.text)) for block in later if block.language != "other")
    return [text for text, other in trees if other is not None and given & _free_names(other)][:1]


def _free_names(tree: ast.Module) -> set[str]:
    """Return the names that a program reads and nowhere binds."""
    read: set[str] = set()
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.stmt):
            bound.update(name for name, _ in _bound(node))
    return read - bound


# Lines that look like code ----------------------------------------------------------------------


def _python_of(block: Block) -> Iterator[Block]:
    """Yield the parts of a block that are Python, without the lines between them that are none."""
    lines = block.text.rstrip().split("\n")
    begin, end = 0, len(lines)
    for _ in range(CUTS):
        part = lines[begin:end]
        error = _error_line("\n".join(part))
        if error:
            end = begin + min(error, len(part)) - 1
        if not error or end <= begin:
            if end > begin:
                yield Block("\n".join(part).rstrip(), "", closed=True)
            begin, end = end + 1, len(lines)
            while begin < end and lines[begin][:1] in {" ", "\t", ""}:
                begin += 1
        if begin >= end:
            return


def _error_line(text: str) -> int:
    """Return the line of the first error in a program, or 0 where there is none."""
    try:
        _tree(text)
    except SyntaxError as error:
        return error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return 1
    return 0
