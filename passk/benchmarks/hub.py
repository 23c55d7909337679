"""Benchmarks on the Hugging Face hub: files of a dataset repository at a pinned revision.

The files are read directly, so no dataset script ever runs. The local cache of `huggingface_hub`
(also filled by `hf download`) serves machines without a network.
"""

from __future__ import annotations

import fnmatch
import functools
import importlib
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from passk.benchmarks.base import MissingSourceError, Source
from passk.core.install import install_extra
from passk.spec.models import Benchmark

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables that forbid the network."""

GATED_STATUS = (401, 403)
"""HTTP status of the hub if a licence is not accepted or a token is missing."""

CONNECT_SECONDS = 2.0
"""Time for a connection to the hub, before it counts as out of reach."""


def locate(benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:
    """Return files of a dataset repository, from the local cache or, with `fetch`, the hub.

    Raises:
        MissingSourceError: it is missing, gated, or neither cached nor reachable.
    """
    name = f"dataset {source['hub']} at {source.get('revision', 'its newest revision')}"
    patterns = patterns_of(source)
    try:
        hub = importlib.import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        raise MissingSourceError(
            f"{name} needs the package 'huggingface_hub', which is not installed",
            where=f"{benchmark.file}: source.hub",
            fix=install_extra("hub"),
        ) from error
    try:
        folder = hub.snapshot_download(
            source["hub"],
            repo_type="dataset",
            revision=source.get("revision"),
            allow_patterns=patterns,
            local_files_only=not fetch or offline() or not reachable(),
        )
    except Exception as error:
        raise _missing(benchmark, source, name, error) from error
    found = _matches(Path(folder), patterns)
    unmatched = [pattern for pattern, files in found.items() if not files]
    if unmatched:
        raise MissingSourceError(
            f"{name} has no file '{unmatched[0]}'" + (", or not all of it is in the cache"),
            where=f"{benchmark.file}: source.path",
            fix=_fetch_once(source),
        )
    return list(dict.fromkeys(path for files in found.values() for path in files))


def patterns_of(source: Source) -> list[str]:
    """Return the files or patterns that a source names in its repository."""
    path = source["path"]
    return [path] if isinstance(path, str) else list(path)


def offline() -> bool:
    """Return whether the environment forbids the network."""
    return any(os.environ.get(name, "").upper() in {"1", "TRUE", "YES", "ON"} for name in OFFLINE)


@functools.cache
def reachable() -> bool:
    """Return quickly whether the hub can be reached: its client tries for half a minute.

    Behind a proxy nothing is known before it is tried.
    """
    if getproxies():
        return True
    hub = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    address = (hub.hostname or "", hub.port or (80 if hub.scheme == "http" else 443))
    found: list[bool] = []
    attempt = threading.Thread(target=lambda: found.append(_connects(address)), daemon=True)
    attempt.start()
    attempt.join(2 * CONNECT_SECONDS)  # name servers have time limits of their own
    return bool(found) and found[0]


def _connects(address: tuple[str, int]) -> bool:
    """Return whether a connection can be opened."""
    try:
        socket.create_connection(address, timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _matches(folder: Path, patterns: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of a snapshot that match each pattern."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        pattern: [
            file for file in files if fnmatch.fnmatch(file.relative_to(folder).as_posix(), pattern)
        ]
        for pattern in patterns
    }


def _missing(
    benchmark: Benchmark, source: Source, name: str, error: Exception
) -> MissingSourceError:
    """Return the error of an unavailable dataset, with its fix."""
    where = f"{benchmark.file}: source.hub"
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    kind = type(error).__name__
    if kind == "GatedRepoError" or status in GATED_STATUS:
        return MissingSourceError(
            f"{name} is gated, or does not exist for this account",
            where=where,
            fix=f"accept its licence at https://huggingface.co/datasets/{source['hub']}, "
            "then set HF_TOKEN",
        )
    if kind in {"RepositoryNotFoundError", "RevisionNotFoundError"}:
        return MissingSourceError(
            f"{name} does not exist", where=where, fix="check `hub` and `revision`"
        )
    if kind == "LocalEntryNotFoundError":
        reason = "is not in the local cache" + (", and HF_HUB_OFFLINE is set" if offline() else "")
        return MissingSourceError(f"{name} {reason}", where=where, fix=_fetch_once(source))
    gist = (str(error) or kind).strip().splitlines()[0]
    return MissingSourceError(f"{name}: {gist}", where=where, fix=_fetch_once(source))


def _fetch_once(source: Source) -> str:
    """Return the command that fills the cache where there is a network."""
    revision = f" --revision {source['revision']}" if "revision" in source else ""
    included = " ".join(f"--include '{pattern}'" for pattern in patterns_of(source))
    return (
        "where there is a network, once: "
        f"hf download {source['hub']} --repo-type dataset{revision} {included}"
    )
