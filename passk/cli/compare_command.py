"""Commands on files of counts: `passk estimate` and `passk compare`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from passk.cli.command import Group, command, option
from passk.cli.options import output, whole_number


def _use_one_thread() -> None:
    """Keep numpy from starting threads, which cost more here than they save."""
    if "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


COUNTS = (
    "CSV, JSONL, JSON or Parquet with problem_id (or id), n, c, gzipped or not; also model, seed, "
    "benchmark, cluster; - for standard input; FILE:COLUMN names the column of correct responses"
)


@command(
    Group.DATA,
    "pass@k with intervals from counts per problem",
    "passk estimate counts.csv -o curves.csv --k 1 8 64",
    option("counts", help=COUNTS),
    option("--k", type=whole_number, nargs="+", help="values of k (default: 1 to n)"),
    output("CSV file of curves"),
)
def estimate(*, counts: str, k: list[int] | None, output: Path) -> None:
    """Estimate curves from a file of counts."""
    _use_one_thread()
    from passk.analysis.count_sets import estimate_counts
    from passk.core.artifacts import atomic
    from passk.interop.count_files import load_count_sets

    table = estimate_counts(load_count_sets(counts), k)
    with atomic(output) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


@command(
    Group.DATA,
    "compare models by their counts: where gains and losses are supported",
    "passk compare base.jsonl grpo.jsonl -o comparison",
    option("base", help=COUNTS),
    option("tuned", nargs="*", help="files of counts of the models that are compared with it"),
    option("--seeds", action="store_true", help="the tuned files are seeds of one method"),
    output("folder for tables, figure and page"),
)
def compare(*, base: str, tuned: list[str], seeds: bool, output: Path) -> None:
    """Compare files of counts."""
    _use_one_thread()
    from passk.analysis.count_comparison import compare_counts
    from passk.analysis.table_files import write_tables
    from passk.interop.count_files import load_comparison
    from passk.report.count_page import write_count_page

    result = compare_counts(load_comparison(base, tuned, seeds=seeds))
    write_tables(result.tables(), output)
    write_count_page(result, output)
    print("\n".join(result.findings))
    print(f"written: {output / 'comparison.html'}")
