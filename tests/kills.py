"""What tests that kill sampling jobs share."""

from __future__ import annotations

PRELOADED = [
    *("passk.sample", "passk.engines.transformers", "passk.engines.openai"),
    *("passk.training", "passk.train.run", "passk.train.imitation"),
    *("transformers.models.llama.modeling_llama", "pyarrow.parquet"),
]
"""What the server that forks the jobs imports once: the first test to start it decides."""
