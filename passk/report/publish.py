"""A finished study as a static folder: for any web host, GitHub Pages or a Hugging Face space."""

from __future__ import annotations

import base64
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import yaml

from passk.analysis.study import REVIEWED, TABLES, Study, read_plan, read_study_table
from passk.analysis.table_files import write_tables
from passk.analysis.table_schemas import table_schemas
from passk.core.artifacts import file_digest, output_error, read_json, write_json
from passk.core.errors import DataError, OutputError, PasskError
from passk.core.versions import __version__
from passk.report.build import redact_study, report
from passk.report.redaction import Redactor, private_texts

MANIFEST = "manifest.json"
PAGE = "index.html"

TEXTS = {".csv", ".html", ".json", ".md", ".svg", ".txt", ".yaml"}
"""Endings of files that are searched for private texts, beside the blocks of the page."""

README = """---
title: {title}
sdk: static
app_file: index.html
pinned: false
---

{text}
"""
"""The front matter is what a static space of Hugging Face reads."""

ABOUT = """`index.html` is the report of a pass@k study: open it, or serve this folder by any web
host. `index-responses/`, if it is there, holds its responses. `tables/` has every table as CSV and
Parquet, `figures/` every figure, `spec.yaml` the study's settings, `manifest.json` the checksum of
each file. Made by passk {version}."""

BLOCK = re.compile(r'<script type="text/plain" id="block-([\w-]+)">(.*?)</script>', re.DOTALL)
SCRIPT = re.compile(r"<script>.*?</script>|<style>.*?</style>", re.DOTALL)


def publish(study_folder: Path, output: Path) -> list[Path]:
    """Write the page, its blocks, tables, figures, spec and manifest of a finished study.

    Private paths and host names are left out; reviewers are numbered. Other files in the folder,
    such as a `.git`, are left alone.

    Args:
        study_folder: the folder of the study in the outputs, with its report.
        output: the folder to write; may hold an earlier publication, which is replaced.

    Returns:
        The files, relative to the folder.

    Raises:
        DataError: a file of the study is missing or damaged.
        OutputError: the folder has another file of a name that is needed, or cannot be written.
        PasskError: something private is left in what would be published.
    """
    study = read_plan(study_folder / "plan.json")
    redactor = Redactor(_private_texts(study))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as name:
            new = Path(name)
            _write(study_folder, redact_study(study, redactor), new, redactor)
            _refuse_leaks(new, redactor)
            written = sorted(path.relative_to(new) for path in new.rglob("*") if path.is_file())
            _write_manifest(new, study, written)
            _replace(new, output, [*written, Path(MANIFEST)])
    except OSError as error:
        raise output_error(error, output) from error
    return [*written, Path(MANIFEST)]


def _private_texts(study: Study) -> tuple[str, ...]:
    """Return what is private here, without what the study calls a model, benchmark or sampler."""
    names = {name for cell in study.cells for name in (cell.model, cell.benchmark, cell.sampler)}
    return tuple(text for text in private_texts() if text not in names)


def _write(study_folder: Path, study: Study, new: Path, redactor: Redactor) -> None:
    """Write everything but the manifest into a new folder."""
    tables, figures = study_folder / "tables", study_folder / "figures"
    reviewed = [study_folder / "reviewed" / f"{name}.csv" for name in REVIEWED]
    present = [path for path in reviewed if path.is_file()]
    report(study_folder / "plan.json", tables, figures, new / PAGE, present, redactor)
    frames = {name: redactor.table(read_study_table(tables, name)) for name in TABLES}
    write_tables(frames, new / "tables", table_schemas())
    shutil.copytree(
        figures, new / "figures", ignore=shutil.ignore_patterns(".*", "*.manifest.json")
    )
    spec = yaml.safe_dump(dict(study.spec), sort_keys=False, allow_unicode=True, width=100)
    (new / "spec.yaml").write_text(spec, encoding="utf-8")
    text = f"# {study.title or study.name}\n\n{ABOUT.format(version=__version__)}"
    title = json.dumps(study.title or study.name, ensure_ascii=False)
    (new / "README.md").write_text(README.format(title=title, text=text), encoding="utf-8")
    (new / ".nojekyll").touch()  # GitHub Pages serves the files as they are


def _refuse_leaks(folder: Path, redactor: Redactor) -> None:
    """Raise where a private text is left; texts of models and of problems are not searched."""
    for path, text in _searched(folder):
        if leaks := redactor.leaks(text):
            raise PasskError(
                f"not published: '{leaks[0]}' would be in {path}",
                where=str(folder.parent),
                fix="rename what holds it in the spec, such as a label or a title",
            )


def _searched(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of everything in which a private text may be."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".js":
            packed = path.read_text(encoding="ascii").split('"')
            yield from _unpack(packed[1], packed[3])
        elif path.suffix in TEXTS and path.is_file():
            text = path.read_text(encoding="utf-8")
            for block, packed_text in BLOCK.findall(text):
                yield from _unpack(block, packed_text)
            yield name, SCRIPT.sub("", BLOCK.sub("", text))


def _unpack(name: str, packed: str) -> Iterator[tuple[str, str]]:
    """Yield a block of the page, if it is a table."""
    if name.startswith("table-"):
        yield name, zlib.decompress(base64.b64decode(packed), 31).decode()


def _write_manifest(folder: Path, study: Study, files: list[Path]) -> None:
    """Write which files are published, with their checksums."""
    entries = [
        {
            "path": str(path),
            "bytes": (folder / path).stat().st_size,
            "sha256": file_digest(folder / path),
        }
        for path in files
    ]
    about = {"study": study.name, "title": study.title, "passk": __version__}
    write_json(folder / MANIFEST, {**about, "files": entries})


def _replace(new: Path, output: Path, files: list[Path]) -> None:
    """Move the new files to their place, and remove what an earlier publication alone has."""
    earlier = _earlier(output)
    foreign = [path for path in files if (output / path).exists() and path not in earlier]
    if foreign:
        raise OutputError(
            f"has a {foreign[0]} that is not of an earlier publication",
            where=str(output),
            fix="name another folder, or move that file away",
        )
    for path in earlier - set(files):
        (output / path).unlink(missing_ok=True)
    for path in files:
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        (new / path).replace(output / path)


def _earlier(output: Path) -> set[Path]:
    """Return the files of an earlier publication in a folder; only paths inside it count."""
    try:
        found = read_json(output / MANIFEST)
        named = {Path(entry["path"]) for entry in found["files"]}
        known = {path for path in named if not path.is_absolute() and ".." not in path.parts}
    except (DataError, KeyError, TypeError):
        return set()
    return known | {Path(MANIFEST)} if "passk" in found else set()
