"""Benchmarks behind a URL, pinned by their sha256: a file of a repository at a commit, say."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from urllib.parse import urlparse

from passk.benchmarks.base import MissingSourceError, Source, cache_folder
from passk.benchmarks.hub import offline
from passk.core.artifacts import atomic
from passk.spec.models import Benchmark

TIMEOUT_SECONDS = 60
"""Timeout of a request in seconds."""


def locate(benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:
    """Return the file behind a URL, from passk's cache or, with `fetch`, the network.

    Raises:
        MissingSourceError: it is neither cached nor reachable.
    """
    return [cached(str(source["url"]), fetch=fetch, where=f"{benchmark.file}: source.url")]


def cached(url: str, *, fetch: bool, where: str) -> Path:
    """Return the local copy of a URL's file; its name ends as the URL does.

    Raises:
        MissingSourceError: it is neither cached nor reachable.
    """
    name = PurePosixPath(urlparse(url).path).name
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    path = cache_folder() / "files" / key / name
    if path.is_file():
        return path
    if not fetch or offline():
        raise MissingSourceError(
            f"{url} is not downloaded",
            where=where,
            fix="where there is a network, once: passk benchmarks --fetch NAME",
        )
    try:
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer,  # noqa: S310 - http(s) by schema
            atomic(path) as temporary,
            temporary.open("wb") as stream,
        ):
            shutil.copyfileobj(answer, stream)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = getattr(error, "reason", error)
        raise MissingSourceError(
            f"{url} cannot be downloaded: {reason}",
            where=where,
            fix="download it on a machine with a network, and set source.file to the copy",
        ) from error
    return path
