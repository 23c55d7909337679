"""Sampling settings: one class from the spec's key to the engine's argument.

A new setting is a key in the schema's `sampler`, a field here, and its use in the engines that
`engines` names. Nothing else has to know it: cell ids, task files and checks follow the fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from passk.core.documents import default

ALWAYS_STATED = ("temperature", "top_p", "top_k", "min_p", "max_tokens")
"""Settings that a document states even at their default."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How responses are drawn.

    Attributes:
        temperature: 0 is greedy decoding.
        top_p: nucleus mass in (0, 1]; 1 keeps all.
        top_k: number of tokens kept; 0 keeps all.
        min_p: least probability relative to the likeliest token; 0 keeps all.
        max_tokens: response tokens at the most.
        stop: strings that end a response and are not part of it.
        stop_token_ids: tokens that end a response as the model's own ending token does; the one
            that did is in `token_ids` and not in the text.
        frequency_penalty: subtracted from a token's logit once per time that the response already
            holds it (OpenAI's and vLLM's setting).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    frequency_penalty: float = field(default=0.0, metadata={"engines": ("openai", "vllm")})

    def document(self) -> dict[str, object]:
        """Return the settings as JSON.

        A setting at its default is left out, so that a new one changes no cell's id.
        """
        return {
            one.name: list(value) if isinstance(value, tuple) else value
            for one in dataclasses.fields(self)
            if (value := getattr(self, one.name)) != default(one) or one.name in ALWAYS_STATED
        }

    def unsupported_by(self, engine: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each setting that an engine lacks, with the engines that have it."""
        for one in dataclasses.fields(self):
            engines: tuple[str, ...] = one.metadata.get("engines", (engine,))
            if engine not in engines and getattr(self, one.name) != default(one):
                yield one.name, engines


def setting_names() -> frozenset[str]:
    """Return the names of all sampling settings."""
    return frozenset(one.name for one in dataclasses.fields(Sampling))
