"""Profiles of OpenAI-compatible servers: what each takes, from server_profiles.yaml."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from passk.core.documents import default, from_document
from passk.spec.sampling import Sampling

OTHER = "other"
"""The profile of a server that nothing is known of."""


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What a server takes; the fields are the keys that server_profiles.yaml explains."""

    name: str
    sources: tuple[str, ...]
    takes: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    max_tokens: str = "max_tokens"
    server_defaults: Mapping[str, float] = field(default_factory=dict)
    always: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    n: int = 1
    reasoning: tuple[str, ...] = ()
    chat_template_kwargs: bool = False
    continues: bool = False
    batch: bool = False

    def unsupported(self, sampling: Sampling) -> Iterator[str]:
        """Yield why the server would not sample with these settings, setting by setting."""
        for one in fields(sampling):
            value = getattr(sampling, one.name)
            limit = self.limits.get(one.name)
            if one.name == "max_tokens" or value == default(one):
                continue
            if one.name not in self.takes:
                yield f"the server ('{self.name}') takes no `{one.name}`"
            elif limit is not None and value > limit:
                yield f"the server ('{self.name}') takes `{one.name}` up to {limit:g}"


@functools.cache
def server_profiles() -> Mapping[str, ServerProfile]:
    """Return all profiles by name."""
    file = Path(__file__).with_suffix(".yaml")
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {
        name: from_document(ServerProfile, {"name": name, **entry}, name)
        for name, entry in entries.items()
    }


def profile_of(api: str | None, endpoint: str | None) -> ServerProfile | None:
    """Return the profile that a model names, or that of its endpoint's host; None if unknown."""
    if api is not None:
        return server_profiles().get(api)
    host = urlsplit(endpoint or "").hostname
    return next((p for p in server_profiles().values() if host in p.hosts), None)
