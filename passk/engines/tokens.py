"""From prompts to token ids and from token ids to text, with a model's own tokenizer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from passk.core.errors import EngineError
from passk.engines.base import Prompt, Sampling, ScoreRequest
from passk.engines.images import Part, chat_with_images, open_image
from passk.engines.load_errors import first_line, warn_once
from passk.engines.prompts import unused_variables

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedTokenizerBase, ProcessorMixin

PENALTIES = (
    "repetition_penalty",
    "no_repeat_ngram_size",
    "bad_words_ids",
    "suppress_tokens",
    "min_length",
    "min_new_tokens",
    "exponential_decay_length_penalty",
)
"""Settings of transformers' `generate` that change the probabilities of tokens."""

NEUTRAL: tuple[object, ...] = (None, 0, 1, [])
"""Their values that change nothing."""


class PromptTokenizer:
    """A tokenizer as engines use it: prompts, responses, and where a response ends.

    Args:
        tokenizer: transformers' tokenizer.
        ending: ids of the tokens that end a response.
        processor: transformers' processor of a model that takes images.
        template: variables of the chat template.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        ending: frozenset[int],
        processor: ProcessorMixin | None = None,
        template: Mapping[str, object] | None = None,
    ) -> None:
        """Keep them."""
        self.tokenizer, self.ending, self.processor = tokenizer, ending, processor
        self.template = dict(template or {})
        self._token_text: dict[int, str] = {}
        self._vocabulary = ""

    def prompt(self, prompt: Prompt) -> list[int]:
        """Return a prompt's token ids.

        Raw text gets the special tokens that the tokenizer itself adds; a chat gets those of its
        template and no others. An image is as many tokens as the model takes it for.

        Raises:
            EngineError: there is no chat template, the template refuses the messages, the prompt
                has images that the model cannot take, is empty, or starts with two
                beginning-of-sequence tokens.
        """
        ids = self._seen(prompt) if prompt.images else self.plain(prompt)
        bos = self.tokenizer.bos_token_id
        if not ids:
            raise EngineError("the prompt is empty", fix="give it some text")
        if bos is not None and ids[:2] == [bos, bos]:
            raise EngineError(
                f"the prompt starts with two beginning-of-sequence tokens "
                f"({self.tokenizer.bos_token!r})",
                fix="take the token out of the prompt's text: the tokenizer adds it",
            )
        return ids

    def plain(self, prompt: Prompt) -> list[int]:
        """Return a prompt's token ids as its template gives them: an image is a single token."""
        return self._ids(self._text(prompt), chat=prompt.text is None)

    def _seen(self, prompt: Prompt) -> list[int]:
        """Return the token ids of a prompt with images."""
        ids: list[int] = self.image_inputs(prompt)["input_ids"][0].tolist()
        return ids

    def image_inputs(self, prompt: Prompt) -> dict[str, torch.Tensor]:
        """Return what the model's processor makes of a prompt with images, as tensors."""
        text = self._text(prompt)
        images = [open_image(path) for path in prompt.images]
        try:
            return dict(self._renderer(prompt)(text=[text], images=images, return_tensors="pt"))
        except Exception as error:  # a processor is a program of the model's author
            raise EngineError(
                f"the model cannot take these images: {first_line(error)}",
                fix="see that the chat template shows each image, and that none is too small",
            ) from error

    def response(self, request: ScoreRequest, prompt: Sequence[int]) -> list[int]:
        """Return the token ids of the response to score.

        These are its own ids where it has any. Else prompt and response are tokenised as one
        text, and what follows the prompt's ids is the response. Where tokens straddle the
        boundary (the prompt's ids do not come out as they are alone), the response is tokenised
        by itself, since a sampler would have continued from the prompt's own ids. The tokenizer's
        ending token follows where the response has ended with one.
        """
        if request.token_ids:
            tokens = list(request.token_ids)
            return self._within(request.text, tokens) if request.text_only else tokens
        chat = request.prompt.text is None
        end = [self.tokenizer.eos_token_id] if request.ended else []
        whole = self._ids(self._text(request.prompt) + request.text, chat=chat)
        prompt_ids = self.plain(request.prompt) if request.prompt.images else list(prompt)
        if whole[: len(prompt_ids)] == prompt_ids:
            return whole[len(prompt_ids) :] + end
        return self._ids(request.text, chat=True) + end

    def _within(self, text: str, tokens: list[int]) -> list[int]:
        """Return the first tokens of a response, as many as its text needs."""
        while tokens and self.text(tokens[:-1]).startswith(text):
            tokens = tokens[:-1]
        return tokens

    @property
    def vocabulary(self) -> str:
        """Digest of the meaning of the token ids, see `vocabulary_digest`."""
        if not self._vocabulary:
            self._vocabulary = vocabulary_digest(self.tokenizer)
        return self._vocabulary

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of response tokens, without special tokens."""
        text: str = self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def ends(self, tokens: Sequence[int], sampling: Sampling) -> bool:
        """Return whether the last of `tokens` ends the response, or completes a stop string.

        A token is at least one byte of text, so that a stop string of b bytes that ends in the
        last token starts in the last b; one more is decoded since a tokenizer may drop the space
        that a text starts with. Nothing is decoded unless the last token has the last character
        of a stop string, or ends in a part of a character.
        """
        if self._is_end(tokens[-1], sampling):
            return True
        newest = self._text_of(tokens[-1])
        likely = [s for s in sampling.stop if s[-1] in newest or "\ufffd" in newest]
        if not likely:
            return False
        window = max(len(s.encode()) for s in likely) + 1
        tail = self.text(tokens[-window:])
        return any(s in tail for s in likely)

    def cut(self, tokens: Sequence[int], sampling: Sampling) -> str:
        """Return the text of a finished response, up to its first stop string or ending token."""
        body = tokens[:-1] if self._is_end(tokens[-1], sampling) else tokens
        text = self.text(body)
        found = (at for s in sampling.stop if (at := text.find(s)) >= 0)
        return text[: min(found, default=len(text))]

    def _is_end(self, token: int, sampling: Sampling) -> bool:
        """Return whether a token ends a response, by the model or by the sampler."""
        return token in self.ending or token in sampling.stop_token_ids

    def _text_of(self, token: int) -> str:
        """Return the text of one token, remembered."""
        if token not in self._token_text:
            self._token_text[token] = self.text([token])
        return self._token_text[token]

    def _ids(self, text: str, *, chat: bool) -> list[int]:
        """Tokenise text; a chat's has its special tokens already."""
        return list(self.tokenizer(text, add_special_tokens=not chat)["input_ids"])

    def _text(self, prompt: Prompt) -> str:
        """Return the whole prompt as text."""
        if prompt.text is not None and not prompt.images:
            return prompt.text + prompt.prefix
        return self._chat(prompt) + prompt.prefix

    def _renderer(self, prompt: Prompt) -> PreTrainedTokenizerBase | ProcessorMixin:
        """Return what renders a prompt: the processor where it has images."""
        if not prompt.images:
            return self.tokenizer
        if self.processor is None:
            raise EngineError(
                "this model takes no images", fix="use a vision model, or a prompt without images"
            )
        return self.processor

    def _chat(self, prompt: Prompt) -> str:
        """Return the messages as the model's chat template renders them."""
        renderer = self._renderer(prompt)
        messages: list[dict[str, object]]
        if prompt.images:
            messages = [_message(role, parts) for role, parts in chat_with_images(prompt)]
        else:
            messages = [{"role": role, "content": content} for role, content in prompt.messages]
        template = str(renderer.chat_template or "")
        if template and (unused := unused_variables(template, self.template)):
            raise EngineError(
                f"the model's chat template does not use {', '.join(unused)}",
                fix="correct `chat_template_kwargs`, or leave it out",
            )
        try:
            text: str = renderer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **self.template
            )
        except Exception as error:  # a template is a program of the model's author
            raise EngineError(
                f"the model's chat template cannot render this prompt: {first_line(error)}",
                fix="use a raw-text prompt (specs/prompts) for this model",
            ) from error
        return text


