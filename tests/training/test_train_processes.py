"""Several processes that train together learn what one learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trainings import change

pytest.importorskip("trl")

import torch
from tiny_models import save_tiny
from trainings import Training

from passk.core.errors import EngineError

TWO_PROCESSES = {"threads": 1, "num_processes": 2, "save_steps": 1}


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tiny = save_tiny(tmp_path / "tiny")
    start = load_file(tiny / "model.safetensors")
    more: dict[str, Any] = {"settings": {"prompts_per_step": 4}, "steps": [2], "weights": tiny}
    alone = Training(tmp_path / "alone", "Reinforce++", **more)
    shared = Training(tmp_path / "shared", "Reinforce++", **more, execution=TWO_PROCESSES)
    alone.train(2)
    shared.train(2)
    assert [row.reward for row in shared.rows(2)] == [row.reward for row in alone.rows(2)]
    assert [row.entropy for row in shared.rows(2)] == pytest.approx(
        [row.entropy for row in alone.rows(2)], abs=1e-2
    )
    one, other = change(start, alone.weights_of(2)), change(start, shared.weights_of(2))
    assert torch.nn.functional.cosine_similarity(one, other, 0) > 0.99


def test_what_goes_wrong_in_a_process_is_told(tmp_path: Path) -> None:
    settings, weights = {"prompts_per_step": 4}, tmp_path / "no" / "model"
    training = Training(tmp_path, settings=settings, weights=weights, execution=TWO_PROCESSES)
    with pytest.raises(EngineError, match="no such file or folder of weights"):
        training.train(4)


def test_what_cannot_be_shared_out_is_refused(tmp_path: Path) -> None:
    more: dict[str, Any] = {"weights": save_tiny(tmp_path / "tiny"), "execution": TWO_PROCESSES}
    with pytest.raises(EngineError, match="3 problems a step cannot be shared out among 2"):
        Training(tmp_path / "a", settings={"prompts_per_step": 3}, **more).train(4)
    with pytest.raises(EngineError, match="SFT trains in one process"):
        Training(tmp_path / "b", "SFT", teacher={"kind": "self"}, **more).train(4)
