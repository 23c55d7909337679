"""What would stop a run is found before it, all at once, with the line of the spec and the fix."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO, Study

from passk.core import registry
from passk.core.errors import PasskError, VerifierError
from passk.engines.base import ModelSource
from passk.engines.loader import load_engine
from passk.verifiers.sandbox import choose_isolation
from passk.workflow import build_plan
from passk.workflow.preflight import check_run

CHAT = "format: chat\nuser: '{question}'\n"


def found(study: Study, monkeypatch: pytest.MonkeyPatch, *, local: bool = True) -> str:
    """What keeps a study from being run; empty if nothing does."""
    study.save()
    monkeypatch.chdir(study.folder)
    try:
        check_run(build_plan(Path(study.file)), local=local)
    except PasskError as error:
        return str(error)
    return ""


def weights(study: Study, **config: Any) -> str:
    """A folder that looks like a model."""
    folder = study.folder / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return "./model"


def model(**entry: Any) -> Callable[[Study], None]:
    """Change the base model of a study."""
    return lambda study: study.spec["models"]["base"].update(entry)


def chat(study: Study) -> None:
    """A chat prompt for a model without a chat template."""
    (study.folder / "prompts").mkdir()
    (study.folder / "prompts/talk.yaml").write_text(CHAT)
    entry = {"weights": weights(study), "engine": "transformers", "prompt": "talk"}
    study.spec["models"]["base"].update(entry)


SERVED = {"weights": "m", "engine": "openai", "endpoint": "http://localhost:1/v1"}


@pytest.mark.parametrize(
    ("change", "key", "message", "fix"),
    [
        (
            model(**SERVED, api_key_env="PASSK_NO_KEY"),
            "models.base.api_key_env",
            "the environment variable PASSK_NO_KEY is not set",
            "export PASSK_NO_KEY=",
        ),
        (model(weights="./nowhere.jsonl"), "models.base.weights", "no such file", "check the path"),
        (
            lambda study: model(weights=weights(study), engine="transformers", adapters=["./none"])(
                study
            ),
            "models.base.adapters[0]",
            "no such adapter: ./none",
            "check the path",
        ),
        (
            lambda study: model(
                weights=weights(study), engine="transformers", execution={"gpus": 2}
            )(study),
            "models.base.execution.gpus",
            "asks for 2 GPUs; this machine has none",
            "cluster profile",
        ),
        (chat, "models.base", "prompt 'talk' is a chat, and the model has no chat", "format: text"),
    ],
)
def test_an_obstacle_names_its_key_and_its_fix(
    study: Study,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Study], None],
    key: str,
    message: str,
    fix: str,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("PASSK_NO_KEY", raising=False)
    study.spec["models"].pop("tuned")
    study.spec["perplexity"] = []
    assert found(study, monkeypatch) == ""
    change(study)
    head, line, way_out = found(study, monkeypatch).splitlines()
    assert head == "nothing was run:"
    assert line.startswith("study.yaml:")
    assert f": {key}: {message}" in line
    assert way_out.startswith("  -> ")
    assert fix in way_out


def test_a_chat_template_is_found_where_models_keep_it(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.spec["models"].pop("tuned")
    study.spec["perplexity"] = []
    chat(study)
    assert "no chat template" in found(study, monkeypatch)
    (study.folder / "model/chat_template.jinja").write_text("{{ messages }}")
    assert found(study, monkeypatch) == ""
    (study.folder / "model/chat_template.jinja").unlink()
    config = {"chat_template": "{{ messages }}"}
    (study.folder / "model/tokenizer_config.json").write_text(json.dumps(config))
    assert found(study, monkeypatch) == ""


def test_a_tuned_model_with_the_weights_of_its_base_is_an_error(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = study.spec["models"]
    models["base"] |= {"weights": weights(study), "engine": "transformers"}
    shutil.copytree(study.folder / "model", study.folder / "step-9")
    (study.folder / "step-9/config.json").write_text('{"another": 1}')
    models["tuned"] |= {"weights": "./step-9", "engine": "transformers"}
    message = found(study, monkeypatch)
    assert "models.tuned.weights: the weights are those of its base 'base'" in message
    assert "`role: base`" in message
    models["tuned"]["role"] = "base"
    assert "the weights are those" not in found(study, monkeypatch)
    models["tuned"]["role"] = "rl"
    (study.folder / "step-9/model.safetensors").write_text("[]")
    assert "the weights are those" not in found(study, monkeypatch)


def test_all_obstacles_are_listed_and_a_shared_cause_once(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.ENGINE_MODULES, "fake", ("no_such_module",))  # type: ignore[misc]
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1, 1, 0))
    study.spec["models"]["tuned"]["weights"] = "./nowhere.jsonl"
    lines = found(study, monkeypatch).splitlines()
    assert len(lines) == 1 + 2 * 3
    assert "engine 'fake' needs the package 'no_such_module'" in lines[1]
    assert lines[1].endswith("(also: models.tuned.engine)")
    assert lines[2] == "  -> pip install no_such_module"
    assert "models.tuned.weights: no such file or folder: ./nowhere.jsonl" in lines[3]
    assert "outputs: 0.0 GB are free; about" in lines[5]


def test_programs_need_isolation_on_this_machine(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*, unsafe: bool) -> None:
        assert not unsafe
        raise VerifierError("no isolation holds here", fix="see docs/sandbox.md")

    gold = {"entry_point": "f", "tests": [{"input": [1], "output": 1}]}
    rows = [{"id": "p0", "question": "f", "gold": gold}]
    (study.folder / "benchmarks/sums.jsonl").write_text(json.dumps(rows[0]) + "\n")
    file = study.folder / "benchmarks/sums.yaml"
    file.write_text(file.read_text().replace("verifier: number", "verifier: code"))
    assert found(study, monkeypatch) == ""
    monkeypatch.setattr(choose_isolation, "choose", none)
    assert "benchmarks.sums: no isolation holds here" in found(study, monkeypatch)
    assert found(study, monkeypatch, local=False) == ""


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_missing_engine_stops_a_run_once_and_is_no_bug_of_passk(study: Study) -> None:
    study.spec["models"]["base"] |= {"weights": "org/name", "revision": "a", "engine": "vllm"}
    study.save()
    shown = study.passk("plan", study.file)
    assert shown.returncode == 0
    assert "what would stop a run here:" in shown.stdout
    assert "models.base.engine: engine 'vllm' needs the package 'vllm'" in shown.stdout
    done = study.run(
        *("snakemake", "--cores", "1", "-s", str(REPO / "Snakefile"), "--configfile", study.file)
    )
    text = done.stdout + done.stderr
    assert done.returncode == 1
    assert text.count("needs the package 'vllm', which is not installed") == 1
    assert "bug in passk" not in text
    assert not list((study.folder / "outputs").rglob("*.parquet"))
    with pytest.raises(PasskError, match="engine 'vllm' needs the package 'vllm'"):
        load_engine("vllm", ModelSource("org/name"))
