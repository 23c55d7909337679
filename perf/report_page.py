"""How long a report over 100,000 responses takes to write and to open, and how large it is.

Two curves x 250 problems x 200 responses of about 2,000 characters. The page is opened in headless
Chromium from disk with the network off, each time in a browser of its own; the time runs from the
navigation until the readout under the chart has its rows, and from a click until a response is
shown. Medians of five.

    python perf/report_page.py [FOLDER]
"""

from __future__ import annotations

import dataclasses
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "tests"))

import synthetic_study  # noqa: E402

from passk.analysis.tables import aggregate  # noqa: E402
from passk.report.build import report  # noqa: E402
from passk.report.figures import draw  # noqa: E402

PROBLEMS, N, TIMES = 250, 200, 5
WORDS = ("we", "let x be", "the sum", "of all", "$n^2$", "terms", "so that", "it follows by")


def long_texts() -> None:
    """Make the synthetic study's responses as long as a short chain of thought."""
    plain = synthetic_study.sample_rows
    draw_from = random.Random(0)

    def longer(drawn: object, samples: range) -> list:
        rows = plain(drawn, samples)
        return [
            dataclasses.replace(row, text=" ".join(draw_from.choices(WORDS, k=400)) + row.text)
            for row in rows
        ]

    synthetic_study.sample_rows = longer


def write(folder: Path) -> Path:
    """Write the study and its report; say how long the report took."""
    plan = synthetic_study.make_study(folder, problems=PROBLEMS, n=N)
    aggregate(plan, folder / "tables")
    draw(folder / "tables", plan, folder / "figures")
    began = time.perf_counter()
    report(plan, folder / "tables", folder / "figures", folder / "report.html")
    print(f"written in {time.perf_counter() - began:.1f} s")
    return folder / "report.html"


def opened(page_file: Path) -> tuple[float, float]:
    """Return seconds until the page can be read, and until a response is shown."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_context(offline=True).new_page()
        began = time.perf_counter()
        page.goto(page_file.as_uri(), wait_until="commit")
        page.wait_for_selector("#readout tbody tr")
        ready = time.perf_counter() - began
        began = time.perf_counter()
        page.evaluate("location.hash = '#responses?cell=cold&problem=p177&sample=150'")
        page.wait_for_selector("#b-one[data-sample='150']")
        shown = time.perf_counter() - began
        browser.close()
    return ready, shown


def main() -> None:
    """Write once, open five times, print."""
    long_texts()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        page_file = write(folder)
        beside = list((folder / "report-responses").glob("*"))
        megabytes = sum(path.stat().st_size for path in beside) / 1e6
        print(f"page {page_file.stat().st_size / 1e6:.2f} MB")
        print(f"beside it {len(beside)} files, {megabytes:.1f} MB")
        times = [opened(page_file) for _ in range(TIMES)]
        ready, shown = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"opens in {ready:.2f} s; a response of another problem after {shown:.2f} s")


if __name__ == "__main__":
    main()
