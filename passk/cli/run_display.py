"""What `passk run` shows: a bar for the study, a line per job, and how it ended."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from passk.core.errors import PasskError
from passk.core.progress import duration
from passk.workflow.run import Failure, Job, Run
from passk.workflow.status.logs import progress_of
from passk.workflow.status.run_progress import RunProgress

if TYPE_CHECKING:
    import pandas as pd

MAX_JOBS = 12
"""Running jobs that are shown."""

BAR_WIDTH = 30
"""Characters of a bar."""


class RunDisplay:
    """Shows the progress of a run: redrawn in a terminal, one line per job elsewhere."""

    def __init__(self, console: Console, progress: RunProgress) -> None:
        """Start the clock."""
        self._console, self._progress = console, progress
        self._began = time.monotonic()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._finished = self._failed = 0
        self._warned: set[str] = set()

    def __enter__(self) -> Self:
        """Take the terminal, if it is one."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        self._live.stop()

    def __call__(self, run: Run) -> None:
        """Show how far a run is."""
        finished, failed = run.finished[self._finished :], run.failed[self._failed :]
        self._finished, self._failed = len(run.finished), len(run.failed)
        for warning in run.warnings() if finished else ():
            if warning not in self._warned:
                self._warned.add(warning)
                self._print(Text(f"warning: {warning}", style="yellow"))
        for job in failed if not run.interrupted else ():
            self._print(Text(f"failed: {job.name}", style="red"))
        if self._console.is_terminal:
            self._live.update(self._picture(run), refresh=True)
        else:
            for job in finished:
                if job.rule == "all":
                    continue
                self._print(Text(f"[{run.done}/{run.total}] {job.name}"))

    def _print(self, text: Text) -> None:
        """Print a line that stays."""
        self._console.print(text, soft_wrap=True)

    def _picture(self, run: Run) -> Group:
        """Return the bar and the running jobs."""
        found = self._progress(run.running.values())
        share = found.share if found.counts else run.done / max(run.total, 1)
        counts = [
            f"{made:,}/{total:,} {unit}, {rate:.3g}/s"
            for unit, (made, total, rate) in found.counts.items()
        ]
        counts.append(f"{run.done}/{run.total} jobs" if run.total else "looking at what there is")
        counts.append(duration(time.monotonic() - self._began))
        if run.interrupted:
            counts.append("stopping")
        elif found.seconds_left is not None:
            counts.append(f"about {duration(found.seconds_left)} left")
        table = Table.grid(padding=(0, 2))
        bar = _bar(share if run.total else 0, 1 if run.total else 0)
        table.add_row("study", bar, "; ".join(counts))
        for job in list(run.running.values())[:MAX_JOBS]:
            table.add_row(*self._row(job))
        hidden = len(run.running) - MAX_JOBS
        return Group(table, *([Text(f"and {hidden} more jobs", style="dim")] if hidden > 0 else []))

    @staticmethod
    def _row(job: Job) -> tuple[str, str | ProgressBar, str]:
        """Return a running job's line."""
        found = progress_of(job.log)
        if found is None or not found.total:
            return escape(job.name), "", ""
        text = f"{found.done}/{found.total} {found.unit}, {found.rate}/s, {found.rest}"
        return escape(job.name), _bar(found.done, found.total), text


def _bar(done: float, total: int) -> ProgressBar:
    """Return a bar; one that only moves where the total is not known yet."""
    return ProgressBar(total=total or None, completed=done, width=BAR_WIDTH, pulse=not total)


def show_end(console: Console, run: Run, report: Path) -> None:
    """Print the results of a study, or what failed, and where the report is.

    Raises:
        KeyboardInterrupt: the run was interrupted.
        PasskError: jobs failed.
    """
    failures = run.failures()
    if failures and run.status:
        _show_failures(console, failures)
    if report.is_file():
        from passk.analysis.study import load

        if run.status:
            console.print("results of an earlier run:")
        elif not run.total:
            console.print("nothing to do: everything is up to date")
        show_results(console, load(report.parent))
        console.print(Text(f"report: {report.resolve()}"), soft_wrap=True)
    if run.interrupted:
        console.print(f"{run.done} of {run.total} jobs done; the same command continues the run")
        raise KeyboardInterrupt
    if run.status:
        count = sum(len(failure.jobs) for failure in failures)
        raise PasskError(
            f"{count} jobs failed" + (", all for one cause: gave up" * run.gave_up)
            if count
            else "the run did not start",
            where=str(run.log),
            fix="mend the cause, then rerun the same command: finished work is kept",
        )


def _show_failures(console: Console, failures: list[Failure]) -> None:
    """Print why jobs failed, once per cause."""
    console.print(Text("What failed:", style="bold"))
    for failure in failures:
        several = f"{len(failure.jobs)} jobs, such as {failure.jobs[0]}" if failure.jobs else ""
        named = failure.jobs[0] if len(failure.jobs) == 1 else several
        for line in filter(None, (named, f"  {failure.message}")):
            console.print(Text(line), soft_wrap=True)
        if failure.log:
            console.print(Text(f"  log: {failure.log}", style="dim"), soft_wrap=True)


def show_results(console: Console, tables: dict[str, pd.DataFrame]) -> None:
    """Print a line per model and benchmark: pass@1, pass@k_max, and the difference to its base."""
    summary, deltas = tables["summary"], tables["deltas"]
    sampled = len(set(summary["sampler"])) > 1
    heads = ["benchmark", "model", *(["sampler"] if sampled else []), "n", "pass@1", "pass@k_max"]
    table = Table(*heads, "difference to base at k_max (95 % interval)")
    for row in summary.sort_values("benchmark", kind="stable").to_dict("records"):
        largest = int(row["k_max"])
        cells = [row["benchmark"], row["label"] or row["model"]]
        cells += [row["sampler"]] if sampled else []
        cells += [str(int(row["n"])), f"{row['pass_at_1']:.3f}"]
        cells += [f"{row['pass_at_k_max']:.3f} (k = {largest})"]
        found = deltas[(deltas["cell"] == row["cell"]) & (deltas["k"] == largest)]
        delta = found.to_dict("records")[0] if len(found) else None
        cells += [_difference(delta["delta"], delta["ci_low"], delta["ci_high"]) if delta else ""]
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def _difference(value: float, low: float, high: float) -> str:
    """Return a difference with its interval, signed."""
    if math.isnan(value):
        return ""
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
