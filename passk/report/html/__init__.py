"""The report page: one file that opens offline, with its data, its script and its libraries.

Everything from specs and models is text: the template escapes it, scripts insert it as text nodes,
and a content security policy allows only the scripts whose digests the page lists.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from passk.analysis import palette
from passk.analysis.study import Study
from passk.core.artifacts import output_error, write_text
from passk.report import web
from passk.report.html.blocks import distribute_blocks, make_block
from passk.report.html.data import page_data
from passk.report.html.links import effect_link, finding_links, rows, warning_link
from passk.report.html.responses import questions, response_blocks, select_responses
from passk.report.html.table_titles import columns_of
from passk.report.redaction import Redactor

SCRIPTS = ("blocks.js", "address.js", "tables.js", "chart.js", "browser.js", "page.js")

DARK = {
    "#0072b2": "#5cb3ec",
    "#d55e00": "#ff8a4c",
    "#009e73": "#3fc9a0",
    "#b1579a": "#e39bcf",
    "#56a0d3": "#9bd0f5",
    "#c68a00": "#f0bf4d",
    "#7a5c3e": "#c8a480",
    "#4d5566": "#aab4c8",
    "#6a48c9": "#b39dff",
    "#748c00": "#c3d94e",
    "#b0123c": "#ff7f9d",
    "#00818f": "#4fd5e0",
}
"""Colour of a series -> its variant in dark mode."""


def write_page(
    output: Path,
    study: Study,
    frames: Mapping[str, pd.DataFrame],
    redactor: Redactor | None = None,
    **context: Any,
) -> None:
    """Write the page, and a folder of responses beside it if they do not fit one file.

    Args:
        output: the HTML file; the folder is `STEM-responses`.
        study: the study.
        frames: its tables by name, with those from `passk review` if any.
        redactor: removes what is private from the details of verdicts, if given.
        context: further template variables: findings, figures, warnings, ...

    Raises:
        DataError: a file of the study cannot be read.
        OutputError: the page could not be written.
    """
    selected = select_responses(study, frames["problems"])
    problem_lists = list(questions(study))
    tables = [make_block(f"table-{name}", columns_of(table)) for name, table in frames.items()]
    tables += [
        make_block(f"questions-{place}", rows) for place, (_, rows) in enumerate(problem_lists)
    ]
    folder = responses_folder(output)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        inside = distribute_blocks(
            tables, response_blocks(study, frames["problems"], selected, redactor), folder
        )
    except OSError as error:
        raise output_error(error, folder) from error
    data = page_data(study, frames, partial=selected is not None)
    data |= {"folder": folder.name, "questions": [benchmark for benchmark, _ in problem_lists]}
    write_text(output, render(study, data=data, blocks=inside, **context))


def responses_folder(output: Path) -> Path:
    """Return the folder of responses that belongs to a page."""
    return output.with_name(f"{output.stem}-responses")


def render(study: Study, *, data: dict[str, Any], blocks: dict[str, str], **context: Any) -> str:
    """Return the page's text."""
    own = (files("passk.report.html") / "assets").joinpath
    scripts = [web.vendor(name) for name in web.LIBRARIES] + [web.asset("text.js")]
    scripts += [own(name).read_text(encoding="utf-8") for name in SCRIPTS]
    scripts = [escape_script(script) for script in scripts]
    sheets = [web.vendor("uplot.css"), web.asset("base.css"), series_css()]
    sheets.append(own("page.css").read_text(encoding="utf-8"))
    environment = web.templates("passk.report.html", "assets")
    environment.filters.update(context.pop("filters", {}))
    environment.globals.update(
        finding_links=finding_links,
        effect_link=effect_link,
        warning_link=warning_link,
        rows_link=rows,
    )
    style = "\n".join(sheets)
    return environment.get_template("page.html.j2").render(
        study=study,
        policy=policy(scripts, style),
        style=Markup(style),  # noqa: S704 - our own files
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
        data=Markup(to_embedded_json(data)),  # noqa: S704 - no "<" is left in it
        blocks=blocks,
        **context,
    )


def policy(scripts: list[str], style: str) -> str:
    """Return the page's content security policy: its own scripts, and its folder of responses.

    `file:` is the folder's scheme if the page is opened from disk, 'self' if it is served.
    """
    allowed = " ".join(_digest(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed} 'self' file:; style-src {_digest(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types passk-blocks"
    )


def escape_script(script: str) -> str:
    """Return an equivalent script that is safe inside a script element."""
    return script.replace("<!--", "\\x3c!--").replace("<script", "\\x3cscript")


def _digest(text: str) -> str:
    """Return a source expression that allows one inline script or style."""
    found = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{found}'"


def to_embedded_json(value: Any) -> str:
    """Return JSON that is safe inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def series_css() -> str:
    """Return the CSS variables of the series' colours, for light and dark mode."""
    light = "".join(f"--series-{i}:{color};" for i, color in enumerate(palette.SERIES))
    dark = "".join(f"--series-{i}:{DARK[color]};" for i, color in enumerate(palette.SERIES))
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
