"""LiveCodeBench's rows as ours (Jain et al. 2024, arXiv 2403.07974).

The private tests stay packed as they are published, and so small; the `code` verifier unpacks them
once per problem, reading the pickle in them as data that is never run.
"""

from __future__ import annotations

from passk.benchmarks.base import Row
from passk.core.errors import DataError

TESTS = ("public_test_cases", "private_test_cases", "metadata")
"""Columns that the `code` verifier reads: tests, and the name of the function to call."""

WITH_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your "
    "code within delimiters."
)
WITHOUT_STARTER = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly "
    "test on the sample inputs). Enclose your code within delimiters as follows. Ensure that when "
    "the python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT."
)
"""What the benchmark's prompts say, word for word (lcb_runner/prompts/code_generation.py)."""


def adapt(row: Row) -> Row:
    """Return a row of LiveCodeBench with `question`, and with the columns of its tests as `gold`.

    The question ends with the part "### Format" of the benchmark's own prompts: the code to begin
    with, where there is any, or that the program reads standard input.

    Raises:
        DataError: the row lacks a column.
    """
    try:
        content, starter = row["question_content"].rstrip(), row["starter_code"]
        gold = {name: row[name] for name in TESTS}
    except (KeyError, AttributeError) as error:
        raise DataError(f"not a row of LiveCodeBench: {error!r}", where="adapter") from error
    told, code = (WITH_STARTER, starter) if starter else (WITHOUT_STARTER, "# YOUR CODE HERE")
    task = f"### Format: {told}\n```python\n{code}\n```"
    return {**row, "question": f"{content}\n\n{task}", "gold": gold}
