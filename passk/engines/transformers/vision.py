"""Models that take images: their attention, and a prompt that shows whether it is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import ProcessorMixin

PROBE_TEXT, PROBE_SIZE = "What is this?", (112, 84)


def attention_of(name: str, *, sees: bool) -> str | dict[str, str]:
    """Return the attention of a model's language part, with transformers' own for its images."""
    return {"": name, "text_config": name, "vision_config": "sdpa"} if sees else name


def image_probe(processor: ProcessorMixin | None) -> Callable[[], dict[str, torch.Tensor]] | None:
    """Return what makes a small prompt with an image as the model is given it.

    None where the processor has no chat template: then no prompt of ours can show it an image.
    """
    if processor is None or not processor.chat_template:
        return None
    from PIL import Image

    content = [{"type": "image"}, {"type": "text", "text": PROBE_TEXT}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    image = Image.linear_gradient("L").resize(PROBE_SIZE).convert("RGB")
    inputs = dict(processor(text=[text], images=[image], return_tensors="pt"))
    return lambda: inputs
