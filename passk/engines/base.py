"""The protocol that every engine follows, and the plain data that it takes.

An engine knows models and tokens. It does not know benchmarks, verifiers or files of ours:
it takes prompts and seeds and yields each row as soon as it is finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from passk.core.schemas import Sample, Score
from passk.spec.sampling import Sampling

__all__ = ["Engine", "ModelSource", "Prompt", "Request", "Sampling", "ScoreRequest"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt before tokenisation.

    Attributes:
        text: the whole prompt as raw text (a completion prompt), or None for a chat.
        messages: (role, content) pairs that go through the model's chat template.
        prefix: what the assistant's turn (or the raw text) already starts with.
        images: paths of images, in the order in which they appear.
    """

    text: str | None = None
    messages: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """Responses wanted for one problem: `samples[i]` is drawn with `seeds[i]`, and no other."""

    problem_id: str
    prompt: Prompt
    samples: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A response to score after a prompt: by its tokens where given, else by its text.

    Attributes:
        problem_id: the problem.
        sample: index of the response.
        prompt: what the response follows.
        text: the response, tokenised by the scorer where there are no `token_ids`.
        token_ids: the response's tokens as its sampler drew them, where the scorer has the same
            vocabulary (`Engine.vocabulary`).
        ended: the response is complete and ends with an ending token: where it is scored by its
            text, the scorer's own ending token is scored with it. Leave it False for what was
            truncated, and where a stop string ends responses.
        text_only: no token behind the text is scored: neither a stop string's nor the ending one.
    """

    problem_id: str
    sample: int
    prompt: Prompt
    text: str
    token_ids: tuple[int, ...] = ()
    ended: bool = False
    text_only: bool = False


@dataclass(frozen=True, slots=True)
class ModelSource:
    """What an engine loads.

    Attributes:
        weights: a hub id or a local folder or file.
        revision: the hub revision, if any.
        dtype: a torch dtype's name, or `auto` for that of the weights.
        adapters: LoRA adapters (hub ids or folders), applied in order.
        execution: settings that change cost but no response (batch size, parallelism, memory).
        endpoint: base URL of the server that knows `weights` by this name, if it is one's.
        api_key_env: name of the environment variable that holds the server's key, never the key.
        api: which server it is (`passk.spec.server_profiles`), if the spec says so.
        chat_template_kwargs: variables of the chat template.
        extra_body: more keys of each request to the server.
        engine_kwargs: more arguments of vLLM's `LLM`.
    """

    weights: str
    revision: str | None = None
    dtype: str = "auto"
    adapters: tuple[str, ...] = ()
    execution: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str | None = None
    api_key_env: str | None = None
    api: str | None = None
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    engine_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def passed_through(self) -> dict[str, object]:
        """Return the settings that are passed through, for the record."""
        names = ("api", "chat_template_kwargs", "extra_body", "engine_kwargs")
        return {name: value for name in names if (value := getattr(self, name))}


class Engine(Protocol):
    """A loaded model.

    `packages` are the distributions whose versions a manifest records, `device` what it runs on.
    `dtype` is the torch dtype that it computes in (`auto` resolved); empty if unknown.
    `vocabulary` is a digest of the meaning of its token ids (`tokens.vocabulary_digest`): two
    engines with the same one, not empty, can score each other's token ids. It is empty if
    unknown, as behind an endpoint.
    """

    packages: tuple[str, ...]
    device: str

    @property
    def dtype(self) -> str:
        """See above."""
        ...

    @property
    def vocabulary(self) -> str:
        """The digest of the vocabulary; it may load the tokenizer, and never the weights."""
        ...

    @classmethod
    def load(cls, model: ModelSource) -> Engine:
        """Load the model, or raise EngineError saying what is missing and how to get it."""
        ...

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """Yield every response of every request once, each as soon as it is finished.

        A response depends on its prompt, the sampling settings and its own seed alone.
        """
        ...

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield the log-probability of each response once, in any order.

        Eq.: perplexity = exp(-(1/T) sum_t log P(y_t | x, y_<t)) over the T response tokens only
        (Yue et al. 2025, section 4.1).
        """
        ...
