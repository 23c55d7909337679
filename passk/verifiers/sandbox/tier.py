"""How programs are isolated: one of three tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

TierName = Literal["namespaces", "landlock", "unsafe"]


@dataclass(frozen=True, slots=True)
class Tier:
    """How programs are isolated.

    Attributes:
        name: see the module's table.
        tool: the program that sets it up (`bwrap`, `setpriv`), or "".
        refused: better tiers that this machine does not allow, and why.
    """

    name: TierName
    tool: str = ""
    refused: tuple[tuple[str, str], ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Return what a manifest records of the isolation that programs ran in."""
        return {"tier": self.name, "tool": self.tool, "refused": dict(self.refused)}
