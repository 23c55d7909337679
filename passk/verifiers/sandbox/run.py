"""What a run is asked to do, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run of a program.

    Attributes:
        program: its text, in UTF-8; lone surrogates replaced.
        kind: `call` the entry point with inputs of the problem, or feed it `stdin`.
        seconds: wall-clock time allowed.
        token: what ends the results of a run that came to its end; random per run.
        entry_point: name of the function to call.
        method: whether it may be a method of a class `Solution`.
        order: which inputs to call it with, in order.
        stdin: the input of a `stdin` run.
        patience: longest time in seconds that results of finished tests are held back, to be
            sent together.
        whole: whether long values are sent in full, not as digests.
    """

    program: bytes
    kind: str
    seconds: float
    token: bytes
    entry_point: str = ""
    method: bool = False
    order: Sequence[int] = ()
    stdin: bytes | None = None
    patience: float = 0.02
    whole: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        late: whether it was killed at its deadline.
        status: as of `os.waitstatus_to_exitcode`: exit status, or minus the signal.
        seconds: wall-clock time of the run, its process made and cleaned up.
        processor: seconds of processor time.
        begun: whether the program was read and restricted, as far as `read` has seen.
        clean: whether all that it wrote is gone; else the fork server is not to be used again.
    """

    late: bool
    status: int
    seconds: float
    processor: float
    begun: bool
    clean: bool
