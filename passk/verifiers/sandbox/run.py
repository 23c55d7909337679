"""What a run of a program is given, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run of a program.

    Attributes:
        program: its text, in UTF-8; lone surrogates replaced.
        kind: `call` the entry point with inputs of the problem, or feed it `stdin`.
        token: ends the results of a run that came to its end; random per run.
        limits: seconds of processor time for loading the program, then for each test of `order`;
            the last one also holds for the tests that follow.
        total: seconds of processor time of the whole run.
        entry_point: name of the function to call.
        method: whether it may be a method of a class `Solution`.
        order: which inputs to call it with, in order.
        stdin: the input of a `stdin` run.
        patience: longest time in seconds that results of finished tests are held back, to be
            sent together.
        whole: whether long values are sent in full, not as digests.
        timed: whether each line of a test ends with a tab and its seconds of processor time.
        before: code that runs in the program's module before it.
        lenient: whether a program that fails after defining the entry point is called all the same.
        main_function: run a `stdin` program as LiveCodeBench does, its body as a function.
    """

    program: bytes
    kind: Literal["call", "stdin"]
    token: bytes
    limits: Sequence[float]
    total: float
    entry_point: str = ""
    method: bool = False
    order: Sequence[int] = ()
    stdin: bytes | None = None
    patience: float = 0.02
    whole: bool = False
    timed: bool = False
    before: bytes = b""
    lenient: bool = False
    main_function: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        late: whether it was killed at its time limit.
        flooded: whether it was killed because it wrote too many files.
        status: as of `os.waitstatus_to_exitcode`: exit status, or minus the signal.
        seconds: wall-clock time of the run, its process made and cleaned up.
        processor: seconds of processor time.
        begun: whether the program was read and restricted, as far as `read` has seen.
        clean: whether all that it wrote is gone; else the fork server is not used again.
    """

    late: bool
    flooded: bool
    status: int
    seconds: float
    processor: float
    begun: bool
    clean: bool
