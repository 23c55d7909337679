"""Study with pass@k whether tuning taught a model new problems or only sharpened it.

The public functions are imported when they are first used: `import passk` loads neither torch nor
pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from passk.core.versions import __version__

if TYPE_CHECKING:
    from passk.analysis.study import load
    from passk.interop.count_api import compare, estimate, pass_at_k
    from passk.stages.verify import grade_rows as grade
    from passk.workflow.run import run_spec as run

__all__ = ["__version__", "compare", "estimate", "grade", "load", "pass_at_k", "run"]

_HOMES = {
    "compare": "passk.interop.count_api:compare",
    "estimate": "passk.interop.count_api:estimate",
    "grade": "passk.stages.verify:grade_rows",
    "load": "passk.analysis.study:load",
    "pass_at_k": "passk.interop.count_api:pass_at_k",
    "run": "passk.workflow.run:run_spec",
}
"""Public name -> "module:attribute"."""


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'passk' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
