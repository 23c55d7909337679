"""Entropy matching: the temperature that is found, kept, sampled at, told, and remade."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Study

from passk.core.artifacts import read_json, write_document
from passk.core.errors import DataError, EngineError, SpecError
from passk.core.schemas import Sample
from passk.engines.base import Request, Sampling
from passk.engines.fake import FakeEngine
from passk.spec.loading import load_experiment
from passk.stages.entropy import match

MATCHED = {"max_tokens": 8, "match_entropy": {"sampler": "plain", "problems": 4, "responses": 2}}


@pytest.fixture
def matched(study: Study) -> Study:
    """The small study with the tuned model drawn at a matched temperature, too."""
    study.spec["samplers"]["matched"] = json.loads(json.dumps(MATCHED))
    study.spec["perplexity"] = []
    wrong: Any = ["71", "72"]  # answers of one length: entropy per token then rises with T
    study.set_rates("base.jsonl", [0.9, 0.5, 0.3, 0.1], wrong=wrong)
    study.set_rates("tuned.jsonl", [0.95, 0.7, 0.15, 0.05], wrong=wrong)
    study.save()
    return study


def tasks(study: Study) -> tuple[Path, Path, Path]:
    """Write cell.json of the matched cell and of its base, and the questions."""
    found = json.loads(study.passk("plan", study.file, "--json").stdout)["cells"]
    ids = [cell["id"] for cell in found]
    paths = []
    for start in ("tuned.sums.matched", "base.sums.plain"):
        name = next(one for one in ids if one.startswith(start))
        paths.append(study.folder / start / "cell.json")
        study.passk("resolve", study.file, "--cell", name, "-o", str(paths[-1]))
    asked = study.folder / "questions.parquet"
    study.passk("problems", "benchmarks/sums.yaml", "--questions-only", "-o", str(asked))
    return paths[0], paths[1], asked


def test_entropies_agree_at_the_temperature_that_is_found(
    matched: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, base, asked = tasks(matched)
    monkeypatch.chdir(matched.folder)
    output = matched.folder / "temperature.json"
    match(cell, base, asked, output)
    found = read_json(output)
    assert found["entropy"] == pytest.approx(found["target"], rel=0.02)
    assert found["temperature"] > found["base_temperature"] == 1.0
    assert found["interval"][0] <= found["temperature"] <= found["interval"][1]
    tried = sorted(found["trials"], key=lambda trial: trial["temperature"])
    entropies = [trial["entropy"] for trial in tried]
    assert entropies == sorted(entropies)
    again = matched.folder / "again.json"
    match(cell, base, asked, again)
    assert read_json(again)["temperature"] == found["temperature"]


def test_a_killed_search_goes_on_where_it_was(
    matched: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, base, asked = tasks(matched)
    monkeypatch.chdir(matched.folder)
    whole, cut = matched.folder / "whole.json", matched.folder / "cut.json"
    match(cell, base, asked, whole)
    draw, drawn = FakeEngine.sample, list[Sample]()

    def counting(
        self: FakeEngine, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[Sample]:
        for row in draw(self, requests, sampling):
            drawn.append(row)
            if len(drawn) == 21:
                raise EngineError("stopped")
            yield row

    monkeypatch.setattr(FakeEngine, "sample", counting)
    with pytest.raises(EngineError, match="stopped"):
        match(cell, base, asked, cut)
    match(cell, base, asked, cut)
    first, second = read_json(whole), read_json(cut)
    assert second["trials"] == first["trials"]
    assert len(drawn) - 1 == first["responses"] == second["responses"]
    assert not list(matched.folder.glob("*.journal.jsonl"))


def test_what_cannot_be_matched_is_told(matched: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, base, asked = tasks(matched)
    monkeypatch.chdir(matched.folder)
    document = read_json(cell)
    write_document(cell, {**document, "match": {**document["match"], "high": 1.01}})
    with pytest.raises(DataError, match="raise `high` under `match_entropy`"):
        match(cell, base, asked, matched.folder / "x.json")
    draw = FakeEngine.sample

    def silent(
        self: FakeEngine, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[Sample]:
        for row in draw(self, requests, sampling):
            yield dataclasses.replace(row, mean_entropy=float("nan"))

    monkeypatch.setattr(FakeEngine, "sample", silent)
    with pytest.raises(EngineError, match="the engine fake tells no entropy"):
        match(cell, base, asked, matched.folder / "y.json")


def test_a_matched_cell_is_sampled_at_what_was_found_and_compared_with_the_plain_base(
    matched: Study,
) -> None:
    jobs = matched.snakemake()
    assert jobs["match_entropy"] == 1
    assert jobs["draw_samples"] == 6
    summary = pd.read_csv(matched.folder / "outputs/study/tables/summary.csv")
    row = summary.set_index(["model", "sampler"]).loc[("tuned", "matched")]
    (file,) = matched.folder.glob("outputs/store/cells/tuned.sums.matched-*/temperature.json")
    found = read_json(file)
    assert row["temperature"] == found["temperature"] > 1
    assert row["base"].startswith("base.sums.plain-")
    manifest = read_json(next(file.parent.glob("samples/*.manifest.json")))
    assert manifest["sampling"]["temperature"] == found["temperature"]
    assert manifest["fingerprint_inputs"]["temperature matched"]["tolerance"] == 0.02
    report = (matched.folder / "outputs/study/report.html").read_text()
    assert f"T = {found['temperature']:.3g}" in report
    assert matched.snakemake() == Counter()
    matched.spec["samplers"]["matched"]["match_entropy"]["tolerance"] = 0.01
    jobs = matched.snakemake()
    assert (jobs["match_entropy"], jobs["draw_samples"]) == (1, 2)
    matched.spec["samplers"]["plain"]["top_p"] = 0.9
    assert matched.snakemake("--dry-run")["match_entropy"] == 1


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ({"max_tokens": 8}, "samplers.matched: needs either `temperature` or `match_entropy`"),
        ({**MATCHED, "temperature": 1.0}, "needs either"),
        (
            {"max_tokens": 8, "match_entropy": {"sampler": "plian"}},
            "unknown name 'plian'; did you mean 'plain'",
        ),
        (
            {"max_tokens": 8, "match_entropy": {"sampler": "plain", "high": 0.05}},
            "match_entropy.high: is not above low = 0.1",
        ),
    ],
)
def test_a_sampler_without_a_way_to_a_temperature_is_refused(
    matched: Study, sampler: dict[str, object], words: str
) -> None:
    matched.spec["samplers"]["matched"] = sampler
    matched.save()
    with pytest.raises(SpecError) as caught:
        load_experiment(matched.folder / matched.file)
    assert words in str(caught.value)


@pytest.fixture
def sharpened(study: Study) -> Study:
    """A real engine on a tiny model, and the same with logits 1.6 times as far apart."""
    pytest.importorskip("transformers")
    from tiny_models import WIDE, byte_tokenizer, tiny_model

    for name, factor in (("base", 1.0), ("tuned", 1.6)):
        model = tiny_model(**WIDE, tie_word_embeddings=False)
        model.lm_head.weight.mul_(factor)
        model.save_pretrained(study.folder / name)
        byte_tokenizer().save_pretrained(study.folder / name)
        entry = study.spec["models"][name]
        entry |= {"weights": f"./{name}", "engine": "transformers", "execution": {"threads": 1}}
    match = {"sampler": "plain", "problems": 4, "responses": 8, "tolerance": 0.005}
    study.spec["samplers"] = {
        "plain": {"temperature": 0.5, "max_tokens": 6},
        "matched": {"max_tokens": 6, "match_entropy": match},
    }
    study.spec["perplexity"] = []
    study.save()
    return study


def test_a_sharpened_model_is_matched_by_as_much_more_temperature(
    sharpened: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, base, asked = tasks(sharpened)
    monkeypatch.chdir(sharpened.folder)
    match(cell, base, asked, sharpened.folder / "t.json", threads=1)
    found = read_json(sharpened.folder / "t.json")
    assert found["temperature"] == pytest.approx(1.6 * 0.5, rel=0.03)
    assert found["entropy"] == pytest.approx(found["target"], rel=0.005)
    assert found["tuned"]["engine"] == "transformers"
