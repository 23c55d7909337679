"""Architectures that packed attention does not run: transformers' own does, and the sums agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import REPO

pytest.importorskip("transformers")

ALL = {
    "llama": "exact",
    "diffllama": "falls back",  # a difference of two softmaxes
    "mamba": "falls back",  # states that run over the row
    "bamba": "falls back",  # some layers attend, some do not
    "phi3": "falls back",  # longrope: sequences beyond the first context
    "llama4_text": "falls back",  # chunks
    "gemma3_text": "falls back",  # windows, a rotary embedding per type of layer
    "gpt_oss": "falls back",  # sinks
    "deepseek_v3": "falls back",  # a cache with values of another width
    "afmoe": "falls back",
    "jetmoe": "falls back",
}
FEW = ("llama", "mamba", "phi3", "llama4_text", "deepseek_v3")


def test_no_architecture_is_silently_wrong_and_none_crashes() -> None:
    names = ALL if os.environ.get("PASSK_TEST_LARGE") else FEW
    done = subprocess.run(
        [sys.executable, REPO / "perf/engine_architectures.py", *names],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {name: how for name, how, _, _ in found} == {name: ALL[name] for name in names}
    assert max(worst for _, _, worst, _ in found) < 1e-3
