"""Errors that a user reads: what is wrong, where, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PasskError(Exception):
    """A failure that the user reads as one message, never as a traceback.

    Args:
        what: the fault in one sentence.
        where: file, line and key path, or row, of the fault.
        fix: what the user can do about it.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        """Keep the three parts for callers that format them in their own way."""
        super().__init__(what, where, fix)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        """`where: what` and the way out on a line of its own."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  -> {self.fix}" if self.fix else head


class SpecError(PasskError):
    """A spec, benchmark or prompt file that cannot be used."""

    exit_status = 2


class DataError(PasskError):
    """A data file that is missing, cut short, or not of the form it should have."""


class OutputError(PasskError):
    """An output that could not be written."""


class EngineError(PasskError):
    """An engine or its weights that could not be loaded or failed while at work."""


class VerifierError(PasskError):
    """A verifier that could not be loaded or was given options it does not know."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known name and lists what is available.

    >>> did_you_mean("wieghts", ["weights", "role"])
    "did you mean 'weights'? available: role, weights"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = ", ".join(names) if names else "none"
    return (f"did you mean '{near[0]}'? " if near else "") + f"available: {listed}"
