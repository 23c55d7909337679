"""Loading a model and its tokenizer, and saying in one message why that cannot be done."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
import transformers

from passk.engines.base import ModelSource
from passk.engines.transformers.attention import NAME, Chunk, forward
from passk.errors import EngineError

_log = logging.getLogger(__name__)

PROBE = ("The capital of France is", "One, two, three, four, five,")
PROBE_TOLERANCE = 0.1
"""Relative difference of the logits that is allowed: bfloat16 makes 0.02, a wrong context 0.4."""

HELP = {
    "GatedRepoError": "accept the model's terms on its page, then `hf auth login` or set HF_TOKEN",
    "RevisionNotFoundError": "give a revision (branch, tag or commit) that the repository has",
    "RepositoryNotFoundError": "check the spelling; a private model needs `hf auth login`",
    "LocalEntryNotFoundError": "download it where there is a network, or give a local folder",
    "OfflineModeIsEnabled": "download it where there is a network, or unset HF_HUB_OFFLINE",
    "ConnectionError": "check the network, or download the model and give its folder",
}
"""An exception of the hub client, anywhere in the chain of causes -> the way out."""


def load(source: ModelSource) -> tuple[Any, Any]:
    """Return the model (in evaluation mode, on its device) and the tokenizer.

    Raises:
        EngineError: something is missing, unreadable or too large; the message says what.
    """
    torch.set_num_threads(int(source.execution.get("threads") or len(os.sched_getaffinity(0))))
    where = _location(source)
    with quiet(), _explained(source):
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            **where, dtype=_dtype(source.dtype), attn_implementation=NAME
        )
    model = _with_adapters(model, source.adapters).eval().requires_grad_(requires_grad=False)
    model = _placed(model, source)
    check_packing(model, tokenizer, source.weights)
    return model, tokenizer


def check_packing(model: Any, tokenizer: Any, weights: str) -> None:
    """Raise where a sequence's logits differ when another sequence is packed before it.

    The logits are compared with those of transformers' own attention. A model with states that
    run over the whole row (Mamba, linear attention), or with another kind of attention than the
    plain one, fails here and not silently later.
    """
    before, text = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROBE)
    chunks = [Chunk(before, keep=[0]), Chunk(text, keep=[len(text) - 1])]
    packed = _centred(forward(model, chunks)[1])
    model.set_attn_implementation("eager")
    alone = _centred(model(input_ids=torch.tensor([text], device=model.device)).logits[0, -1])
    model.set_attn_implementation(NAME)
    if not (packed - alone).norm() < PROBE_TOLERANCE * alone.norm():
        raise EngineError(
            f"this engine cannot compute the attention of {type(model).__name__}",
            where=weights,
            fix="use `engine: vllm` for it",
        )


def _centred(logits: Any) -> Any:
    """Return logits with the constant taken out that no probability depends on."""
    return logits.float() - logits.float().mean()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and warnings from the user's screen."""
    log = transformers.utils.logging
    level = log.get_verbosity()
    log.set_verbosity(log.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)


def device() -> str:
    """Return the device that models run on."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def context_length(model: Any) -> int:
    """Return the tokens that prompt and response may have together.

    Where layers look back over a sliding window, it is the window: the engine computes full
    attention only, which is the same up to that length.
    """
    config = model.config.get_text_config()
    limits = [getattr(config, "max_position_embeddings", None)]
    kinds = getattr(config, "layer_types", None) or ["unknown"]
    if any(kind != "full_attention" for kind in kinds):
        limits.append(getattr(config, "sliding_window", None))
    return min((limit for limit in limits if limit), default=1 << 30)


def _location(source: ModelSource) -> dict[str, Any]:
    """Return the arguments that tell transformers where the weights are."""
    path = Path(source.weights).expanduser()
    if path.is_file():
        return {
            "pretrained_model_name_or_path": str(path.parent),
            "gguf_file": path.name,
            "local_files_only": True,
        }
    if path.is_dir():
        _check_folder(path)
        return {"pretrained_model_name_or_path": str(path), "local_files_only": True}
    if path.is_absolute() or source.weights.startswith((".", "~")) or source.weights.count("/") > 1:
        raise EngineError(
            "no such file or folder of weights",
            where=source.weights,
            fix="check `weights` of the model in the spec",
        )
    return {"pretrained_model_name_or_path": source.weights, "revision": source.revision or "main"}


def _check_folder(path: Path) -> None:
    """Raise where a local folder lacks a part of a model."""
    parts = {
        "config.json": "the model's configuration",
        "*.safetensors": "weights",
        "tokenizer*": "a tokenizer",
    }
    for pattern, what in parts.items():
        if not any(path.glob(pattern)) and not (what == "weights" and any(path.glob("*.bin"))):
            raise EngineError(
                f"the folder has no {pattern}: {what} is missing",
                where=str(path),
                fix="copy the files of the model that it was made from into it",
            )


def _dtype(name: str) -> Any:
    """Return the torch dtype of this name, or `auto`."""
    dtype = "auto" if name == "auto" else getattr(torch, name, None)
    if dtype != "auto" and not getattr(dtype, "is_floating_point", False):
        raise EngineError(f"unknown dtype '{name}'", fix="use auto, bfloat16, float16 or float32")
    return dtype


def _with_adapters(model: Any, adapters: tuple[str, ...]) -> Any:
    """Return the model with LoRA adapters merged into its weights, in order."""
    if not adapters:
        return model
    try:
        import peft  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        raise EngineError("adapters need the package 'peft'", fix="pip install peft") from error
    for adapter in adapters:
        try:
            model = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
        except Exception as error:
            raise EngineError(
                f"cannot apply the adapter: {_first_line(error)}", where=adapter
            ) from error
    return model


def _placed(model: Any, source: ModelSource) -> Any:
    """Move the model to its device, in a dtype that the device can compute with."""
    if device() == "cpu" and source.dtype == "auto" and model.dtype != torch.float32:
        native = model.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
        if not native:
            _log.warning(
                "%s: this CPU has no %s: computing in float32", source.weights, model.dtype
            )
            model = model.float()
    with _explained(source):
        return model.to(device())


@contextmanager
def _explained(source: ModelSource) -> Iterator[None]:
    """Turn whatever loading raises into one EngineError with the way out."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:  # the libraries raise some thirty kinds here
        names = [type(cause).__name__ for cause in _causes(error)]
        fix = next((HELP[name] for name in names if name in HELP), "")
        if is_out_of_memory(error):
            fix = "use a smaller model or dtype, or a machine with more memory"
        at = f"{source.weights}@{source.revision}" if source.revision else source.weights
        raise EngineError(
            f"cannot load the model: {_first_line(error)}",
            where=at,
            fix=fix or "check `weights` and `revision` of the model in the spec",
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, on any device."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )


def _first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or its type."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
