from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from passk.core.artifacts import digest, read_manifest
from passk.core.errors import DataError, PasskError, VerifierError
from passk.core.schemas import Problem, Sample, Verdict, read_rows, write_rows
from passk.stages.verify import grade, grade_file, verify
from passk.verifiers.grading.worker_pool import PoolConfig


def problem(name: str, gold: object) -> Problem:
    text = json.dumps(gold)
    return Problem(name, f"question {name}", text, [], "{}", digest(name), digest(text))


def sample(name: str, index: int, text: str) -> Sample:
    return Sample(name, index, 1, text, [], 3, "stop", -1.0, 0.5)


def write_inputs(folder: Path, samples: list[Sample]) -> tuple[Path, Path]:
    problems = folder / "problems.parquet"
    write_rows(problems, [problem("a", "57"), problem("b", ["3/4", "0.5"])])
    write_rows(folder / "samples.parquet", samples)
    return problems, folder / "samples.parquet"


def lines(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_stage_writes_a_verdict_per_sample_in_the_same_order(tmp_path: Path) -> None:
    texts = [("b", 1, " 0.75"), ("a", 0, " 57\n1 + 1 = 2"), ("a", 1, "no"), ("b", 0, "8")]
    inputs = write_inputs(tmp_path, [sample(*row) for row in texts])
    output = tmp_path / "verdicts.parquet"
    verify(*inputs, output, "number", {"which": "first"})
    rows = read_rows(output, Verdict)
    assert [(r.problem_id, r.sample, r.verdict, r.answer) for r in rows] == [
        ("b", 1, "correct", "0.75"),
        ("a", 0, "correct", "57"),
        ("a", 1, "no_answer", None),
        ("b", 0, "wrong", "8"),
    ]
    assert [r.answer_class for r in rows] == ["3/4", "57", None, "8"]


def test_manifest_says_what_graded_and_how_it_came_out(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, [sample("a", 0, "57"), sample("a", 1, "58")])
    verify(*inputs, tmp_path / "v.parquet", "number", {"which": "last"})
    manifest = read_manifest(tmp_path / "v.parquet")
    assert manifest is not None
    assert manifest["verifier"] == {"name": "number", "version": 1, "options": {"which": "last"}}
    assert manifest["verdicts"] == {
        "correct": 1,
        "wrong": 1,
        "no_answer": 0,
        "timeout": 0,
        "error": 0,
    }
    assert manifest["seconds"] >= 0
    assert "passk" in manifest["packages"]


def test_samples_of_other_problems_are_named(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, [sample("a", 0, "57"), sample("zz", 0, "57")])
    with pytest.raises(DataError, match=r"samples\.parquet.*zz"):
        verify(*inputs, tmp_path / "v.parquet", "number")
    assert not (tmp_path / "v.parquet").exists()


def test_rows_of_ones_own_keep_their_keys_and_order(tmp_path: Path) -> None:
    source = lines(
        tmp_path / "in.jsonl",
        [
            {"problem_id": 7, "gold": "57", "response": "57", "model": "x"},
            {"problem_id": 7, "gold": 57, "response": "58"},
            {"problem_id": "q", "gold": ["1", 2], "response": "it is 2"},
            {"problem_id": "q", "gold": "1", "response": "\ud800 none \0"},
        ],
    )
    counts = grade_file(source, tmp_path / "out.jsonl", "number")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["verdict"] for row in rows] == ["correct", "wrong", "correct", "no_answer"]
    assert rows[0]["model"] == "x"
    assert rows[3]["response"] == "\ud800 none \0"
    assert rows[1]["answer"] == "58"
    assert counts == {"correct": 2, "wrong": 1, "no_answer": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"problem_id": 1, "gold": "2"}', "missing key 'response'"),
        ('{"problem_id": 1, "gold": "2", ', "not a line of JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"problem_id": 1, "gold": {"a": 1}, "response": ""}', "key 'gold'"),
        ('{"problem_id": 1, "gold": [], "response": ""}', "key 'gold'"),
        ('{"problem_id": 1, "gold": "1", "response": 5}', "key 'response'"),
        ("\ufeff\udcff", "not a line of JSON"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(tmp_path: Path, row: str, message: str) -> None:
    good = '{"problem_id": 1, "gold": "2", "response": "2"}\n'
    source = tmp_path / "in.jsonl"
    source.write_bytes((good + row + "\n").encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError) as failure:
        grade_file(source, tmp_path / "out.jsonl", "number")
    assert f"{source}:2" in str(failure.value)
    assert message in str(failure.value)
    assert list(tmp_path.iterdir()) == [source]


def test_no_file_and_no_rows_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl"):
        grade_file(tmp_path / "none.jsonl", tmp_path / "out.jsonl", "number")
    with pytest.raises(DataError, match="no rows"):
        grade_file(lines(tmp_path / "in.jsonl", []), tmp_path / "out.jsonl", "number")


def test_unknown_verifier_and_option_are_answered_with_the_nearest_name() -> None:
    with pytest.raises(PasskError, match="did you mean 'math'"):
        grade([('"1"', "1")], PoolConfig("maths", {}))
    with pytest.raises(VerifierError, match="did you mean 'which'"):
        grade([('"1"', "1")], PoolConfig("number", {"whichs": "first"}))
    with pytest.raises(VerifierError, match="available: first, last"):
        grade([('"1"', "1")], PoolConfig("number", {"which": 3}))


def test_progress_reaches_the_total() -> None:
    seen: list[tuple[int, int]] = []
    responses = [('"a"', letter) for letter in "abcc"]
    grade(responses, PoolConfig("fake", {}), progress=lambda *step: seen.append(step))
    assert list(dict.fromkeys(seen)) == [(0, 4), (1, 4), (2, 4), (4, 4)]


def test_each_distinct_pair_is_compared_once() -> None:
    found = grade([('"a"', "a"), ('"b"', "a"), ('"a"', "a")] * 50, PoolConfig("fake", {}))
    assert len({id(g) for g in found}) == 2
    assert [g.verdict for g in found[:3]] == ["correct", "wrong", "correct"]


@pytest.mark.parametrize(
    ("answer", "verdict", "detail"),
    [
        ("hang", "timeout", "over the deadline of 1 s"),
        ("die", "error", "the worker died (status -9)"),
        ("eat", "error", "out of memory"),
        ("raise", "error", "raised RuntimeError"),
    ],
)
def test_a_failure_is_of_its_own_pair_alone(answer: str, verdict: str, detail: str) -> None:
    answers = ["a", answer, "b", "print", "c"]
    setup = PoolConfig("fake", {}, workers=2, deadline=1.0, memory=1 << 27)
    found = grade([(json.dumps(a), a) for a in answers], setup)
    assert [g.verdict for g in found] == ["correct", verdict, "correct", "correct", "correct"]
    assert (found[1].detail, found[1].answer, found[1].answer_class) == (detail, answer, answer)


KILLED = """
import sys
from pathlib import Path
from passk.stages.verify import grade_file
source, output = map(Path, sys.argv[1:])
grade_file(source, output, "fake", timeout=600.0, progress=lambda *step: print(step, flush=True))
"""


def test_a_run_that_is_killed_leaves_nothing_half_written(tmp_path: Path) -> None:
    row = {"problem_id": 1, "gold": "a", "response": "a"}
    source = lines(tmp_path / "in.jsonl", [row, {**row, "response": "hang"}])
    output = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", KILLED, str(source), str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.kill()
    assert list(tmp_path.iterdir()) == [source]
    lines(source, [row, {**row, "response": "b"}])
    assert grade_file(source, output, "fake") == {"correct": 1, "wrong": 1}
