"""Loading a model and its tokenizer, and saying in one message why that cannot be done."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
import transformers

from passk.core.errors import EngineError
from passk.core.install import install_module
from passk.engines.base import ModelSource
from passk.engines.load_errors import explained, first_line
from passk.engines.model_location import location
from passk.engines.processors import load_processor, takes_images
from passk.engines.transformers.attention import NAME, Chunk
from passk.engines.transformers.forward import forward
from passk.engines.transformers.vision import attention_of, image_probe

_log = logging.getLogger(__name__)

PROBE = ("The capital of France is", "One, two, three, four, five,")
PROBE_TOLERANCE = 0.1
"""Relative difference of the logits that is allowed: bfloat16 makes 0.02, a wrong context 0.4."""


def load(source: ModelSource) -> tuple[torch.nn.Module, Any, Any]:
    """Return the model (in evaluation mode, on its device), its tokenizer and its processor.

    The processor is that of a model that takes images, and None for any other.

    Raises:
        EngineError: something is missing, unreadable or too large; the message says what.
    """
    torch.set_num_threads(int(source.execution.get("threads") or len(os.sched_getaffinity(0))))
    where = location(source)
    with quiet(), explained(source):
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        sees = takes_images(transformers.AutoConfig.from_pretrained(**where))
        kind = (
            transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
        )
        model = kind.from_pretrained(
            **where, dtype=_dtype(source.dtype), attn_implementation=attention_of(NAME, sees=sees)
        )
        processor = load_processor(where) if sees else None
    model = _with_adapters(model, source.adapters).eval().requires_grad_(requires_grad=False)
    model = _placed(model, source)
    check_packing(model, tokenizer, source.weights)
    if processor is not None:
        _check_image(model, processor, source.weights)
    return model, tokenizer, processor


def check_packing(model: torch.nn.Module, tokenizer: Any, weights: str) -> None:
    """Raise where a sequence's logits differ when another sequence is packed before it.

    The logits are compared with those of transformers' own attention. A model with states that
    run over the whole row (Mamba, linear attention), or with another kind of attention than the
    plain one, fails here and not silently later.
    """
    before, text = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROBE)
    chunks = [Chunk(before, keep=[0]), Chunk(text, keep=[len(text) - 1])]
    packed = forward(model, chunks)[1]
    _compare(model, packed, {"input_ids": torch.tensor([text], device=model.device)}, weights)


def _check_image(model: torch.nn.Module, processor: Any, weights: str) -> None:
    """Do what `check_packing` does with an image, whose tokens may look at later ones.

    A processor that has no chat template is left out: it cannot be given images either.
    """
    if (inputs := image_probe(processor)) is None:
        return
    tokens = inputs["input_ids"][0].tolist()
    chunk = Chunk(tokens, keep=[len(tokens) - 1], inputs=lambda: inputs)
    logits = forward(model, [chunk])[0]
    _compare(model, logits, {k: v.to(model.device) for k, v in inputs.items()}, weights)


def _compare(
    model: torch.nn.Module, logits: torch.Tensor, inputs: Mapping[str, Any], weights: str
) -> None:
    """Raise where logits are not those that transformers' own attention gives after `inputs`."""
    sees = takes_images(model.config)
    model.set_attn_implementation(attention_of("eager", sees=sees))
    own = _centred(model(**inputs, use_cache=False).logits[0, -1])
    model.set_attn_implementation(attention_of(NAME, sees=sees))
    if not (_centred(logits) - own).norm() < PROBE_TOLERANCE * own.norm():
        raise EngineError(
            f"this engine cannot compute the attention of {type(model).__name__}",
            where=weights,
            fix="use `engine: vllm` for it",
        )


def _centred(logits: torch.Tensor) -> torch.Tensor:
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


def context_length(model: torch.nn.Module) -> int:
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


def _dtype(name: str) -> torch.dtype | str:
    """Return the torch dtype of this name, or `auto`."""
    dtype = "auto" if name == "auto" else getattr(torch, name, None)
    if dtype != "auto" and not getattr(dtype, "is_floating_point", False):
        raise EngineError(f"unknown dtype '{name}'", fix="use auto, bfloat16, float16 or float32")
    return dtype


def _with_adapters(model: torch.nn.Module, adapters: tuple[str, ...]) -> torch.nn.Module:
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
    if device() == "cpu" and source.dtype == "auto" and model.dtype != torch.float32:
        native = model.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
        if not native:
            _log.warning(
                "%s: this CPU has no %s: computing in float32", source.weights, model.dtype
            )
            model = model.float()
    with explained(source):
        return model.to(device())
