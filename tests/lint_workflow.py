"""Snakemake's own linter, without the one advice that does not fit.

passk is one package in one environment: a conda environment per rule would say nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

UNFIT = "Specify a conda environment or container for each rule."


def main() -> int:
    """Print what the linter finds; return 1 if that is anything."""
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    text = done.stdout + done.stderr
    found = [line for line in re.findall(r"^    \* (.*)$", text, re.MULTILINE) if UNFIT not in line]
    if found or ("Lints for" not in text and done.returncode):
        print("\n".join(found) or text)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
