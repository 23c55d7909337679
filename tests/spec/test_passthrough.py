"""Settings that pass through: what of them decides a cell, and what the spec refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import REPO, Study

from passk.core.errors import SpecError
from passk.spec.server_profiles import OTHER, server_profiles
from passk.workflow import Plan, build_plan
from passk.workflow.preflight import find_obstacles, vllm_arguments
from passk.workflow.task_files import cell_task

SERVED = {"weights": "m", "engine": "openai", "endpoint": "http://localhost:1/v1"}


def plan_of(study: Study, model: dict[str, Any], prompt: str) -> Plan:
    """The plan of a study of one model."""
    study.spec |= {"models": {"base": model}, "perplexity": []}
    study.spec["benchmarks"]["sums"]["prompt"] = prompt
    study.save()
    return build_plan(study.folder / study.file)


def cell_id(study: Study, model: dict[str, Any], prompt: str) -> str:
    """The id of the only cell of such a study."""
    (cell,) = plan_of(study, model, prompt).cells
    return cell


@pytest.fixture
def chat(study: Study) -> str:
    """A chat prompt."""
    (study.folder / "prompts").mkdir()
    (study.folder / "prompts" / "talk.yaml").write_text('format: chat\nuser: "{question}"\n')
    return "talk"


def test_template_variables_decide_a_chat_and_no_raw_text(study: Study, chat: str) -> None:
    thinking = SERVED | {"chat_template_kwargs": {"enable_thinking": False}}
    text = "few-shot-direct"
    assert cell_id(study, thinking, text) == cell_id(study, SERVED, text)
    (cell,) = plan_of(study, thinking, chat).cells.values()
    assert cell.fingerprint_inputs["chat_template_kwargs"] == {"enable_thinking": False}
    assert cell_task(cell)["model"]["chat_template_kwargs"] == {"enable_thinking": False}
    assert cell.id != cell_id(study, SERVED, chat)


@pytest.mark.parametrize(
    ("key", "decides", "costs"),
    [
        ("extra_body", {"reasoning_effort": "low"}, {"service_tier": "flex"}),
        ("engine_kwargs", {"quantization": "fp8"}, {"enforce_eager": True}),
    ],
)
def test_what_only_costs_decides_no_cell(
    study: Study, key: str, decides: dict[str, Any], costs: dict[str, Any]
) -> None:
    model = SERVED if key == "extra_body" else {"weights": "org/name", "engine": "vllm"}
    text = "few-shot-direct"
    plain = cell_id(study, model, text)
    assert cell_id(study, model | {key: costs}, text) == plain
    assert cell_id(study, model | {key: {}}, text) == plain
    (cell,) = plan_of(study, model | {key: decides | costs}, text).cells.values()
    assert cell.fingerprint_inputs[key] == decides
    assert cell.id != plain
    assert cell_task(cell)["model"][key] == decides | costs


def test_a_local_tokenizer_is_identified_by_its_content(study: Study) -> None:
    folder = study.folder / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}")
    model = {"weights": "org/name", "engine": "vllm", "engine_kwargs": {"tokenizer": str(folder)}}
    before = cell_id(study, model, "few-shot-direct")
    moved = folder.rename(study.folder / "moved")
    model["engine_kwargs"] = {"tokenizer": str(moved)}
    assert cell_id(study, model, "few-shot-direct") == before
    (moved / "tokenizer.json").write_text('{"other": 1}')
    assert cell_id(study, model, "few-shot-direct") != before


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            {"weights": "./base.jsonl", "engine": "fake", "extra_body": {"a": 1}},
            "models.base.extra_body: only `engine: openai` takes it",
        ),
        (
            SERVED | {"engine_kwargs": {"quantization": "fp8"}},
            "models.base.engine_kwargs: only `engine: vllm` takes it",
        ),
        (
            SERVED | {"extra_body": {"temperature": 0.5}},
            "models.base.extra_body.temperature: it cannot stand here",
        ),
        (
            {"weights": "a/b", "engine": "vllm", "engine_kwargs": {"tensor_parallel_size": 2}},
            "say it as `execution.tensor_parallel_size`",
        ),
        (
            SERVED | {"chat_template_kwargs": {"tokenize": True}},
            "models.base.chat_template_kwargs.tokenize: it cannot stand here",
        ),
        (
            SERVED | {"api": "anthropic", "chat_template_kwargs": {"a": True}},
            "the server ('anthropic') takes none; see `extra_body`",
        ),
        (SERVED | {"api": "openal"}, "models.base.api"),
    ],
)
def test_a_setting_in_the_wrong_place_is_refused(
    study: Study, model: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError) as error:
        plan_of(study, model, "few-shot-direct")
    assert words in str(error.value)


def test_a_sampler_that_the_server_would_not_obey_is_refused(study: Study) -> None:
    study.spec["samplers"]["plain"] |= {"temperature": 0.6, "top_k": 5}
    for more in ({"api": "openai"}, {"endpoint": "https://api.openai.com/v1"}):
        with pytest.raises(SpecError) as error:
            plan_of(study, SERVED | more, "few-shot-direct")
        (line,) = str(error.value).splitlines()
        assert "samplers.plain: the server ('openai') takes no `top_k`, and 'base'" in line
    plan_of(study, SERVED, "few-shot-direct")


def test_the_schema_names_every_profile() -> None:
    schema = json.loads((REPO / "specs/schema/experiment.schema.json").read_text())
    named = schema["$defs"]["model"]["properties"]["api"]["enum"]
    assert set(named) == server_profiles().keys() - {OTHER}


def test_preflight_says_what_vllm_and_the_template_do_not_know(
    study: Study, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = study.folder / "path" / "vllm"
    (package / "engine").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('it is never imported')")
    source = "class EngineArgs:\n    model: str = ''\n    quantization: str | None = None\n"
    (package / "engine" / "arg_utils.py").write_text(source)
    monkeypatch.syspath_prepend(package.parent)
    assert vllm_arguments() == {"model", "quantization"}
    folder = study.folder / "weights"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    template = "{% if enable_thinking %}<think>{% endif %}"
    (folder / "chat_template.jinja").write_text(template)
    model = {
        "weights": str(folder),
        "engine": "vllm",
        "engine_kwargs": {"quantisation": "fp8"},
        "chat_template_kwargs": {"enable_thinkng": False},
    }
    found = {one.what: one for one in find_obstacles(plan_of(study, model, chat))}
    assert "quantization" in found["vLLM has no argument 'quantisation'"].fix
    assert "the model's chat template does not use enable_thinkng" in found


def test_without_vllm_its_arguments_are_unknown() -> None:
    assert isinstance(vllm_arguments(), frozenset)
