"""The paper's experiments: every spec plans and dry-runs anywhere, and says what is published."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPO, environment

from passk.spec.loading import written_out

SPECS = sorted((REPO / "specs").glob("paper-*.yaml"))
UNPUBLISHED = re.compile(r"never published|were published", re.IGNORECASE)


def bare() -> dict[str, str]:
    """An environment without data, weights or a network."""
    kept = {name: value for name, value in environment().items() if name != "PASSK_DATA"}
    return kept | {"HF_HUB_OFFLINE": "1", "PASSK_CACHE": "/nonexistent"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=bare(), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the specs and nothing else: no outputs, no checkpoints."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "specs").symlink_to(REPO / "specs")
    return folder


@cache
def planned(checkout: Path, spec: Path) -> dict[str, Any]:
    done = run(checkout, sys.executable, "-m", "passk", "plan", f"specs/{spec.name}", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_every_experiment_plans_without_weights_network_or_data(checkout: Path, spec: Path) -> None:
    found = planned(checkout, spec)
    assert found["name"] == spec.stem
    assert found["total"]["responses_left"] > 0
    assert found["total"]["bytes_left"] > 0
    if "vllm" in spec.read_text():
        assert found["total"]["gpu_hours_left"] > 0
    assert all(cell["problems"] for cell in found["cells"])
    absent = [warning for warning in found["warnings"] if "is not there yet" in warning]
    assert bool(absent) == ("./runs/" in spec.read_text())
    assert not list(checkout.glob("outputs/*"))


DRY_RUNS = SPECS if "PASSK_TEST_LARGE" in os.environ else SPECS[::4]
"""What Snakemake itself lists: its rules are the same for all, and all are planned above."""


@pytest.mark.parametrize("spec", DRY_RUNS, ids=lambda path: path.stem)
def test_experiments_dry_run(checkout: Path, spec: Path) -> None:
    """Snakemake lists every job; which is all that continuous integration can ask of it."""
    done = run(
        checkout,
        *("snakemake", "-n", "--quiet", "rules", "--cores", "1"),
        *("-s", str(REPO / "Snakefile"), "--configfile", f"specs/{spec.name}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_a_checkpoint_that_was_never_published_is_a_local_folder_and_said_to_be(
    spec: Path,
) -> None:
    text = spec.read_text()
    comment = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    assert "Yue et al. 2025" in comment
    assert re.search(r"(?:section|appendix) \w", comment)
    assert ("./runs/" in text) == bool(UNPUBLISHED.search(comment))


def sampled(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((REPO / f"specs/{name}.yaml").read_text())
    return spec


def test_settings_are_the_papers() -> None:
    for path in SPECS:
        samplers = written_out(path)["samplers"]
        if "paper" in samplers:
            fields = {key: samplers["paper"][key] for key in ("temperature", "top_p", "max_tokens")}
            assert fields == {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16384}, path
    entropy = sampled("paper-entropy")
    matched = {
        name: entropy["samplers"][use["samplers"][1]]["temperature"]
        for name, use in entropy["benchmarks"].items()
    }
    assert matched == {
        "aime24": 1.5,
        "amc23": 0.9,
        "gsm8k": 1.0,
        "math500": 0.85,
        "minerva": 0.85,
        "olympiadbench": 1.0,
    }
    assert sampled("paper-steps")["models"]["grpo@{step}"]["steps"] == [150, 300, 450]
    algorithms = {
        model.get("algorithm") for model in sampled("paper-algorithms")["models"].values()
    }
    assert algorithms == {None, "PPO", "GRPO", "ReMax", "RLOO", "Reinforce++", "DAPO"}
    assert max(sampled("paper-algorithms")["k"]) == 256
    assert sampled("paper-code-deepcoder")["samplers"]["long"]["max_tokens"] == 32768
    assert sampled("paper-frontier")["samplers"]["long"]["max_tokens"] == 40000


def test_matched_temperatures_are_compared_with_the_base_at_its_own(checkout: Path) -> None:
    run(
        checkout,
        *(sys.executable, "-m", "passk", "resolve", "specs/paper-entropy.yaml"),
        *("--experiment", "-o", "plan.json"),
    )
    cells = json.loads((checkout / "plan.json").read_text())["cells"]
    matched = [cell for cell in cells if cell["sampler"] != "paper"]
    assert len(matched) == 6
    for cell in matched:
        assert cell["base"].startswith(f"qwen2.5-7b.{cell['benchmark']}.paper-")


def test_two_problems_of_aime24_are_scored_with_the_papers_counts(checkout: Path) -> None:
    found = planned(checkout, REPO / "specs/paper-perplexity.yaml")
    assert {cell["problems"] for cell in found["cells"]} == {2}
    counts = {score["target"].split(".")[0]: score["responses_left"] for score in found["scores"]}
    assert counts == {"qwen2": 2 * 16, "simplerl-7b": 2 * 16, "o1": 2 * 8}


def test_ablations_share_the_cells_of_the_algorithms(checkout: Path) -> None:
    ids = {
        name: {cell["id"] for cell in planned(checkout, REPO / f"specs/{name}.yaml")["cells"]}
        for name in ("paper-algorithms", "paper-steps", "paper-kl-rollouts")
    }
    algorithms, steps, ablations = ids.values()
    assert len(algorithms & steps & ablations) == 3  # the base, on three benchmarks
    assert len(algorithms & steps) == len(steps & ablations) == 6  # and GRPO at 150, at 450 steps


def test_the_page_of_the_paper_is_what_the_plans_say() -> None:
    done = subprocess.run(
        [sys.executable, "docs/make_paper.py"],
        cwd=REPO,
        env=os.environ | bare(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (REPO / "docs/paper.md").read_text() == done.stdout, (
        "python docs/make_paper.py > docs/paper.md"
    )
    for spec in SPECS:
        assert f"`{spec.name}`" in done.stdout


def test_a_setting_that_is_not_the_papers_needs_a_reason(tmp_path: Path) -> None:
    said = yaml.safe_load((REPO / "docs/paper_published.yaml").read_text())
    said["paper-temperature"]["paper"]["n"]["math500"] = 64
    (tmp_path / "docs").mkdir()
    (tmp_path / "specs").symlink_to(REPO / "specs")
    for name in ("make_paper.py", "paper.template.md"):
        (tmp_path / "docs" / name).write_text((REPO / "docs" / name).read_text())
    (tmp_path / "docs/paper_published.yaml").write_text(yaml.safe_dump(said, sort_keys=False))
    done = run(tmp_path, sys.executable, "docs/make_paper.py")
    assert done.returncode == 1
    assert "paper-temperature: n of ('qwen2.5-7b', 'math500', 'paper') is 128" in done.stderr
