"""Errors of loading and running models, as one message with a fix."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from passk.core.errors import EngineError
from passk.engines.base import ModelSource

_log = logging.getLogger(__name__)

HELP = {
    "GatedRepoError": "accept the model's terms on its page, then `hf auth login` or set HF_TOKEN",
    "RevisionNotFoundError": "give a revision (branch, tag or commit) that the repository has",
    "RepositoryNotFoundError": "check the spelling; a private model needs `hf auth login`",
    "LocalEntryNotFoundError": "download it where there is a network, or give a local folder",
    "OfflineModeIsEnabled": "download it where there is a network, or unset HF_HUB_OFFLINE",
    "ConnectionError": "check the network, or download the model and give its folder",
}
"""An exception of the hub client, anywhere in the chain of causes -> the way out."""

PHRASES = {
    "gated repo": HELP["GatedRepoError"],
    "is not a valid git identifier": HELP["RevisionNotFoundError"],
    "is not a valid model identifier": HELP["RepositoryNotFoundError"],
    "offline mode": HELP["OfflineModeIsEnabled"],
    "couldn't connect to": HELP["ConnectionError"],
    "max_model_len": "lower execution.max_model_len to what the model takes",
    "Engine core initialization failed": "see the cause above, in vLLM's own words; where memory "
    "was short, lower gpu_memory_utilization, max_model_len or batch_size under `execution`",
    "requires the Torchvision library": "install the torchvision that belongs to this torch",
}
"""The same in the words of transformers, for libraries that pass on these alone."""

MEMORY = ("allocate memory", "out of memory", "not enough memory", "No available memory")
"""Phrases in messages about a lack of memory."""


@cache
def warn_once(message: str) -> None:
    """Log a warning that a job which loads the same model again does not repeat."""
    _log.warning("%s", message)


@contextmanager
def explained(source: ModelSource) -> Iterator[None]:
    """Turn whatever loading raises into one EngineError with the way out."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:  # the libraries raise some thirty kinds here
        at = f"{source.weights}@{source.revision}" if source.revision else source.weights
        raise EngineError(
            f"cannot load the model: {first_line(error)}",
            where=at,
            fix=_way_out(error),
        ) from error


def _way_out(error: BaseException) -> str:
    """Return what a user can do about a model that could not be loaded."""
    if is_out_of_memory(error):
        return "use a smaller model or dtype, or a machine with more memory"
    chain = list(causes(error))
    named = (HELP.get(type(cause).__name__) for cause in chain)
    by_phrase = (fix for phrase, fix in PHRASES.items() if any(phrase in str(c) for c in chain))
    known = next((fix for fix in named if fix), None) or next(by_phrase, None)
    return known or "check `weights` and `revision` of the model in the spec"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that memory ran out, on any device."""
    return any(
        isinstance(cause, MemoryError)
        or type(cause).__name__ == "OutOfMemoryError"
        or (isinstance(cause, RuntimeError) and any(words in str(cause) for words in MEMORY))
        for cause in causes(error)
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message that is informative, or its type.

    Pydantic's first line only counts faults ("1 validation error for ModelConfig").
    """
    lines = [line.strip().removeprefix("Value error,") for line in str(error).splitlines()]
    telling = (
        line.partition(" [type=")[0].strip() for line in lines if "validation err" not in line
    )
    return next((line for line in telling if line), "") or type(error).__name__
