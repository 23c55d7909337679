"""A sampling setting is defined once: schema, cell id, task file and engine argument follow it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPO, Study

from passk.core.documents import default, from_document, to_document
from passk.core.errors import DataError, SpecError
from passk.core.schemas import Sample, to_table
from passk.engines.openai.messages import settings_body
from passk.spec.models import EntropyMatch, Sampler
from passk.spec.sampling import Sampling, setting_names
from passk.spec.server_profiles import server_profiles
from passk.stats.sample_repeats import fingerprints
from passk.workflow import Plan, build_plan
from passk.workflow.task_files import cell_task

SERVED = {"weights": "m", "engine": "openai", "endpoint": "http://localhost:1/v1"}


def plan_of(study: Study, monkeypatch: pytest.MonkeyPatch, **sampler: Any) -> Plan:
    """The plan of a study of one served model."""
    study.spec |= {"models": {"base": SERVED}, "perplexity": []}
    study.spec["samplers"]["plain"] |= sampler
    study.save()
    monkeypatch.chdir(study.folder)
    return build_plan(Path(study.file))


def test_the_schema_has_the_settings_of_the_class_with_their_defaults() -> None:
    schema = json.loads((REPO / "specs/schema/experiment.schema.json").read_text())
    keys = schema["$defs"]["sampler"]["properties"]
    about = {"match_entropy", "base", "label", "color"}
    assert set(keys) - about == setting_names() - {"stop"}  # `stop` is the prompt's
    for name, field in Sampling.__dataclass_fields__.items():
        if "default" in keys.get(name, {}):
            wanted = default(field)
            assert keys[name]["default"] == (list(wanted) if wanted == () else wanted)


def test_a_setting_reaches_the_cells_id_its_task_file_and_the_request(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = plan_of(study, monkeypatch).cells.values()
    assert "frequency_penalty" not in cell_task(before)["sampling"]
    (cell,) = plan_of(study, monkeypatch, frequency_penalty=1).cells.values()
    assert cell.id != before.id
    assert cell.fingerprint_inputs["frequency_penalty"] == 1.0
    sampling = from_document(Sampling, cell_task(cell)["sampling"], "cell")
    vllm = server_profiles()["vllm"]
    assert settings_body(vllm, sampling, chat=False)["frequency_penalty"] == 1.0
    plain = from_document(Sampling, cell_task(before)["sampling"], "cell")
    assert "frequency_penalty" not in settings_body(vllm, plain, chat=False)


def test_an_engine_without_a_setting_is_refused_with_the_line(study: Study) -> None:
    study.spec["samplers"]["plain"]["frequency_penalty"] = 0.5
    study.spec["models"].pop("tuned")
    study.spec["perplexity"] = []
    study.save()
    with pytest.raises(SpecError) as error:
        build_plan(study.folder / study.file)
    (line,) = str(error.value).splitlines()
    assert "samplers.plain.frequency_penalty: `engine: fake` of 'base' does not support it" in line
    assert line.endswith("openai and vllm do")


def test_a_penalty_makes_log_probabilities_say_nothing_of_repeats() -> None:
    rows = [Sample("p", 0, 0, "so", [1, 2], 2, "stop", -3.0, 0.5)]
    plain = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "max_tokens": 9}
    table = to_table(Sample, rows)
    assert fingerprints(table, plain)[1] == pytest.approx([3.0])
    assert fingerprints(table, plain | {"frequency_penalty": 0.0})[1] == pytest.approx([3.0])
    for setting in ({"frequency_penalty": 0.5}, {"top_k": 5}, {"min_p": 0.1}):
        found = fingerprints(table, plain | setting)[1]
        assert np.all(found == pytest.approx([0.1 * 0.5 * 2]))


def test_a_matched_temperature_is_stated_as_unknown() -> None:
    matched = Sampler("m", Sampling(max_tokens=4), EntropyMatch("plain"))
    assert matched.temperature is None
    assert matched.settings(("\n",)) == {
        "temperature": None,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "max_tokens": 4,
        "stop": ["\n"],
    }


def test_a_document_and_its_class_are_each_others_inverse() -> None:
    sampling = Sampling(0.5, stop=("a", "b"), stop_token_ids=(3,), frequency_penalty=-1.0)
    assert from_document(Sampling, sampling.document(), "x") == sampling
    assert from_document(Sampling, to_document(sampling), "x") == sampling
    with pytest.raises(DataError, match=r"x: unknown field 'top_q'; did you mean 'top_p'\?"):
        from_document(Sampling, {"top_q": 1}, "x")
    with pytest.raises(DataError, match="missing field 'sampler'"):
        from_document(EntropyMatch, {}, "x")
