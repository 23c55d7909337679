"""The vllm engine: offline sampling and scoring, on GPUs or on a CPU build of vLLM.

Each response is a request of its own with its own seed: prefix caching shares the prompt's
computation among them, and a finished response is yielded at once, for the journal. Scoring loads
the model with prefix caching off: vLLM returns stale prompt log-probabilities with it (vllm 42019).
"""

from __future__ import annotations

from passk.engines.vllm.engine import VllmEngine

__all__ = ["VllmEngine"]
