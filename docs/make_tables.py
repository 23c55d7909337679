"""Print docs/tables.md: `python docs/make_tables.py > docs/tables.md`."""

from __future__ import annotations

from passk.analysis.table_schemas import table_schemas

HEAD = """# Tables: what every column holds

Each table is `outputs/NAME/tables/TABLE.csv` and `.parquet`; `passk.load("outputs/NAME")` returns
all of them as data frames. Rates are in [0, 1]. Undefined values are empty. A table without rows
has the same columns and types. [docs/analysis.md](analysis.md) says how each estimate is made.
"""


def main() -> None:
    """Print the page."""
    print(HEAD)
    for name, table in table_schemas().items():
        print(f"## {name}\n\nA row per {table.row}.\n\n| column | type | meaning |\n|---|---|---|")
        for column in table.columns:
            print(f"| `{column.name}` | {column.kind} | {column.meaning} |")
        print()


if __name__ == "__main__":
    main()
