"""Figures of training curves: reward over steps, or loss if there is no reward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from passk.analysis.palette import MUTED
from passk.analysis.study import Study
from passk.report.figures.base import CaptionedFigure, Frames
from passk.report.figures.style import COLUMN, panels, set_percent_axis
from passk.report.findings import percent

WINDOW = 5
"""Steps at each end that a caption averages, and width of the smoothing window."""


def draw_training(
    study: Study, frames: Frames, colors: Mapping[str, str]
) -> Iterator[CaptionedFigure]:
    """Yield the reward over steps of RL trainings, and the loss of SFT and distillation."""
    table = frames["training"]
    if table.empty:
        return
    table = table.assign(name=_names(table))
    tints = {cell.series: colors[cell.label or cell.id] for cell in study.cells if cell.series}
    rewarded = table["reward"].notna().groupby(table["series"]).transform("any")
    for column, part in (("reward", table[rewarded]), ("loss", table[~rewarded])):
        if not part.empty:
            yield _drawing(column, part, tints)


def _names(table: pd.DataFrame) -> pd.Series[str]:
    """Return a training's panel title: its method, and its series if methods repeat."""
    several = table.groupby("method")["series"].transform("nunique") > 1
    return table["method"].where(~several, table["method"] + ", " + table["series"])


def _drawing(column: str, table: pd.DataFrame, tints: Mapping[str, str]) -> CaptionedFigure:
    """Return the figure of one column with its caption."""
    changes = "; ".join(_change(column, part) for _, part in table.groupby("series", sort=False))
    what = ("Loss", "loss in nats per token", "")
    if column == "reward":
        what = ("Reward", "share of correct responses", f", smoothed over {WINDOW} steps")
    return CaptionedFigure(
        f"00-training-{column}",
        f"{what[0]} during training",
        f"{what[0]} over the first and the last {WINDOW} steps: {changes}. "
        f"Thin: the {what[1]} at each step of one seed; thick: mean over seeds{what[2]}.",
        training_figure(column, table, tints),
    )


def _change(column: str, table: pd.DataFrame) -> str:
    """Return the start and end of one series in words."""
    mean = table.groupby("step")[column].mean()
    ends = mean.head(WINDOW).mean(), mean.tail(WINDOW).mean()
    first, last = (percent(end) if column == "reward" else f"{end:.2f}" for end in ends)
    return f"{table['name'].iloc[0]} from {first} to {last}"


def training_figure(column: str, table: pd.DataFrame, tints: Mapping[str, str]) -> Figure:
    """Draw a column over the steps, a panel per series; the panels share their axes."""
    series = list(table.groupby("series", sort=False))
    columns = min(3, len(series))
    width = COLUMN * (1 if columns == 1 else 2)
    figure, grid = panels(len(series), columns, width, (0.35, 1.75), sharex=True, sharey=True)
    for place, (axes, (name, part)) in enumerate(zip(grid, series, strict=True)):
        _panel(axes, column, part, tints.get(str(name), MUTED))
        if place % columns == 0:
            _label(axes, column)
        axes.xaxis.set_tick_params(labelbottom=True)
    return figure


def _panel(axes: Axes, column: str, table: pd.DataFrame, color: str) -> None:
    """Draw each seed thin and their mean, smoothed over a few steps, thick."""
    for _, seed in table.groupby("training", sort=False):
        axes.plot(seed["step"], seed[column], color=color, lw=0.6, alpha=0.55)
    mean = table.groupby("step")[column].mean()
    if column == "reward":
        mean = mean.rolling(WINDOW, min_periods=1, center=True).mean()
    axes.plot(mean.index, mean, color=color, lw=2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.set_title(fill(str(table["name"].iloc[0]), 24))
    axes.set_xlabel("training step")


def _label(axes: Axes, column: str) -> None:
    """Label the y axis."""
    if column == "reward":
        set_percent_axis(axes, "mean reward (%)")
    else:
        axes.set_ylabel("loss (nats per token)")
