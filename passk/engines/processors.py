"""Processors: what makes tensors of images for a model that takes any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def takes_images(config: Any) -> bool:
    """Tell whether a model of this configuration looks at images."""
    return getattr(config, "vision_config", None) is not None


def load_processor(where: Mapping[str, Any]) -> Any:
    """Return the processor of a model's images; `where` is as `places.location` gives it.

    Videos are left out where torchvision, which only they need, is not installed.
    """
    import transformers

    try:
        return transformers.AutoProcessor.from_pretrained(**where)
    except ImportError as error:
        if "torchvision" not in str(error).lower():
            raise
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    whole: Any = PROCESSOR_MAPPING[type(transformers.AutoConfig.from_pretrained(**where))]
    parts = classmethod(lambda _: ["image_processor", "tokenizer"])
    images_only: Any = type(whole.__name__, (whole,), {"get_attributes": parts})
    return images_only.from_pretrained(**where)
