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
from passk.core.install import install_extra

__all__ = ["draw"]


def draw(tables: Path, plan: Path, output: Path) -> list[str]:
    """Draw every figure that the tables have data for, and `figures.json`, their index.

    Args:
        tables: folder that aggregation wrote.
        plan: `plan.json` of the study.
        output: folder for `NAME.svg`, `NAME.pdf`, `NAME.png`, `NAME.txt` (its caption) and
            `figures.json`, which lists for each figure its name, title, caption (the finding in
            words) and files.

    Returns:
        The names of the figures.

    Raises:
        PasskError: matplotlib is not installed, a table is missing or the folder is read-only.
    """
    try:
        from passk.report.figures import gallery, style
    except ModuleNotFoundError as error:
        fix = install_extra("figures")
        raise PasskError(f"figures need '{error.name}', which is not installed", fix=fix) from error
    study = read_plan(plan)
    frames = {name: read_study_table(tables, name) for name in TABLES}
    index: list[dict[str, Any]] = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        with style.styled():
            for drawing in gallery.drawings(study, frames):
                files = style.save(drawing.figure, output / drawing.name)
                words = fill(f"{drawing.title}. {drawing.caption}", 90) + "\n"
                (output / f"{drawing.name}.txt").write_text(words, encoding="utf-8")
                index.append({**drawing.words(), "files": [path.name for path in files]})
    except OSError as error:
        raise output_error(error, output) from error
    write_json(output / "figures.json", {"figures": index})
    return [str(entry["name"]) for entry in index]
