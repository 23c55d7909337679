"""The transformers engine: sampling and scoring on one machine, CPU first.

One forward pass takes a packed batch (no padding): tokens of many prompts and responses side
by side in one row, each span attending to its own keys only (`attention`). Responses of one
problem share the prompt's keys and values, and are one row as long as they share their tokens
(`decoding`). Every response has a stream of random numbers of its own (`sampling`).
"""

from __future__ import annotations

import os

# Threads that wait by spinning take the cores from those they wait for: where another job runs on
# the same cores, each matrix product then takes ten times as long. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from passk.engines.transformers.engine import TransformersEngine

__all__ = ["TransformersEngine"]
