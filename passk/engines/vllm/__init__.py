"""The vllm engine: offline sampling and scoring, on GPUs or on a CPU build of vLLM.

Each response is a request of its own with its own seed: prefix caching shares the prompt's
computation among them, and a finished response is yielded at once, for the journal. Scoring loads
the model with prefix caching off: vLLM returns stale prompt log-probabilities with it (vllm 42019).
"""

from __future__ import annotations

from passk.engines.base import ModelSource
from passk.engines.vllm.data_parallel import DataParallelVllmEngine
from passk.engines.vllm.engine import SingleVllmEngine

__all__ = ["VllmEngine"]


class VllmEngine(SingleVllmEngine):
    """One vLLM process, or several copies of the model with `execution.data_parallel_size`."""

    @classmethod
    def load(cls, model: ModelSource) -> SingleVllmEngine:
        """See `Engine.load`: vLLM must be installed; the weights are read at first use."""
        if model.execution.get("data_parallel_size", 1) > 1:
            return DataParallelVllmEngine.load(model)
        return SingleVllmEngine.load(model)
