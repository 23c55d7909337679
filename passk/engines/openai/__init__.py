"""The openai engine: models behind any OpenAI-compatible endpoint, by the official client.

Each response is a request of its own with its own seed. The key is read from the environment
variable that the spec names and is in no file, log or message.
"""

from __future__ import annotations

from passk.engines.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
