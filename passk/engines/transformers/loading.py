"""Loading a model and its tokenizer, and saying in one message why that cannot be done."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass

import torch
import transformers

from passk.core.errors import EngineError
from passk.core.install import install_module
from passk.engines.base import ModelSource
from passk.engines.load_errors import explained, first_line, warn_once
from passk.engines.model_location import Location, location
from passk.engines.processors import load_processor, takes_images
from passk.engines.transformers.attention import NAME
from passk.engines.transformers.generate import own_attention
from passk.engines.transformers.packing_check import find_mismatch
from passk.engines.transformers.vision import attention_of

_log = logging.getLogger(__name__)

FAST = {
    torch.bfloat16: ("avx512_bf16", "amx_bf16"),
    torch.float16: ("avx512_fp16", "amx_fp16"),
}
"""Half precision -> the instructions of x86-64 processors that compute it."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in evaluation mode on its device, and what goes with it.

    Attributes:
        model: the model.
        tokenizer: its tokenizer.
        processor: that of a model that takes images; None for any other.
        mismatch: why packed attention cannot run it; empty where it can.
    """

    model: torch.nn.Module
    tokenizer: transformers.PreTrainedTokenizerBase
    processor: transformers.ProcessorMixin | None
    mismatch: str = ""


def load(source: ModelSource) -> LoadedModel:
    """Return a model, its tokenizer and its processor.

    Raises:
        EngineError: something is missing, unreadable or too large; the message says what.
    """
    torch.set_num_threads(int(source.execution.get("threads") or len(os.sched_getaffinity(0))))
    where = location(source)
    with quiet(), explained(source):
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        sees = takes_images(transformers.AutoConfig.from_pretrained(**where))
        processor = load_processor(where) if sees else None
        model = _read_weights(source, where, sees=sees)
    model = with_adapters(model, source.adapters).eval().requires_grad_(requires_grad=False)
    model = _placed(model, source)
    with quiet():
        mismatch = find_mismatch(model, tokenizer, processor)
    return LoadedModel(model, tokenizer, processor, mismatch)


def _read_weights(source: ModelSource, where: Location, *, sees: bool) -> torch.nn.Module:
    """Return the model with packed attention where its code takes it, else with its own."""
    kind = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
    dtype = _dtype(source.dtype)
    try:
        model = kind.from_pretrained(
            **where, dtype=dtype, attn_implementation=attention_of(NAME, sees=sees)
        )
    except (KeyError, ValueError) as error:
        if NAME not in str(error):
            raise
    else:
        with own_attention(model):  # some take any name and ignore it, but leave their masks out
            if model.config._attn_implementation != NAME:  # noqa: SLF001 - it has no other name
                return model
    return kind.from_pretrained(**where, dtype=dtype)


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


def _dtype(name: str) -> torch.dtype | str:
    """Return the torch dtype of this name, or `auto`."""
    dtype = "auto" if name == "auto" else getattr(torch, name, None)
    if dtype != "auto" and not getattr(dtype, "is_floating_point", False):
        raise EngineError(f"unknown dtype '{name}'", fix="use auto, bfloat16, float16 or float32")
    return dtype


def with_adapters(model: torch.nn.Module, adapters: tuple[str, ...]) -> torch.nn.Module:
    """Return the model with LoRA adapters merged into its weights, in order."""
    if not adapters:
        return model
    try:
        import peft  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        raise EngineError("adapters need the package 'peft'", fix=install_module("peft")) from error
    for adapter in adapters:
        try:
            with quiet():
                model = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
        except Exception as error:
            raise EngineError(
                f"cannot apply the adapter: {first_line(error)}", where=adapter
            ) from error
    return model


def _placed(model: torch.nn.Module, source: ModelSource) -> torch.nn.Module:
    """Move the model to its device, in a dtype that the device can compute with."""
    if device() == "cpu" and model.dtype != torch.float32:
        native = model.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
        if source.dtype == "auto" and not native:
            _log.warning(
                "%s: this CPU has no %s: computing in float32", source.weights, model.dtype
            )
            model = model.float()
        elif is_slow(model.dtype, torch.cpu.get_capabilities()):
            warn_once(
                f"{source.weights}: this processor has no instructions for {model.dtype} and "
                "computes it slowly; `dtype: float32` is faster where the memory suffices"
            )
    with explained(source):
        return model.to(device())


def is_slow(dtype: torch.dtype, cpu: Mapping[str, object]) -> bool:
    """Return whether a CPU of these capabilities (torch's names) only emulates a dtype.

    >>> is_slow(torch.bfloat16, {"architecture": "x86_64", "avx2": True, "amx_bf16": False})
    True
    """
    known = cpu.get("architecture") == "x86_64" and dtype in FAST
    return known and not any(cpu.get(name) for name in FAST[dtype])
