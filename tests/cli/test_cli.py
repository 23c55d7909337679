"""The command line: help with examples, one message per failure, parts on their own."""

from __future__ import annotations

import csv
import inspect
import json
import logging
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPO, Study

from passk.cli import main
from passk.cli.command import COMMANDS, parser
from passk.cli.stages import STAGE_FUNCTIONS
from passk.core.registry import load

PARSER = parser()

KEPT = {"command", "log", "gpus", "manifest"}
"""What a stage's command does not pass on to its function."""


def shown(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line that ends at once prints."""
    with pytest.raises(SystemExit):
        main(arguments)
    return capsys.readouterr().out


def test_help_lists_every_command_by_group_those_of_a_study_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = shown("--help", capsys=capsys)
    listed = re.findall(r"^  ([\w-]+) +\S", text, re.MULTILINE)
    assert listed[:3] == ["init", "try", "run"]
    assert sorted(listed) == sorted(COMMANDS)
    stages = text.partition("Stages")[2]
    assert "perplexity" in stages
    assert "passk COMMAND --help" in stages


def test_help_is_quick() -> None:
    command = [sys.executable, "-m", "passk", "--help"]
    subprocess.run(command, capture_output=True, check=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 0.5  # 0.1 s of a processor on a quiet machine; torch or pandas alone take more


def test_an_unknown_command_or_option_is_one_line_with_a_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments, message in (
        (["stauts"], "unknown command 'stauts'; did you mean 'status'?"),
        (["where", "a.yaml", "--modle", "x"], "passk where knows no --modle x"),
        ([], "COMMAND"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 2


def test_every_stage_is_a_command() -> None:
    stages = {"validate", "plan", "sample", "verify", "perplexity", "aggregate", "report"}
    assert stages | {"grade", "estimate", "clean"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example_that_the_parser_takes(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    example = shown(command, "--help", capsys=capsys).rpartition("example:\n")[2].strip()
    call = example[example.index(f"passk {command}") :].partition(")")[0]
    words = shlex.split(call.partition(" > ")[0].replace("*", "1"))[1:]
    options = vars(PARSER.parse_args(words))
    if command in STAGE_FUNCTIONS:
        function = load("stage", command, STAGE_FUNCTIONS)
        inspect.signature(function).bind(
            **{name: value for name, value in options.items() if name not in KEPT}
        )


def test_a_command_called_from_python_leaves_its_logging_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("passk")
    before = list(logger.handlers), logger.propagate, logger.level
    assert main(["plan", str(tmp_path / "none.yaml")]) == 2
    assert (logger.handlers, logger.propagate, logger.level) == before


@pytest.mark.parametrize("file", ["README.md", "docs/tutorial.md"])
def test_commands_named_in_the_docs_exist(file: str) -> None:
    text = (REPO / file).read_text()
    code = re.findall(r"^```sh\n(.*?)^```|`([^`\n]+)`", text, re.MULTILINE | re.DOTALL)
    lines = [line for parts in code for part in parts for line in part.splitlines()]
    found = [re.match(r"passk ([a-z][\w-]*)", line.strip()) for line in lines]
    named = {match[1] for match in found if match}
    assert len(named) > 5
    assert named <= set(COMMANDS)


def test_grade_keeps_the_rows_and_adds_the_verdict(study: Study) -> None:
    rows = [
        {"problem_id": "a", "gold": "1/2", "response": r"so \boxed{0.5}", "mine": 1},
        {"problem_id": "b", "gold": "7", "response": "The final answer is 8."},
        {"problem_id": "c", "gold": "x+1", "response": ""},
    ]
    source = study.folder / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = study.passk("grade", "--verifier", "math", "in.jsonl", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    graded = [json.loads(line) for line in (study.folder / "out.jsonl").read_text().splitlines()]
    assert [row["verdict"] for row in graded] == ["correct", "wrong", "no_answer"]
    assert graded[0].items() >= rows[0].items()
    assert graded[0]["answer"] == "0.5"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"problem_id": "a", "gold": "1"}', "response"),
        ("{", "in.jsonl:1"),
        ('["a"]', "in.jsonl:1"),
    ],
)
def test_grade_names_the_line_that_it_cannot_use(study: Study, line: str, message: str) -> None:
    (study.folder / "in.jsonl").write_text(line + "\n")
    done = study.passk("grade", "--verifier", "math", "in.jsonl", "-o", "out.jsonl")
    assert done.returncode == 1
    assert message in done.stderr
    assert not (study.folder / "out.jsonl").exists()


def test_estimate_on_published_counts(study: Study, shared_data: Path) -> None:
    folder = shared_data / "outputs" / "math500_base_vs_simplerl_counts_n128"
    published = json.loads((folder / "published.json").read_text())["pooled_pass_at_k"]
    with (
        (folder / "counts.csv").open() as source,
        (study.folder / "counts.csv").open("w") as target,
    ):
        print("model,problem_id,n,c", file=target)
        for row in csv.DictReader(source):
            for model, column in (("base", "base_correct"), ("rl", "simplerl_correct")):
                print(f"{model},{row['idx']},{row['n']},{row[column]}", file=target)
    done = study.passk("estimate", "counts.csv", "-o", "curves.csv")
    assert done.returncode == 0, done.stderr
    with (study.folder / "curves.csv").open() as curves:
        found = {(row["model"], row["k"]): row for row in csv.DictReader(curves)}
    assert len(found) == 2 * 128
    for model, values in published.items():
        for k, value in values.items():
            row = found[model, k]
            assert float(row["pass_at_k"]) == pytest.approx(value, abs=1e-12)
            assert float(row["ci_low"]) <= value <= float(row["ci_high"])


def test_a_fault_of_our_own_is_no_traceback(study: Study) -> None:
    study.change_passk("workflow/status/plan_report.py", "known_cells(plan), ", "{}[1], ")
    done = study.passk("plan", study.file)
    assert done.returncode == 1
    assert "a bug in passk: KeyError" in done.stderr


def test_an_interrupted_pipe_is_silent(study: Study) -> None:
    done = study.run("bash", "-c", f"{sys.executable} -m passk plan {study.file} --json | head -1")
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_grade_takes_gold_answers_from_a_benchmark(study: Study) -> None:
    rows = [{"problem_id": "p0", "response": "10"}, {"problem_id": "p1", "response": "10"}]
    (study.folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("grade", "--verifier", "number", "--benchmark", "benchmarks/sums.yaml")
    done = study.passk(*command, "in.jsonl", "-o", "out.jsonl")
    assert done.stdout == "1 correct, 1 wrong\n"
    (study.folder / "in.jsonl").write_text(json.dumps(rows[0] | {"problem_id": "p9"}))
    done = study.passk(*command, "in.jsonl", "-o", "out.jsonl")
    assert "in.jsonl:1: the benchmark has no problem 'p9'" in done.stderr
