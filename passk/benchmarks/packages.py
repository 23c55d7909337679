"""Benchmarks inside an installed Python package."""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from passk.benchmarks.base import MissingSourceError, Source
from passk.spec.models import Benchmark


def locate(benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:  # noqa: ARG001
    """Return a data file of an installed package.

    Raises:
        MissingSourceError: the package is not installed, or has no such file.
    """
    package, where = str(source["package"]), f"{benchmark.file}: source"
    try:
        installed = find_spec(package) is not None
    except (ModuleNotFoundError, ValueError):
        installed = False
    if not installed:
        raise MissingSourceError(
            f"the package '{package}' is not installed",
            where=f"{where}.package",
            fix=f"pip install {source.get('install', package)}",
        )
    path = Path(str(resources.files(package).joinpath(str(source["path"]))))
    if not path.is_file():
        raise MissingSourceError(
            f"the package '{package}' has no file '{source['path']}'",
            where=f"{where}.path",
            fix="name a file of the package, with / between folders; a zipped package must be "
            "installed unpacked",
        )
    return [path]
