"""`passk plan` and `snakemake -n` always agree, and damage and renames cost what the docs say."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import REPO, Study, make_study
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from preloaded import Preloaded

from passk.workflow import build_plan
from passk.workflow.check import check_study
from passk.workflow.files import Build

FEW = 2
"""Random sequences of edits, each compared with a dry run."""

SEQUENCES = int(os.environ.get("PASSK_TEST_SEQUENCES", FEW))
"""How many there are; where there are more, as in `PASSK_TEST_SEQUENCES=200`, one in `RUN_ONE_IN`
is also run to its end."""

RUN_ONE_IN = 8

DONE = Counter[str]()
"""How many were compared, and how many run to the end."""

log = logging.getLogger(__name__)


def delete(pattern: str) -> Callable[[Study, random.Random], None]:
    """Delete a random file or folder that matches."""

    def edit(study: Study, draw: random.Random) -> None:
        found = sorted((study.folder / "outputs").glob(pattern))
        if found:
            path = draw.choice(found)
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


def touch(study: Study, draw: random.Random) -> None:
    """Give every file a random time."""
    for path in (study.folder / "outputs").rglob("*"):
        os.utime(path, (draw.randrange(2**30),) * 2)


def copy_away(study: Study, _draw: random.Random) -> None:
    """Copy the outputs without their times."""
    shutil.copytree(study.folder / "outputs", study.folder / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(study.folder / "outputs")
    (study.folder / "copy").rename(study.folder / "outputs")


def lose_metadata(study: Study, _draw: random.Random) -> None:
    """Delete .snakemake."""
    shutil.rmtree(study.folder / ".snakemake", ignore_errors=True)


def spec(change: Callable[[dict[str, object]], object]) -> Callable[[Study, random.Random], None]:
    """Edit the spec."""
    return lambda study, _draw: change(study.spec) and None


def rename(study: Study, _draw: random.Random) -> None:
    """Give the base another name."""
    models = study.spec["models"]
    if "base" in models:
        models["qwen"] = models.pop("base")
        for one in (models.get("tuned", {}), *study.spec["perplexity"]):
            for key in {"base", "scorer"} & set(one):
                one[key] = "qwen"


def one_more_model(study: Study, _draw: random.Random) -> None:
    """Add a model."""
    study.set_rates("more.jsonl", [0.2, 0.4, 0.6, 0.8])
    study.spec["models"]["more"] = {"weights": "./more.jsonl", "engine": "fake"}


def until_samples(study: Study, _draw: random.Random) -> None:
    """Run a part of what there is to do."""
    if SEQUENCES > FEW:
        study.snakemake("--until", "draw_samples")


EDITS = {
    **{
        f"delete {pattern}": delete(pattern)
        for pattern in (
            *("store/cells/*/samples/*.parquet", "store/cells/*/verdicts/*/*.parquet"),
            *("store/cells/*/counts/*.parquet", "store/cells/*/scores/*/*.parquet"),
            *("store/cells/*/cell.json", "store/cells/*", "store/problems/*/*.parquet"),
            *("study/tables/*", "study/figures", "study/plan.json", "study/report.html"),
            *("study/manifests/*.json", "store/cells/*/samples", "store"),
        )
    },
    "touch": touch,
    "copy": copy_away,
    "lose metadata": lose_metadata,
    "n": spec(lambda s: s["benchmarks"]["sums"].update(n=16)),
    "less n": spec(lambda s: s["benchmarks"]["sums"].update(n=4) or s.update(k=[1, 4])),
    "problems": spec(lambda s: s["benchmarks"]["sums"].update(problems=2)),
    "shard": spec(lambda s: s.update(shard=2)),
    "batches": spec(lambda s: s.update(jobs={"shards": 2, "scores": 2})),
    "execution": spec(lambda s: s["models"].get("base", {}).update(execution={"batch_size": 3})),
    "another title": spec(lambda s: s.update(title="Again")),
    "fewer k": spec(lambda s: s.update(k=[1, 2])),
    "one more model": one_more_model,
    "no tuned": spec(lambda s: s["models"].pop("tuned", None) and s.update(perplexity=[])),
    "rename": rename,
    "gold": lambda study, draw: study.set_golds(draw.sample(["10", "11", "12", "13", "9"], 4)),
    "rates": lambda study, draw: study.set_rates("base.jsonl", [draw.random()] * 4),
    "run to the samples": until_samples,
    "label": spec(lambda s: s["models"].get("tuned", {}).update(label="After RL")),
    "temperature": spec(lambda s: s["samplers"]["plain"].update(temperature=0.3)),
    "scores": spec(lambda s: [one.update(per_problem=6) for one in s["perplexity"]]),
    "no scores": spec(lambda s: s.update(perplexity=[])),
}


@contextmanager
def inside(study: Study) -> Iterator[Path]:
    """Work in the study's folder, with its spec saved."""
    study.save()
    with contextlib.chdir(study.folder):
        yield Path(study.file)


def planned(study: Study) -> set[str]:
    """First outputs of what passk says must be made."""
    with inside(study) as spec:
        return set(Build(build_plan(spec)).pending)


