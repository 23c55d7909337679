"""What a spec says once: defaults, methods, anchors; and the spec written out in full."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from conftest import REPO

from passk.cli import main
from passk.core.errors import SpecError
from passk.spec.loading import load_experiment
from passk.workflow import build_plan

EXPERIMENTS = sorted((REPO / "specs").glob("*.yaml"))

SPEC = """\
name: short
k: [1, 2]
shard: 2
x-few: &few {threads: 1}
defaults:
  models: {engine: fake, dtype: float32, base: start, execution: {threads: 2, batch_size: 4}}
  samplers: {top_p: 0.95, max_tokens: 16}
models:
  start: {}
  tuned: {role: rl, execution: *few}
  other: {role: rl, dtype: null, execution: null}
benchmarks:
  arithmetic: {n: 2}
samplers:
  plain: {temperature: 1.0}
  narrow: {temperature: 1.0, top_p: 0.5}
"""

TRAINED = """\
name: trained
k: [1]
shard: 1
defaults:
  models:
    {engine: transformers, base: start, steps: [4], seeds: [1, 2], label: "{method}, seed {seed}"}
  train: {from: start, benchmark: arithmetic, learning_rate: 1e-5, max_tokens: 8}
models:
  start: {weights: ./start, label: Start}
  "{method}-{seed}@{step}": {methods: [GRPO, Reinforce++], train: {}}
  "taught-{seed}@{step}": {steps: [2], train: {method: SFT, max_tokens: null}}
benchmarks:
  arithmetic: {n: 1, prompt: few-shot-direct}
samplers:
  plain: {temperature: 1.0, max_tokens: 8}
"""


def spec(folder: Path, text: str) -> Path:
    """A spec file."""
    path = folder / "spec.yaml"
    path.write_text(text)
    return path


def test_an_entry_takes_the_defaults_that_it_does_not_state(tmp_path: Path) -> None:
    found = load_experiment(spec(tmp_path, SPEC))
    start, tuned, other = found.models.values()
    assert (start.base, tuned.base, other.base) == (None, "start", "start")
    assert (tuned.engine, tuned.dtype, other.dtype) == ("fake", "float32", "auto")
    assert tuned.execution == {"threads": 1, "batch_size": 4}
    assert other.execution == {}
    plain, narrow = (sampler.sampling for sampler in found.samplers.values())
    assert (plain.top_p, narrow.top_p, narrow.max_tokens) == (0.95, 0.5, 16)


def test_each_method_is_a_model_with_the_shared_training(tmp_path: Path) -> None:
    found = load_experiment(spec(tmp_path, TRAINED))
    names = ["start", "grpo-1@4", "grpo-2@4", "reinforce++-1@4", "reinforce++-2@4"]
    assert list(found.models) == [*names, "taught-1@2", "taught-2@2"]
    second, taught = found.models["reinforce++-2@4"], found.models["taught-1@2"]
    assert (second.label, second.seed) == ("Reinforce++, seed 2", 2)
    assert second.train
    assert taught.train
    assert second.train.method == "Reinforce++"
    assert second.train.settings == {"learning_rate": 1e-5, "max_tokens": 8, "seed": 2}
    assert taught.train.settings == {"learning_rate": 1e-5, "seed": 1}
    assert taught.label == "SFT, seed 1"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dtype: float32", "dtyp: float32", ":6: defaults.models.dtyp: unknown key 'dtyp'"),
        ("dtype: float32", "dtype: half", ':6: defaults.models.dtype: "half" is not known'),
        ("  models: {engine", "  modells: {engine", ":6: defaults.modells: unknown key"),
        ("{top_p: 0.95, max_tokens: 16}", "16", ":7: defaults.samplers: should be a mapping"),
        ("start: {}", '"{method}": {}', ":9: models.{method}.*needs `methods`"),
        ("start: {}", "start: {methods: [GRPO]}", ":9: models.start: `methods` needs"),
    ],
)
def test_a_fault_is_told_where_it_is_written(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in SPEC
    with pytest.raises(SpecError, match=message) as raised:
        load_experiment(spec(tmp_path, SPEC.replace(old, new)))
    assert str(raised.value).count(message.split(".*", maxsplit=1)[0].lstrip(":")) == 1


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_spec_written_out_means_the_same(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copy(path, tmp_path))  # local paths are relative to the spec
    assert main(["plan", "--expanded", str(copied)]) == 0
    text = capsys.readouterr().out
    assert "defaults" not in yaml.safe_load(text)
    assert "*id" not in text
    short, full = build_plan(copied), build_plan(spec(tmp_path, text))
    assert full.cells.keys() == short.cells.keys()
    assert full.trainings.keys() == short.trainings.keys()
    assert full.scorings.keys() == short.scorings.keys()
