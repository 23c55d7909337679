"""What `passk status` shows: the whole study, then a line per training, cell and scoring task."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from passk.core.progress import duration
from passk.workflow.run import DIGEST
from passk.workflow.snakemake.locks import describe
from passk.workflow.status.progress import ORDER, STATES, sorted_parts, state_of
from passk.workflow.status.report_types import Progress, Status

WIDE = 110
"""Columns from which a screen has room for long bars."""

PIPED_WIDTH = 160
"""Columns of a status that goes to a file or another program."""

MIN_ROWS = 3
"""Lines of work that are shown on the smallest screen."""

STYLES = {"running": "cyan", "failed": "bold red", "queued": "yellow", "grading": "cyan"}
STYLES |= {"waiting": "dim", "done": "green"}


def show_status(console: Console, found: Status) -> None:
    """Print a status in full; piped output has no cut names."""
    if not console.is_terminal:
        console = Console(file=console.file, width=PIPED_WIDTH, highlight=False)
    console.print(picture(found, console.width), soft_wrap=not console.is_terminal)


def watch(console: Console, looks: Iterable[Status]) -> None:
    """Show one status after the other on a screen that each fits, and print the last in full."""
    found = None
    with (
        Live(console=console, screen=True, auto_refresh=False) as live,
        suppress(KeyboardInterrupt),
    ):
        for found in looks:
            live.update(picture(found, *console.size), refresh=True)
    if found:
        show_status(console, found)


def picture(found: Status, width: int, height: int | None = None) -> Group:
    """Return a status as lines of at most `width` columns.

    Args:
        found: the status.
        width: columns of the screen.
        height: rows of the screen; None shows all work.
    """
    parts = sorted_parts(found)
    top, bottom = list(_top(found, width)), list(_bottom(found, short=height is not None))
    room = len(parts) if height is None else max(MIN_ROWS, height - len(top) - len(bottom) - 4)
    if room < len(parts):
        bottom.insert(0, _rest(parts[room:]))
    for line in [*top, *bottom] if height is not None else []:
        if isinstance(line, Text):
            line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*top, Text(), _table(parts[:room], width), *bottom)


def _top(found: Status, width: int) -> Iterator[Text | Table]:
    """Yield the lines on the whole study."""
    yield Text(f"{found['name']}  {time.strftime('%H:%M:%S')}", "bold")
    steps = sum(part["steps"] for part in found["trainings"])
    if steps:
        done = sum(part["steps_done"] for part in found["trainings"])
        yield _whole("steps", done, steps, "", width)
    total = found["total"]
    rate = f", {total['per_second']:.3g}/s" if total["per_second"] else ""
    left = f", {duration(total['seconds_left'])} left" if total["seconds_left"] else ""
    yield _whole("responses", total["responses_done"], total["responses"], rate + left, width)
    for run in found["runs"][:2]:
        yield Text(describe(run))
    if not found["runs"]:
        yield Text("no run is at work", "" if found["done"] else "yellow")
    if found["scheduler"] != "none":
        yield Text(f"Slurm: {found['scheduler']}")


def _whole(unit: str, done: int, total: int, pace: str, width: int) -> Table:
    """Return the line of all steps or all responses."""
    grid, bar = Table.grid(padding=(0, 1)), max(10, width // 5)
    for size in (9, bar, None):
        grid.add_column(width=size, no_wrap=True, overflow="ellipsis")
    grid.add_row(unit, _bar(done, total, bar), f"{done:,} of {total:,}{pace}")
    return grid


def _bottom(found: Status, *, short: bool) -> Iterator[Text]:
    """Yield the lines below the work: the last failure, and the report."""
    if found["failures"]:
        last = found["failures"][-1]
        yield Text(f"last failure: {last['message']}", "red")
        yield Text(f"log: {last['log']}", "dim")
        for line in [] if short else last["tail"]:
            yield Text(f"  | {line}", "dim")
    if found["report"]:
        yield Text(f"report: {found['report']}")
    else:
        yield Text("report: not written yet; numbers above are of what is graded so far", "dim")


def _rest(parts: Sequence[Progress]) -> Text:
    """Return how much work is not shown, by state."""
    states = Counter(map(state_of, parts))
    counts = ", ".join(f"{states[state]:,} {state}" for state in ORDER if states[state])
    return Text(f"and {len(parts):,} more: {counts}", "dim")


def _table(parts: Sequence[Progress], width: int) -> Table:
    """Return the table of work."""
    wide = width >= WIDE
    table = Table(
        box=None, padding=(0, 2 if wide else 1, 0, 0), expand=True, header_style="bold", width=width
    )
    bar = 20 if wide else 6
    table.add_column("", ratio=1)
    table.add_column("", width=bar)
    table.add_column("done", justify="right", no_wrap=True)
    table.add_column("now", width=16 if wide else 13, no_wrap=True)
    table.add_column("pass@1 so far,\nin %", justify="right", no_wrap=True)
    table.add_column("cut\noff", justify="right", no_wrap=True)
    table.add_column("no\nanswer", justify="right", no_wrap=True)
    for part in parts:
        table.add_row(*_row(part, bar))
    return table


def _row(part: Progress, bar: int) -> tuple[RenderableType, ...]:
    """Return one line of work."""
    state = state_of(part)
    done, total = _amount(part)
    share = f"{done}/{total}" if "steps" in part else f"{100 * done // max(total, 1)} %"
    results = _results(part)
    return (
        _Name(DIGEST.sub("", part["name"]), "bold" if state == "running" else ""),
        _bar(done, total, bar),
        Text(share),
        Text(_now(part, state), style=STYLES[state]),
        *(Text(text) for text in results),
    )


@dataclass(frozen=True, slots=True)
class _Name:
    """A name of which the middle is left out where there is no room for it."""

    text: str
    style: str

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the name in the width that there is."""
        text, room = self.text, options.max_width - 1
        if len(text) > options.max_width:
            text = f"{text[: room - room // 2]}…{text[len(text) - room // 2 :]}"
        yield Text(text, style=self.style, no_wrap=True)

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        """Return the least and the best width."""
        return Measurement(min(8, options.max_width), min(len(self.text), options.max_width))


def _amount(part: Progress) -> tuple[int, int]:
    """Return how much of a part's work is done, and how much there is."""
    if "steps" in part:
        return part["steps_done"], part["steps"]
    return part["responses_done"], part["responses"]


def _now(part: Progress, state: str) -> str:
    """Return what happens with a part now."""
    if state == "running" and part["per_second"] and part["seconds_left"] is not None:
        return f"{part['per_second']:.2g}/s {_brief(part['seconds_left'])}"
    count = part["shards"][state] if state in STATES else 0
    return f"{count} {state}" if state in {"failed", "queued"} else state


def _brief(seconds: float) -> str:
    """Return a length of time in one unit.

    >>> _brief(3725)
    '1 h'
    """
    return " ".join(duration(seconds).split()[:2])


def _results(part: Progress) -> tuple[str, str, str]:
    """Return pass@1 with its interval, and the shares that are truncated and without answer."""
    reward, interim = part.get("reward"), part.get("interim")
    if interim is None:
        return "" if reward is None else f"reward {reward:.2f}", "", ""
    value, low, high = interim["pass_at_1"], interim["ci_low"], interim["ci_high"]
    cut_off, no_answer = interim["truncated_share"], interim["no_answer_share"]
    shown = f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    return shown, f"{100 * cut_off:.0f} %", f"{100 * no_answer:.0f} %"


def _bar(done: float, total: int, width: int) -> ProgressBar:
    """Return a bar."""
    return ProgressBar(total=max(total, 1), completed=done, width=width)
