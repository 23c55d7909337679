"""The table with a row per problem that was drawn again, and what its fresh draws decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from passk.analysis.columns import names
from passk.analysis.study import Study
from passk.core.schemas import Decision, read_table


def confirmed_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield one row per comparison and problem that was drawn again."""
    for one in study.confirmations:
        about = {**names(study.cell(one.cell)), "base": one.base, "fresh_n_max": one.n}
        for row in read_table(one.decisions, Decision, empty=True).to_pylist():
            yield {**about, **row}
