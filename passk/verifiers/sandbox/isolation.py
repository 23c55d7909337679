"""How programs are isolated: one of three levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

IsolationLevel = Literal["namespaces", "landlock", "unsafe"]


@dataclass(frozen=True, slots=True)
class Isolation:
    """How programs are isolated.

    Attributes:
        level: see the table of `passk.verifiers.sandbox.choose_isolation`.
        tool: the program that sets it up (`bwrap`, `setpriv`), or "".
        refused: better levels that this machine does not allow, and why.
    """

    level: IsolationLevel
    tool: str = ""
    refused: tuple[tuple[str, str], ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Return what a manifest records of the isolation of programs."""
        return {"isolation": self.level, "tool": self.tool, "refused": dict(self.refused)}
