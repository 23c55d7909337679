"""The mistakes a newcomer makes: each way in answers with one message, and no line of a stack.

`passk plan` and `passk run` are called for all of them; plain `snakemake`, which takes seconds to
start, for some (all with PASSK_TEST_LARGE=1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from conftest import REPO, Study, write_jsonl

from passk.cli import main
from passk.core.artifacts import write_json
from passk.workflow.paths import Layout
from passk.workflow.snakemake.locks import lock_outputs

Edit = Callable[[Study], object]

STACK = re.compile(r'Traceback|^\s*File ".*", line \d+', re.MULTILINE)


def spec(change: Callable[[dict[str, Any]], object]) -> Edit:
    """A mistake in the spec."""
    return lambda study: (change(study.spec), study.save())


def base(**entry: Any) -> Edit:
    """A mistake in the entry of the base model."""
    return spec(lambda data: data["models"]["base"].update(entry))


def text(old: str, new: str) -> Edit:
    """A mistake in the text of the spec."""

    def edit(study: Study) -> None:
        file = study.folder / study.file
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return edit


def old_store(study: Study) -> None:
    """Outputs of an earlier passk."""
    write_json(study.folder / "outputs/store/problems/sums-1/questions.recipe.json", {})


def no_golds(study: Study) -> None:
    """A benchmark without one of its columns."""
    write_jsonl(study.folder / "benchmarks/sums.jsonl", [{"id": "p0", "question": "1 + 1 ="}])


SERVED = {"weights": "m", "engine": "openai", "endpoint": "http://localhost:1/v1"}
HUB = {"weights": "org/name", "revision": "abc", "engine": "vllm"}

MISTAKES: dict[str, tuple[Edit, str]] = {
    "no such spec": (lambda study: (study.folder / study.file).unlink(), "no such file"),
    "a tab": (text("name: study", "name:\n\tstudy"), "is not YAML"),
    "an empty spec": (lambda study: (study.folder / study.file).write_text(""), "holds no mapping"),
    "an unknown key": (base(wieghts="x"), "unknown key 'wieghts'; did you mean 'weights'?"),
    "a key twice": (text("name: study", "name: study\nname: other"), "the key occurs twice"),
    "a renamed key": (base(key="TOKEN"), "api_key_env"),
    "a word for a number": (
        spec(lambda data: data["samplers"]["plain"].update(temperature="warm")),
        '"warm" should be a number',
    ),
    "an unknown engine": (base(engine="vlm"), "unknown name 'vlm'; did you mean 'vllm'?"),
    "an unknown benchmark": (
        spec(lambda data: data["benchmarks"].update(math50={"n": 8})),
        "unknown benchmark 'math50'; did you mean 'math500'?",
    ),
    "an unknown prompt": (
        spec(lambda data: data["benchmarks"]["sums"].update(prompt="qwen-box")),
        "unknown prompt 'qwen-box'; did you mean 'qwen-boxed'?",
    ),
    "a tuned model without a base": (
        spec(lambda data: data["models"]["tuned"].pop("base")),
        "needs `base`",
    ),
    "a base that is no model": (
        spec(lambda data: data["models"]["tuned"].update(base="bose")),
        "unknown name 'bose'; did you mean 'base'?",
    ),
    "k above n": (spec(lambda data: data.update(k=[16])), "k = 16 is more than n = 8"),
    "an n that shards do not fill": (
        spec(lambda data: data.update(shard=3)),
        "n = 8 is not a multiple of shard = 3",
    ),
    "no weights there": (base(weights="./gone.jsonl"), "no such file or folder: ./gone.jsonl"),
    "a package that is not installed": (
        base(weights="package:no-such-weights"),
        "needs the package 'no-such-weights'",
    ),
    "an API key that is not set": (
        base(**SERVED, api_key_env="PASSK_NO_KEY"),
        "the environment variable PASSK_NO_KEY is not set",
    ),
    "an engine that is not installed": (base(**HUB), "needs the package 'vllm'"),
    "a benchmark without its data": (
        lambda study: (study.folder / "benchmarks/sums.jsonl").unlink(),
        "sums.jsonl",
    ),
    "a column that is missing": (no_golds, "'gold'"),
    "a benchmark in place of a spec": (
        lambda study: (study.folder / study.file).write_text(
            (study.folder / "benchmarks/sums.yaml").read_text()
        ),
        "this file describes a benchmark, and a spec is needed",
    ),
    "outputs of an earlier passk": (old_store, "this outputs folder has format 1"),
}

LISTED = ("no weights there", "an API key that is not set", "an engine that is not installed")
"""Mistakes that `passk plan` lists below the plan: it is of use without them."""

BEFORE_THE_WORKFLOW = ("no such spec", "a tab", "an empty spec")
"""Mistakes that Snakemake itself finds, before it looks at any workflow (docs/design.md)."""

QUICK = ("an unknown key", "k above n", "no weights there", "outputs of an earlier passk")
"""Mistakes that plain `snakemake` is tried with by default."""


@pytest.fixture(params=MISTAKES)
def mistake(
    request: pytest.FixtureRequest, study: Study, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """A study with one mistake in it: its name, and what the message has to say."""
    edit, message = MISTAKES[request.param]
    if message.endswith("'vllm'") and find_spec("vllm") is not None:
        pytest.skip("vLLM is installed here")
    edit(study)
    monkeypatch.chdir(study.folder)
    monkeypatch.delenv("PASSK_NO_KEY", raising=False)
    return request.param, message


def check_message(said: str, message: str) -> None:
    """Require the message once, and no line of a stack."""
    assert said.count(message) == 1, said
    assert not STACK.search(said), said
    assert "bug in passk" not in said


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_command_answers_with_one_message(
    mistake: tuple[str, str], command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    name, message = mistake
    status = main([command, "study.yaml"])
    out, err = capfd.readouterr()
    if command == "plan" and name in LISTED:
        assert status == 0
        assert "what would stop a run here:" in out
        check_message(out, message)
    else:
        assert status in (1, 2)
        assert err.count("passk: error: ") == 1
        check_message(err, message)


def test_plain_snakemake_answers_with_the_same_message(
    mistake: tuple[str, str], study: Study
) -> None:
    name, message = mistake
    if name not in QUICK and not os.environ.get("PASSK_TEST_LARGE"):
        pytest.skip("with PASSK_TEST_LARGE=1")
    snakefile = str(REPO / "Snakefile")
    done = study.run("snakemake", "-c1", "-s", snakefile, "--configfile", study.file)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    if name in BEFORE_THE_WORKFLOW:
        assert "passk" not in said.replace(str(REPO), "")
    else:
        assert said.count("passk: error: ") == 1
        check_message(said, message)
    assert not list((study.folder / "outputs").rglob("*.parquet"))


def test_a_second_run_at_once_is_one_message(study: Study) -> None:
    study.save()
    root = str(study.folder / "outputs")
    study.spec["outputs"] = root
    with lock_outputs(Layout(root), [f"{root}/study/report.html"], "first.yaml", 2e9):
        snakefile = str(REPO / "Snakefile")
        study.save()
        done = study.run("snakemake", "-c1", "-s", snakefile, "--configfile", study.file)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert said.count("passk: error: ") == 1
    check_message(said, "is making study")
