"""Specs, schemas, catalogues and cells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import REPO, Study
from hypothesis import given
from hypothesis import strategies as st

from passk.benchmarks.arithmetic import LEVELS, generate
from passk.benchmarks.source import load_problems
from passk.core.artifacts import canonical_json, digest
from passk.core.errors import SpecError
from passk.engines.prompts import render
from passk.spec.loading import load_benchmark, load_experiment, load_prompt
from passk.spec.reference_docs import reference_page
from passk.workflow import build_plan
from passk.workflow.cells import shard_name, shard_range

EXPERIMENTS = sorted((REPO / "specs").glob("*.yaml"))
BENCHMARKS = sorted((REPO / "specs/benchmarks").glob("*.yaml"))
PROMPTS = sorted((REPO / "specs/prompts").glob("*.yaml"))


def name_of(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name_of)
def test_shipped_experiments_are_valid_and_name_their_schema(path: Path) -> None:
    plan = build_plan(path)
    assert plan.cells
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=schema/experiment.schema.json\n"
    )


@pytest.mark.parametrize("path", [*BENCHMARKS, *PROMPTS], ids=name_of)
def test_shipped_catalogues_are_valid_and_name_their_schema(path: Path) -> None:
    kind = path.parent.name.removesuffix("s")
    load = load_benchmark if kind == "benchmark" else load_prompt
    assert load(path).name == path.stem
    first = path.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema=../schema/{kind}.schema.json"
    assert (path.parent / f"../schema/{kind}.schema.json").exists()


@pytest.mark.parametrize("kind", ["experiment", "benchmark", "prompt"])
def test_schemas_are_schemas_and_describe_every_key(kind: str) -> None:
    schema = json.loads((REPO / f"specs/schema/{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for where, node in properties(schema, kind):
        assert node.get("description") or "$ref" in node, where


def properties(node: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
    """Every property of a schema, with where it stands."""
    found = []
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties":
                found += [(f"{where}.{name}", inner) for name, inner in value.items()]
            found += properties(value, f"{where}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found += properties(value, f"{where}[{index}]")
    return found


def test_the_reference_page_is_what_the_schemas_say() -> None:
    assert (REPO / "docs/spec.md").read_text() == reference_page()


def test_defaults_of_values_are_those_of_the_schema(study: Study) -> None:
    experiment = load_experiment(study.folder / study.file)
    sampling = experiment.samplers["plain"].sampling
    assert (sampling.top_p, sampling.top_k, sampling.min_p) == (1.0, 0, 0.0)
    assert (experiment.seed, experiment.outputs) == (0, "outputs")
    assert experiment.models["base"].dtype == "auto"


def test_a_checkpoint_series_becomes_one_model_per_step(study: Study) -> None:
    for step in (10, 20):
        study.set_rates(f"runs/step_{step}.jsonl", [0.1] * 4)
    study.spec["models"]["grpo@{step}"] = {
        "weights": "./runs/step_{step}.jsonl",
        "steps": [10, 20],
        "engine": "fake",
        "role": "rl",
        "base": "base",
        "label": "GRPO, step {step}",
    }
    study.save()
    models = load_experiment(study.folder / study.file).models
    assert Path(models["grpo@20"].weights).samefile(study.folder / "runs/step_20.jsonl")
    assert (models["grpo@10"].step, models["grpo@10"].label) == (10, "GRPO, step 10")


def test_a_series_is_by_revision_by_adapter_or_by_whatever_checkpoints_there_are(
    study: Study,
) -> None:
    entry = {"engine": "transformers", "role": "rl", "base": "base"}
    for step in (20, 100, 3):
        (study.folder / f"out/checkpoint-{step}").mkdir(parents=True)
    (study.folder / "out/checkpoint-0100").mkdir()
    (study.folder / "out/checkpoint-7.tmp").mkdir()
    adapters = ["./out/checkpoint-{step}"]
    study.spec["models"] |= {
        "hub@{step}": {**entry, "weights": "org/m", "revision": "step{step}", "steps": [1, 2]},
        "lora@{step}": {**entry, "weights": "org/m", "adapters": adapters, "steps": "discover"},
    }
    study.save()
    models = load_experiment(study.folder / study.file).models
    assert [models[f"hub@{step}"].revision for step in (1, 2)] == ["step1", "step2"]
    steps = [name for name in models if name.startswith("lora")]
    assert steps == ["lora@3", "lora@20", "lora@100"]
    (adapter,) = models["lora@20"].adapters
    assert Path(adapter).samefile(study.folder / "out/checkpoint-20")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "./no/step-{step}"}, "no checkpoint matches ./no/step-{step}"),
        ({"weights": "org/m", "revision": "s{step}"}, "`steps: discover` needs a local path"),
        ({"weights": "org/m", "steps": [1]}, "{step} in both its name and one of weights"),
    ],
)
def test_a_series_without_checkpoints_is_one_message(
    study: Study, change: dict[str, object], message: str
) -> None:
    study.spec["models"]["x@{step}"] = {"engine": "fake", "steps": "discover", **change}
    study.save()
    with pytest.raises(SpecError) as caught:
        load_experiment(study.folder / study.file)
    assert message in str(caught.value)
    assert re.search(r"study.yaml:\d+: models", str(caught.value))


def test_plan_of_the_paper_knows_what_it_costs_without_its_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PASSK_DATA", raising=False)
    plan = build_plan(REPO / "specs/paper-math.yaml")
    shards = {cell.id.split(".paper")[0]: len(cell.shards()) for cell in plan.cells.values()}
    assert shards["qwen2.5-7b.aime24"] == 16
    assert shards["simplerl-7b.math500"] == 2
    assert {cell.sampler.temperature for cell in plan.cells.values()} == {0.6}
    assert sum(cell.identity.problems or 0 for cell in plan.cells.values()) == 6 * 2836


def test_plan_says_why_by_the_field_that_differs(finished: Study) -> None:
    finished.spec["samplers"]["plain"]["top_p"] = 0.9
    finished.save()
    text = finished.passk("plan", finished.file).stdout
    assert re.search(r"why: top_p 1.0 → 0.9 \(nearest: base.sums.plain-", text)
    assert "recorded: 2 of other cells" in text
    finished.spec["samplers"]["plain"].pop("top_p")
    finished.spec["benchmarks"]["sums"]["n"] = 12
    finished.save()
    assert "why: n 8 → 12" in finished.passk("plan", finished.file).stdout
    finished.spec["benchmarks"]["sums"]["n"] = 8
    finished.set_golds(["10", "11", "12", "99"])
    finished.save()
    found = json.loads(finished.passk("plan", finished.file, "--json").stdout)
    assert {cell["state"] for cell in found["cells"]} == {"stale"}
    assert found["cells"][0]["why"] == ["verdicts: the gold answers changed"]
    assert all(cell["responses_left"] == 0 for cell in found["cells"])


def test_orphans_are_what_no_spec_refers_to(finished: Study) -> None:
    finished.spec["models"].pop("tuned")
    finished.spec["perplexity"] = []
    finished.save()
    listed = finished.passk("clean", "--orphans", finished.file).stdout
    assert "cells/tuned.sums" in listed
    assert "cells/base.sums" not in listed
    finished.passk("clean", "--orphans", "--delete", finished.file)
    assert not list((finished.folder / "outputs/store/cells").glob("tuned*"))
    assert list((finished.folder / "outputs/store/cells").glob("base*"))


@given(st.integers(0, 999), st.integers(1, 1000))
def test_shard_names_say_their_range(first: int, size: int) -> None:
    assert shard_range(shard_name(first, first + size)) == range(first, first + size)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_a_digest_depends_on_the_value_and_not_on_its_order(value: Any) -> None:
    again = json.loads(json.dumps(value))
    assert digest(value) == digest(again)
    if isinstance(value, dict):
        assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


def test_generated_arithmetic_is_right_and_always_the_same() -> None:
    rows = generate(seed=3, per_level=10)
    assert rows == generate(seed=3, per_level=10)
    assert len({row["question"] for row in rows}) == 10 * len(LEVELS)
    for row in rows:
        if row["group"] in {"sum2", "product21", "product"}:
            assert eval(row["question"].removesuffix("=")) == int(row["gold"])
        if row["group"] == "word2":
            start, less, more = map(int, re.findall(r"\d+", row["question"]))
            assert start - less + more == int(row["gold"])
        assert row["question"] not in {question for question, _ in row["shots"]}


def test_the_quickstart_prompt_reads_as_intended() -> None:
    benchmark = load_benchmark(REPO / "specs/benchmarks/arithmetic.yaml")
    prompt = load_prompt(REPO / "specs/prompts/few-shot-direct.yaml")
    text = render(prompt, load_problems(benchmark)[0]).text
    assert text == "36 + 19 = 55\n50 + 51 = 101\n71 + 49 = 120\n96 + 30 = 126\n25 + 60 ="


def test_text_in_the_readme_that_is_yaml_is_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert isinstance(yaml.safe_load(block), dict)
