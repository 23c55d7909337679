"""Processors: they turn images into tensors for models that take images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passk.engines.model_location import Location

if TYPE_CHECKING:
    from transformers import PretrainedConfig, ProcessorMixin


def takes_images(config: PretrainedConfig) -> bool:
    """Return whether a model of this configuration takes images."""
    return getattr(config, "vision_config", None) is not None


def load_processor(where: Location) -> ProcessorMixin:
    """Return the processor of a model's images; `where` is as `location` gives it.

    Videos are left out where torchvision, which only they need, is not installed.
    """
    import transformers

    try:
        return transformers.AutoProcessor.from_pretrained(**where)
    except ImportError as error:
        if "torchvision" not in str(error).lower():
            raise
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    whole: type[ProcessorMixin] = PROCESSOR_MAPPING[
        type(transformers.AutoConfig.from_pretrained(**where))
    ]
    parts = classmethod(lambda _: ["image_processor", "tokenizer"])
    images_only: type[ProcessorMixin] = type(whole.__name__, (whole,), {"get_attributes": parts})
    return images_only.from_pretrained(**where)
