"""Where a prompt's images are in its messages, and how they are read.

Each `<image>` mark in the messages stands for the next of the prompt's images. Where there is no
mark, the images come before the text of the last user message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from passk.core.errors import EngineError
from passk.core.install import install_module
from passk.engines.base import Prompt

if TYPE_CHECKING:
    from PIL import Image

MARK = "<image>"

Part = tuple[Literal["text", "image"], str]
"""Words, or the path of an image."""


def chat_with_images(prompt: Prompt) -> list[tuple[str, list[Part]]]:
    """Return a prompt's messages as roles and parts, with its images in their places.

    Raises:
        EngineError: the prompt is raw text, has no message, or has marks, but another number of
            them than of images.
    """
    if not prompt.messages:
        raise EngineError(
            "a raw-text prompt carries no images", fix="use a prompt with `format: chat`"
        )
    messages = list(prompt.messages)
    marks = sum(content.count(MARK) for _, content in messages)
    if marks not in {0, len(prompt.images)}:
        raise EngineError(
            f"the prompt has {marks} {MARK} marks for {len(prompt.images)} images",
            fix="give each image its mark, or leave all marks out: then images come first",
        )
    if not marks:
        users = [at for at, (role, _) in enumerate(messages) if role == "user"]
        at = max(users, default=len(messages) - 1)
        messages[at] = (messages[at][0], MARK * len(prompt.images) + messages[at][1])
    images = iter(prompt.images)
    return [(role, list(_parts(content, images))) for role, content in messages]


def _parts(content: str, images: Iterator[str]) -> Iterator[Part]:
    """Yield the parts of one message; marks take the next images."""
    first, *others = content.split(MARK)
    if first:
        yield "text", first
    for words in others:
        yield "image", next(images)
        if words:
            yield "text", words


def open_image(path: str) -> Image.Image:
    """Return an image file as a PIL image in RGB.

    Raises:
        EngineError: it cannot be read, or Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise EngineError(
            "reading images needs the package 'pillow'", where=path, fix=install_module("PIL")
        ) from error
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError) as error:  # missing, cut short, or of no known kind
        raise EngineError(
            f"image cannot be read: {getattr(error, 'strerror', None) or error}",
            where=path,
            fix="put the benchmark's images where its rows say that they are",
        ) from error