def listed(study: Study, *more: str) -> set[str]:
    """All outputs of the jobs that a run of Snakemake lists; with `-n` it is a dry run."""
    command = ("snakemake", "-c2", "-s", str(REPO / "Snakefile"), "--configfile", study.file)
    done = study.run(*command, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    found = [line.split("output: ")[1] for line in lines if line.strip().startswith("output: ")]
    return {path for line in found for path in line.split(", ")}


@pytest.fixture(scope="session")
def sequences_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study | None]:
    """In the large version, a finished study whose commands start fast; all its figures are one."""
    if SEQUENCES <= FEW:
        yield None
        return
    folder = tmp_path_factory.mktemp("sequences")
    with Preloaded(folder / "bin") as preloaded, pytest.MonkeyPatch.context() as patch:
        for name, value in preloaded.environment.items():
            patch.setenv(name, value)
        (folder / "study").mkdir()
        study = FastStudy(folder / "study", make_study(folder / "study").spec)
        study.spec["figures"] = ["curves"]
        study.snakemake()
        yield study
        log.warning("sequences: %s", dict(DONE))


class FastStudy(Study):
    """A study whose commands are the forks of a process that has imported them."""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command with the environment as it is."""
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)


@settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(
    edits=st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=5),
    seed=st.integers(0, 2**16),
)
def test_passk_and_snakemake_agree_after_any_edits(
    sequences_of: Study | None, request: pytest.FixtureRequest, edits: list[str], seed: int
) -> None:
    start: Study = sequences_of or request.getfixturevalue("finished_once")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(start.folder, folder, dirs_exist_ok=True)
        study = type(start)(Path(folder), copy.deepcopy(start.spec))
        draw = random.Random(seed)
        for name in edits:
            EDITS[name](study, draw)
        ours, theirs, files = planned(study), listed(study, "-n"), _files_of(study)
        assert ours <= theirs, (edits, sorted(ours - theirs))
        assert {files[path] for path in theirs} == ours, (edits, sorted(theirs - ours))
        DONE["compared"] += 1
        if sequences_of is not None and seed % RUN_ONE_IN == 0:
            ran = listed(study)
            DONE["run"] += 1
            assert {files[path] for path in ran} == ours, (edits, sorted(ours ^ ran))
            assert planned(study) == set(), edits
            with inside(study) as spec:
                assert check_study(build_plan(spec)).damaged == (), edits


def _files_of(study: Study) -> dict[str, str]:
    """Every output of the plan -> the first output that is made with it."""
    with inside(study) as spec:
        files = Build(build_plan(spec)).files
    return {path: made.outputs[0] for path, made in files.items()}


def test_another_working_directory_makes_nothing(
    finished: Study, tmp_path_factory: pytest.TempPathFactory
) -> None:
    finished.spec["outputs"] = "outputs"
    elsewhere = replace(finished, folder=tmp_path_factory.mktemp("elsewhere"))
    with inside(finished):
        assert not Build(build_plan(Path(finished.file))).pending
    spec = os.path.relpath(finished.folder / finished.file, elsewhere.folder)
    with contextlib.chdir(elsewhere.folder):
        assert not Build(build_plan(Path(spec))).pending
        assert check_study(build_plan(Path(spec))).damaged == ()
    (finished.folder / "outputs/study/tables/summary.csv").unlink()
    command = ("snakemake", "-c2", "-s", str(REPO / "Snakefile"), "--configfile", spec)
    done = elsewhere.run(*command, "--quiet", "rules")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (finished.folder / "outputs/study/tables/summary.csv").is_file()
    with inside(finished):
        assert not Build(build_plan(Path(finished.file))).pending
    assert sorted(path.name for path in elsewhere.folder.iterdir()) == [".snakemake"]


def test_names_decide_nothing(finished: Study) -> None:
    models, scores = finished.spec["models"], finished.spec["perplexity"][0]
    models["qwen"] = models.pop("base")
    models["tuned"]["base"] = "qwen"
    scores["scorer"] = "qwen"
    scores["responses_of"] = ["qwen" if x == "base" else x for x in scores["responses_of"]]
    finished.spec["samplers"]["hot"] = finished.spec["samplers"].pop("plain")
    analysis = Counter(resolve_experiment=1, aggregate_tables=1, draw_figures=1, write_report=1)
    assert finished.snakemake("--dry-run") == analysis


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "folder", "swap"])
def test_a_damaged_file_is_set_aside_by_a_check_and_made_again(
    finished: Study, damage: str
) -> None:
    one, other = sorted((finished.folder / "outputs").glob("store/cells/*/samples/000000*.parquet"))
    content = bytearray(one.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 4
    if damage in {"cut", "empty"}:
        del content[len(content) // 2 if damage == "cut" else 0 :]
    if damage == "swap":
        content = bytearray(other.read_bytes())
    one.write_bytes(content)
    if damage == "folder":
        one.unlink()
        one.mkdir()
    done = finished.passk("check", finished.file)
    assert f"{one.name}.damaged" in done.stdout
    assert "1 damaged" in done.stdout
    assert not one.exists()
    assert done.returncode != 0


def test_a_lost_or_changed_manifest_is_written_again(finished: Study) -> None:
    manifests = sorted((finished.folder / "outputs").glob("store/cells/*/samples/*.manifest.json"))
    whole = [path.read_text() for path in manifests[:2]]
    manifests[0].unlink()
    manifests[1].write_text(whole[1].replace("0", "1", 1))
    done = finished.passk("check", finished.file)
    assert " 0 damaged" in done.stdout
    assert done.returncode == 0
    assert [json.loads(path.read_text()) for path in manifests[:2]] == list(map(json.loads, whole))
