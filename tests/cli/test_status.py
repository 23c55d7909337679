"""`passk status` on a screen: it fits, and what runs now comes first."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from run_status import large_status

from passk.cli.status_display import picture, show_status
from passk.workflow.status.progress import sorted_parts, state_of


def shown(width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(picture(large_status(), width, height))
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_study_of_two_hundred_cells_fits_its_screen(width: int, height: int) -> None:
    lines = shown(width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert any("5/12 0.1/s 1 min" in " ".join(line.split()) for line in lines)
    assert any("reward 0.25" in line for line in lines)
    assert any("41.2 [38.0, 44.3]" in line and "math500" in line for line in lines)
    assert any(line.startswith("and ") and line.rstrip().endswith("60 done") for line in lines)
    assert any(line.startswith("last failure: ") for line in lines)


def test_what_runs_now_is_first_and_what_is_done_last() -> None:
    states = [state_of(part) for part in sorted_parts(large_status())]
    assert states[:5] == ["running"] * 4 + ["failed"]
    assert states[-60:] == ["done"] * 60


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_is_for_screens_that_want_it(no_color: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    file = io.StringIO()
    show_status(Console(file=file, width=80, force_terminal=True), large_status())
    assert ("\x1b[36m" in file.getvalue()) is not bool(no_color)


def test_piped_output_has_whole_names_and_no_escape_codes() -> None:
    file = io.StringIO()
    show_status(Console(file=file), large_status())
    assert "qwen2.5-7b-simplerl-199.math500.hot" in file.getvalue()
    assert "\x1b" not in file.getvalue()
