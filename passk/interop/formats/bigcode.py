"""bigcode-evaluation-harness: `generations_TASK.json`, a list of programs per problem, in order.

The list is the whole benchmark's; where a program holds the question of exactly one problem, as
HumanEval's do, that must be the problem at its position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from passk.core.errors import DataError
from passk.core.json_stream import JsonStream
from passk.core.row_files import Row, open_file
from passk.interop.base import ProblemKey, ReadOptions, Response
from passk.interop.code_responses import fence_program
from passk.interop.problem_matching import normalize


class BigCode:
    """Reads the generations of the bigcode evaluation harness."""

    endings: ClassVar = (".json",)

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the programs of each problem."""
        questions = [normalize(problem.question) for problem in options.problems.values()]
        for path in files:
            with open_file(path) as file:
                elements = JsonStream(file, path).elements()
                for position, (programs, line) in enumerate(elements):
                    if not isinstance(programs, list) or not all(
                        isinstance(program, str) for program in programs
                    ):
                        raise DataError("not a list of programs", where=f"{path}:{line}")
                    for program in programs:
                        held = any(question in normalize(program) for question in questions)
                        key = ProblemKey(position=position, prompt=program if held else None)
                        yield Response(Row({}, path, line), key, fence_program(program))
