"""Merge a checkpoint in shards, or a LoRA adapter, into a folder that engines load.

The merging itself is that of the trainer's own tool (`passk.engines.model_location.SHARDS`), and
peft's for adapters.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from passk.core.artifacts import atomic_folder
from passk.core.errors import EngineError
from passk.core.install import install_module
from passk.engines.base import ModelSource
from passk.engines.load_errors import explained
from passk.engines.model_location import CONFIG, ShardFormat, find_shards, is_adapter, location
from passk.engines.transformers.loading import quiet, with_adapters

log = logging.getLogger(__name__)


def merge_checkpoint(folder: Path, base: str | None, output: Path) -> None:
    """Write the whole model that a folder holds in parts.

    Args:
        folder: shards of verl, FSDP or DeepSpeed, or a LoRA adapter.
        base: hub id or folder of the model that it was trained from. Adapters need it if they do
            not name one that exists, shards if configuration and tokenizer are not beside them.
        output: the new folder; it appears whole or not at all.

    Raises:
        EngineError: there is nothing to merge, a tool or file is missing, or the tool fails.
        OutputError: the folder is there already, or cannot be written.
    """
    if output.exists():
        raise EngineError("is there already", where=str(output), fix="name a new folder with -o")
    if not folder.is_dir():
        raise EngineError("no such folder", where=str(folder), fix="check the path")
    found = find_shards(folder)
    with atomic_folder(output) as temporary:
        if is_adapter(folder):
            _merge_adapter(folder, base, temporary)
        elif found is not None:
            form, shards = found
            _run(form, form.merge_command(shards, temporary), shards)
            beside = [shards / "huggingface", shards, shards.parent]
            own = next((str(path) for path in beside if (path / CONFIG).is_file()), None)
            if not (temporary / CONFIG).is_file():
                _copy_config(base or own, folder, temporary)
        else:
            raise EngineError(
                "nothing to merge: neither shards of verl, FSDP or DeepSpeed, nor an adapter",
                where=str(folder),
                fix="give the folder as `weights` if it holds a whole model",
            )
        location(ModelSource(str(temporary)))
    log.info("merged %s into %s", folder, output)


def _run(form: ShardFormat, command: list[str], folder: Path) -> None:
    """Run the trainer's own tool."""
    if find_spec(form.module) is None:
        raise EngineError(
            f"merging shards of {form.trainer} needs the package '{form.module}'",
            where=str(folder),
            fix=install_module(form.module),
        )
    scripts = sysconfig.get_path("scripts")
    program = sys.executable if command[0] == "python" else shutil.which(command[0], path=scripts)
    done = subprocess.run(
        [program or command[0], *command[1:]], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise EngineError(
            f"{form.module} could not merge the shards: {lines[-1]}",
            where=str(folder),
            fix=f"run it by hand to see all it writes: {' '.join(command)}",
        )


def _merge_adapter(folder: Path, base: str | None, output: Path) -> None:
    """Add a LoRA adapter to the weights of its base."""
    named = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    source = ModelSource(base or str(named.get("base_model_name_or_path") or ""))
    if not source.weights:
        fix = "name it with --base"
        raise EngineError("the adapter does not name its base model", where=str(folder), fix=fix)
    with explained(source), quiet():
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(**location(source), dtype="auto")
        with_adapters(model, (str(folder),)).save_pretrained(output)
    has_tokenizer = any(folder.glob("tokenizer*"))
    _copy_tokenizer(str(folder) if has_tokenizer else source.weights, output)


def _copy_config(base: str | None, folder: Path, output: Path) -> None:
    """Save the configuration and tokenizer of the base beside merged weights."""
    if base is None:
        raise EngineError(
            f"there is no {CONFIG} beside the shards",
            where=str(folder),
            fix="name the model that was trained with --base: its configuration and tokenizer "
            "are copied, never its weights",
        )
    with explained(ModelSource(base)), quiet():
        from transformers import AutoConfig

        AutoConfig.from_pretrained(base).save_pretrained(output)
    _copy_tokenizer(base, output)


def _copy_tokenizer(base: str, output: Path) -> None:
    """Save the tokenizer of a model in a folder."""
    with explained(ModelSource(base)), quiet():
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(base).save_pretrained(output)