def _message(role: str, parts: Sequence[Part]) -> dict[str, object]:
    """Return a message with images as chat templates take it."""
    content = [{"type": k, "text": v} if k == "text" else {"type": k} for k, v in parts]
    return {"role": role, "content": content}


def prompt_digest(token_ids: Sequence[int]) -> str:
    """Return a digest (16 hex digits) of a rendered prompt's token ids."""
    return hashlib.sha256(",".join(map(str, token_ids)).encode()).hexdigest()[:16]


def vocabulary_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a digest (16 hex digits) of the meaning of a tokenizer's ids.

    It covers every token with its id, added and special ones among them, and the merges in their
    order. The chat template and which of the tokens ends a response are not part of it: a base
    model and one tuned from it mostly differ in these alone.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    model = json.loads(backend.to_str())["model"] if backend is not None else {}
    merges = [m if isinstance(m, str) else " ".join(m) for m in model.get("merges") or ()]
    known = [sorted(tokenizer.get_vocab().items()), merges]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def ending_tokens(
    generation: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase
) -> frozenset[int]:
    """Return the ids that end a response: those of the generation settings and the tokenizer."""
    listed = generation.eos_token_id if generation else None
    ids = [*(listed if isinstance(listed, list) else [listed]), tokenizer.eos_token_id]
    return frozenset(token for token in ids if token is not None)


def warn_of_penalties(generation: GenerationConfig | None, weights: str) -> None:
    """Log once which penalties of a model's generation_config.json are not applied."""
    found = {name: getattr(generation, name, None) for name in PENALTIES}
    ignored = [f"{name} = {value}" for name, value in found.items() if value not in NEUTRAL]
    if ignored:
        warn_once(
            f"{weights}: its generation_config.json has {', '.join(ignored)}, which passk does not "
            "apply: pass@k is about the model's own probabilities"
        )
