"""Study with pass@k whether tuning taught a model new problems or only sharpened it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from passk.core.versions import __version__

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

__all__ = ["__version__", "load"]


def load(folder: str | PathLike[str]) -> dict[str, pd.DataFrame]:
    """Return the tables of an experiment by name, for a notebook.

    Args:
        folder: the experiment's folder, as in `passk.load("outputs/quickstart")["estimates"]`.

    Raises:
        DataError: a table is not there or cannot be read.
    """
    tables: dict[str, pd.DataFrame] = importlib.import_module("passk.analysis.study").load(folder)
    return tables
