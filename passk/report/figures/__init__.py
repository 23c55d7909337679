"""Publication figures: SVG, PDF and PNG, the same bytes each time.

Matplotlib's object interface only: no pyplot, so no state is shared and nothing needs a display.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

from passk.analysis.study import TABLES, read_plan, read_study_table
from passk.core.artifacts import output_error, write_json
from passk.core.errors import PasskError
from passk.core.install import install_module

__all__ = ["draw"]


def draw(tables: Path, plan: Path, output: Path) -> list[str]:
    """Draw every figure that the tables have data for, and write their index `figures.json`.

    Args:
        tables: folder that aggregation wrote.
        plan: `plan.json` of the study.
        output: folder for `NAME.svg`, `NAME.pdf`, `NAME.png`, `NAME.txt` (its caption) and
            `figures.json` (name, title, caption and files of each figure).

    Returns:
        The names of the figures.

    Raises:
        PasskError: matplotlib is not installed, a table is missing or the folder is read-only.
    """
    try:
        from passk.report.figures import figure_kinds, style
    except ModuleNotFoundError as error:
        fix = install_module("matplotlib")
        raise PasskError(f"figures need '{error.name}', which is not installed", fix=fix) from error
    study = read_plan(plan)
    frames = {name: read_study_table(tables, name) for name in TABLES}
    index: list[dict[str, Any]] = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        with style.styled():
            for figure in figure_kinds.draw_all(study, frames):
                files = style.save(figure.figure, output / figure.name)
                caption = fill(f"{figure.title}. {figure.caption}", 90) + "\n"
                (output / f"{figure.name}.txt").write_text(caption, encoding="utf-8")
                index.append({**figure.metadata(), "files": [path.name for path in files]})
    except OSError as error:
        raise output_error(error, output) from error
    write_json(output / "figures.json", {"figures": index})
    return [str(entry["name"]) for entry in index]
