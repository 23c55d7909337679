"""LiveCodeBench's rows as ours (Jain et al. 2024, arXiv 2403.07974).

The private tests stay packed as they are published, and so small; the `code` verifier unpacks them
once per problem, reading the pickle in them as data that is never run.
"""

from __future__ import annotations

from passk.benchmarks.base import Row
from passk.core.errors import DataError

TESTS = ("public_test_cases", "private_test_cases", "metadata")
"""Columns that the `code` verifier reads: tests, and the name of the function to call."""


def adapt(row: Row) -> Row:
    """Return a row of LiveCodeBench with `question`, and with the columns of its tests as `gold`.

    The question ends with the code to begin with, where there is any, or says that the program
    reads standard input, as in the benchmark's own prompts.

    Raises:
        DataError: the row lacks a column.
    """
    try:
        content, starter = row["question_content"].rstrip(), row["starter_code"]
        gold = {name: row[name] for name in TESTS}
    except (KeyError, AttributeError) as error:
        raise DataError(f"not a row of LiveCodeBench: {error!r}", where="adapter") from error
    if starter:
        task = f"Begin with this code:\n```python\n{starter.rstrip()}\n```"
    else:
        task = "The program reads standard input and writes standard output."
    return {**row, "question": f"{content}\n\n{task}", "gold": gold}
