"""Formats by name, files that would count twice, and keys that contradict each other."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import write_jsonl

from passk.core.errors import DataError, PasskError
from passk.core.registry import FORMATS, load
from passk.core.schemas import Problem, Sample, Verdict, read_rows
from passk.interop.base import Group
from passk.interop.column_mapping import parse_condition
from passk.interop.formats.detection import detect_format
from passk.interop.import_command import run_import
from passk.interop.import_results import ImportOptions, describe_import, import_results

REASONING = "First I add the two numbers, then I check the sum, and the answer is "
"""Makes responses so long that equal ones are no coincidence."""


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A benchmark of three questions."""
    rows = [{"id": f"T/{i}", "question": f"What is {i} + 10 ?", "gold": 10 + i} for i in range(3)]
    return benchmark(tmp_path, rows, verifier="number", prompt="qwen-boxed")


def benchmark(folder: Path, rows: list[dict[str, Any]], **more: Any) -> Path:
    write_jsonl(folder / "rows.jsonl", rows)
    spec = {"title": "Rows", "source": {"file": "rows.jsonl"}, "columns": {"id": "id"}, **more}
    (folder / "rows.yaml").write_text(yaml.safe_dump(spec))
    return folder / "rows.yaml"


def read(spec: Path, form: str, *files: Path, **options: Any) -> tuple[dict[str, Any], list[Any]]:
    """Import and return the manifest and (problem, sample, text, verdict) of each response."""
    folder = spec.parent / "imports/x"
    manifest = import_results(
        form, files, str(spec), folder, model="m", options=ImportOptions(**options)
    )
    verdicts = {}
    if manifest["verdicts"]:
        rows = read_rows(folder / "foreign.parquet", Verdict)
        verdicts = {(row.problem_id, row.sample): row.verdict for row in rows}
    samples = read_rows(folder / "samples.parquet", Sample)
    return manifest, [
        (s.problem_id, s.sample, s.text, verdicts.get((s.problem_id, s.sample))) for s in samples
    ]


def refuses(spec: Path, form: str, *files: Path, match: str, **options: Any) -> None:
    """Check for one message, an existing import that stays as it is, and no folder left."""
    kept = spec.parent / "imports"
    before = {p.name: p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    with pytest.raises(DataError, match=match):
        read(spec, form, *files, **options)
    assert {p.name: p.read_bytes() for p in kept.rglob("*") if p.is_file()} == before
    assert kept.exists() == bool(before)


def table_rows(run: str = "") -> list[dict[str, Any]]:
    return [{"problem_id": f"T/{i}", "text": f"{REASONING}{i}{run}"} for i in range(3)]


# --- n is never inflated ----------------------------------------------------------------------


def lm_eval_lines(filters: int, **more: Any) -> list[dict[str, Any]]:
    """Lines as lm-eval up to 0.4.6 writes them: one per document and filter, without its name."""
    return [
        {
            "doc_id": i,
            "doc": {"question": f"What is {i} + 10 ?"},
            "arguments": {"gen_args_0": {"arg_0": f"Q: What is {i} + 10 ?"}},
            "resps": [[f"{REASONING}{i}"]],
            "filtered_resps": [f"{i}" if number else "[invalid]"],
            "exact_match": float(number),
            **more,
        }
        for i in range(3)
        for number in range(filters)
    ]


def test_old_lm_eval_lines_of_two_filters_are_one_response(sums: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "samples_old.jsonl", lm_eval_lines(2))
    manifest, found = read(sums, "lm-eval", tmp_path / "samples_old.jsonl")
    assert manifest["n"] == {"1": 3}
    assert {verdict for *_, verdict in found} == {"wrong"}
    assert manifest["notes"]["filter"] == "1 (also present: 2)"
    _, second = read(sums, "lm-eval", tmp_path / "samples_old.jsonl", filter="2")
    assert {verdict for *_, verdict in second} == {"correct"}
    refuses(sums, "lm-eval", tmp_path / "samples_old.jsonl", match="no filter 'x'", filter="x")


def test_lm_eval_lines_that_occur_twice_are_refused(sums: Path, tmp_path: Path) -> None:
    lines = lm_eval_lines(1, filter="none")
    write_jsonl(tmp_path / "a.jsonl", lines * 2)
    refuses(sums, "lm-eval", tmp_path / "a.jsonl", match="document 0 occurs twice under filter")
    other = lm_eval_lines(1)
    other[0]["resps"] = [["another run"]]
    write_jsonl(tmp_path / "b.jsonl", lm_eval_lines(1) + other)
    refuses(sums, "lm-eval", tmp_path / "b.jsonl", match="twice with different responses")


def test_files_that_repeat_another_are_refused(sums: Path, tmp_path: Path) -> None:
    first, second, doubled = (tmp_path / f"{name}.jsonl" for name in ("a", "b", "c"))
    write_jsonl(first, table_rows())
    write_jsonl(doubled, [row for row in table_rows() for _ in range(2)])
    second.write_bytes(first.read_bytes())
    refuses(sums, "table", first, first, match="a.jsonl: is named twice")
    refuses(sums, "table", first, tmp_path, match="is named twice")
    refuses(sums, "table", first, second, match="b.jsonl: has the same content as .*a.jsonl")
    read(sums, "table", first)
    refuses(sums, "table", doubled, match="c.jsonl: has every response twice")
    write_jsonl(second, [row | {"note": "copied"} for row in table_rows()])
    refuses(sums, "table", first, second, match="for 3 of 3 problems all responses are also in")
    manifest, _ = read(sums, "table", first, second, allow_duplicates=True)
    assert manifest["repeated_responses"] == 3
    assert any("3 of 6 responses repeat" in line for line in describe_import(manifest))
    write_jsonl(second, table_rows(" (second run)"))
    assert read(sums, "table", first, second)[0]["n"] == {"2": 3}


def test_short_answers_may_be_equal(sums: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        rows = [{"problem_id": f"T/{i}", "text": "7", "run": name} for i in range(3)]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    assert read(sums, "table", tmp_path / "a.jsonl", tmp_path / "b.jsonl")[0]["n"] == {"2": 3}


# --- an id never beats a contradicting question ---------------------------------------------------


def test_ids_shifted_by_one_are_refused(sums: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    right = [{"problem_id": f"T/{i}", "question": f"What is {i} + 10 ?"} for i in range(3)]
    write_jsonl(path, [row | {"text": "x"} for row in right])
    assert read(sums, "table", path)[0]["matched_by"] == {"id": 3}
    shifted = [row | {"problem_id": f"T/{(i + 1) % 3}"} for i, row in enumerate(right)]
    write_jsonl(path, [row | {"text": "x"} for row in shifted])
    refuses(sums, "table", path, match="t.jsonl:1: id 'T/1', but the question of another problem")
    write_jsonl(path, [row | {"question": "Else?", "text": "x"} for row in right])
    refuses(sums, "table", path, match="id 'T/0', but the question of another")


def test_prompts_match_the_question_that_they_contain(sums: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_jsonl(path, [{"p": f"User: What is {i}  + 10 ?\nBot:", "text": "x"} for i in range(3)])
    manifest, found = read(sums, "table", path, columns={"prompt": "p"})
    assert [row[0] for row in found] == ["T/0", "T/1", "T/2"]
    assert manifest["matched_by"] == {"prompt": 3}
    write_jsonl(path, [{"p": "What is 0 + 10 ? What is 1 + 10 ?", "text": "x"}])
    refuses(sums, "table", path, match="ambiguous", columns={"prompt": "p"})


def test_only_known_skips_and_records(sums: Path, tmp_path: Path) -> None:
    rows = [*table_rows(), {"problem_id": "T/9", "text": "x"}, {"problem_id": "T/9", "text": "y"}]
    write_jsonl(tmp_path / "t.jsonl", rows)
    refuses(sums, "table", tmp_path / "t.jsonl", match="2 responses match no single problem")
    manifest, _ = read(sums, "table", tmp_path / "t.jsonl", only_known=True)
    assert (manifest["skipped_responses"], manifest["skipped_problems"]) == (2, ["'T/9'"])


# --- shapes -----------------------------------------------------------------------------------


def test_a_null_response_is_told_apart_from_a_missing_column(sums: Path, tmp_path: Path) -> None:
    path = tmp_path / "nulls.jsonl"
    rows = table_rows()
    write_jsonl(path, [{**rows[0], "text": None}, *rows[1:]])
    refuses(sums, "table", path, match="--null-as-failed")
    manifest, _ = read(sums, "table", path, null_as_failed=True)
    assert manifest["null_responses"] == 1
    write_jsonl(path, [{"problem_id": "p0"}])
    refuses(sums, "table", path, match="neither a response nor an answer")


def test_parallel_lists_in_yaml_nulls_and_conditions(sums: Path, tmp_path: Path) -> None:
    folder = tmp_path / "monkeys"
    folder.mkdir()
    for i in range(3):
        row = {"q": f"What is {i} + 10 ?", "samples": ["a", None], "is_corrects": [True, False]}
        (folder / f"{i}.yaml").write_text(yaml.safe_dump(row))
    columns = {"question": "q", "text": "samples[]", "verdict": "is_corrects[]"}
    refuses(sums, "table", folder, match="--null-as-failed", columns=columns)
    manifest, found = read(sums, "table", folder, columns=columns, null_as_failed=True)
    assert manifest["null_responses"] == 3
    assert [row[1:] for row in found[:2]] == [(0, "a", "correct"), (1, "", "no_answer")]
    assert manifest["mean_correct"] == 0.5
    (folder / "0.yaml").write_text("q: x\nsamples: [a]\nis_corrects: [true, false]\n")
    refuses(sums, "table", folder, match="different lengths: 1 in 'samples'", columns=columns)
    write_jsonl(
        tmp_path / "s.jsonl", [row | {"score": i - 1} for i, row in enumerate(table_rows())]
    )
    condition = parse_condition("score > 0")
    _, found = read(sums, "table", tmp_path / "s.jsonl", correct_if=condition)
    assert [row[3] for row in found] == ["wrong", "wrong", "correct"]


def test_compressed_tabs_sheets_and_patterns(sums: Path, tmp_path: Path) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in table_rows()).encode()
    with pa.OSFile(str(tmp_path / "t.jsonl.zst"), "wb") as sink:
        pa.CompressedOutputStream(sink, "zstd").write(lines)
    text = "problem_id\ttext\n" + "".join(f"T/{i}\t{i}, so\n" for i in range(3))
    (tmp_path / "t.tsv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("t.jsonl.zst", "t.tsv.gz", "t.tsv*"):
        assert read(sums, "table", tmp_path / name)[0]["n"] == {"1": 3}
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [("problem_id", "text"), *((f"T/{i}", "x") for i in range(3))]:
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert read(sums, "table", tmp_path / "t.xlsx")[0]["n"] == {"1": 3}
    refuses(sums, "table", tmp_path / "none*.jsonl", match="no such file")


def test_a_column_called_model_counts_only_if_mapped(sums: Path, tmp_path: Path) -> None:
    rows = [row | {"model": name} for name in ("m", "other") for row in table_rows(name)]
    write_jsonl(tmp_path / "t.jsonl", rows)
    assert read(sums, "table", tmp_path / "t.jsonl")[0]["n"] == {"2": 3}
    manifest, _ = read(sums, "table", tmp_path / "t.jsonl", columns={"model": "model"})
    assert manifest["n"] == {"1": 3}


def test_stored_verdicts_become_counts(sums: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "t.jsonl", [row | {"verdict": 1} for row in table_rows()])
    output = tmp_path / "counts"
    options = ImportOptions(stored_verdicts=True)
    manifest = import_results(
        "table", [tmp_path / "t.jsonl"], str(sums), output, model="m", options=options
    )
    assert (manifest["kind"], manifest["correct"]) == ("counts", 3)
    assert {p.name for p in output.iterdir()} == {
        "counts.parquet", "manifest.json", "questions.json",
    }  # fmt: skip


# --- formats by name --------------------------------------------------------------------------


def question(i: int) -> str:
    return f"What is {i} + 10 ?"


def user(i: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{question(i)} Think."}]


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def nemo_skills(path: Path) -> None:
    write_jsonl(path, [
        {"problem": question(i), "generation": f"g{i}", "predicted_answer": "1",
         "symbolic_correct": i == 0} for i in range(3)
    ])  # fmt: skip


def nemo_skills_early(path: Path) -> None:
    """As NeMo-Skills 0.1 (2024-03) writes them."""
    write_jsonl(path, [
        {"question": question(i), "generated_solution": f"g{i}", "predicted_answer": "1",
         "error_message": "", "is_correct": i == 0} for i in range(3)
    ])  # fmt: skip


def opencompass(path: Path) -> None:
    path.write_text(json.dumps({
        str(i): {"origin_prompt": [{"role": "HUMAN", "prompt": question(2 - i)}],
                 "prediction": f"g{2 - i}", "gold": ""} for i in range(3)
    }))  # fmt: skip


def livecodebench(path: Path, **more: Any) -> None:
    """As LiveCodeBench's runner writes them; before June 2024 without `metadata`."""
    path.write_text(json.dumps([
        {"question_content": question(i), "question_id": f"T/{i}", "output_list": [f"g{i}"],
         "code_list": [""], "graded_list": [i == 0], "pass@1": float(i == 0), **more}
        for i in range(3)
    ], indent=4))  # fmt: skip


def evalscope(path: Path) -> None:
    write_jsonl(path, [
        {"index": i, "messages": [*user(i), {"role": "assistant", "content": f"g{i}"}],
         "sample_score": {"score": {"value": {"acc": float(i == 0)}, "main_score_name": "acc",
                                    "extracted_prediction": "1"}}} for i in range(3)
    ])  # fmt: skip


def evalscope_early(path: Path) -> None:
    """As EvalScope 1.0.0 writes reviews."""
    write_jsonl(path, [
        {"index": i, "input": f"**User**: \n{question(i)}", "target": "1",
         "sample_score": {"score": {"value": {"acc": float(i == 0)}, "prediction": f"g{i}"}}}
        for i in range(3)
    ])  # fmt: skip


def evalscope_line(i: int, *texts: str) -> dict[str, Any]:
    """As EvalScope 0.x writes a review: a line per problem with all responses."""
    review = {"gold": "1", "pred": "1", "result": float(i == 0)}
    choices = [
        {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": "stop",
         "review": review} for n, text in enumerate(texts)
    ]  # fmt: skip
    return {"answer_id": f"answer-{i}", "raw_input": {"question": question(i), "answer": "1"},
            "origin_prompt": {"data": [f"Q: 5 + 5?\nA: 10\nQ: {question(i)}"]},
            "choices": choices}  # fmt: skip


def evalscope_zero(path: Path) -> None:
    write_jsonl(path, [evalscope_line(i, f"g{i}") for i in range(3)])


def evalscope_predictions(path: Path) -> None:
    write_jsonl(path, [
        {"index": i, "model": "m", "messages": user(i), "model_output": {"choices": [
            {"message": {"content": [{"type": "reasoning", "reasoning": "hm"},
                                     {"type": "text", "text": f"g{i}"}]},
             "stop_reason": "stop"}]}} for i in range(3)
    ])  # fmt: skip


def verl(path: Path) -> None:
    write_jsonl(path, [
        {"input": f"user\n{question(i)}\nassistant\n", "output": f"g{i}", "gts": "1",
         "score": 1.0 if i == 0 else -1.0, "acc": str(i == 0), "step": 20} for i in range(3)
    ])  # fmt: skip


def trl(path: Path) -> None:
    write_parquet(path, [
        {"step": 5, "prompt": user(i), "completion": [{"role": "assistant", "content": f"g{i}"}],
         "accuracy_reward": float(i == 0), "advantage": 0.0} for i in range(3)
    ])  # fmt: skip


def lighteval(path: Path) -> None:
    write_parquet(path, [
        {"doc": {"query": f"Solve: {question(i)}", "id": str(i)},
         "model_response": {"text": [f"g{i}"]}, "metric": {"extractive_match": float(i == 0)}}
        for i in range(3)
    ])  # fmt: skip


def lighteval_old(path: Path) -> None:
    write_parquet(path, [
        {"full_prompt": f"Solve: {question(i)}", "predictions": f"['g{i}']",
         "metrics": {"qem": float(i == 0)}} for i in range(3)
    ])  # fmt: skip


def inspect_sample(i: int) -> dict[str, Any]:
    return {
        "id": i + 1, "epoch": 1, "input": question(i), "target": "1",
        "output": {"choices": [{"message": {"role": "assistant", "content": "attachment://a"},
                                "stop_reason": "stop"}], "completion": f"g{i}"},
        "scores": {"match": {"value": "C" if i == 0 else "I", "answer": "1", "explanation": "e"}},
        "attachments": {"a": f"g{i}"},
    }  # fmt: skip


def inspect_json(path: Path) -> None:
    log = {"version": 2, "status": "success", "eval": {"task": "x"}}
    path.write_text(json.dumps(log | {"samples": [inspect_sample(i) for i in range(3)]}))


def inspect_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        for i in range(3):
            archive.writestr(f"samples/{i + 1}_epoch_1.json", json.dumps(inspect_sample(i)))


def inspect_zstandard(path: Path) -> None:
    """As Inspect writes since 2026: entries whose method (93) Python 3.11 does not know."""
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(3):
            content = pa.compress(json.dumps(inspect_sample(i)).encode(), "zstd", asbytes=True)
            archive.writestr(f"samples/{i + 1}_epoch_1.json", content)
        offsets = [info.header_offset for info in archive.infolist()]
    data = bytearray(path.read_bytes())
    for offset in offsets:
        data[offset + 8] = 93
    for start in [m.start() for m in re.finditer(b"PK\x01\x02", data)]:
        data[start + 10] = 93
    path.write_bytes(data)


GRADED = ["correct", "wrong", "wrong"]

LOGS: list[tuple[str, str, Callable[[Path], None], list[Any]]] = [
    ("nemo-skills", "output-rs0.jsonl", nemo_skills, GRADED),
    ("nemo-skills", "output-rs1.jsonl", nemo_skills_early, GRADED),
    ("opencompass", "p.json", opencompass, [None] * 3),
    ("livecodebench", "2024_eval_all.json", livecodebench, GRADED),
    ("livecodebench", "m_eval_all.json", lambda p: livecodebench(p, metadata=["{}"]), GRADED),
    ("evalscope", "r.jsonl", evalscope, GRADED),
    ("evalscope", "early.jsonl", evalscope_early, GRADED),
    ("evalscope", "zero.jsonl", evalscope_zero, GRADED),
    ("evalscope", "p.jsonl", evalscope_predictions, [None] * 3),
    ("verl", "20.jsonl", verl, GRADED),
    ("trl", "completions_00005.parquet", trl, [None] * 3),
    ("lighteval", "details_x.parquet", lighteval, GRADED),
    ("lighteval", "details_old.parquet", lighteval_old, GRADED),
    ("inspect", "log.json", inspect_json, GRADED),
    ("inspect", "log.eval", inspect_zip, GRADED),
    ("inspect", "new.eval", inspect_zstandard, GRADED),
]


@pytest.mark.parametrize(("form", "name", "write", "verdicts"), LOGS)
def test_logs_of_other_tools_are_recognized_and_read(
    form: str, name: str, write: Callable[[Path], None], verdicts: list[Any],
    sums: Path, tmp_path: Path,
) -> None:  # fmt: skip
    write(tmp_path / name)
    assert detect_format([tmp_path / name])[0] == form
    _, found = read(sums, form, tmp_path / name)
    assert sorted(found) == [(f"T/{i}", 0, f"g{i}", verdicts[i]) for i in range(3)]


def test_choices_of_evalscope_are_repeats_and_none_is_a_null(sums: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write_jsonl(path, [evalscope_line(i, f"{REASONING}{i}", f"So {REASONING}") for i in range(3)])
    assert read(sums, "evalscope", path)[0]["n"] == {"2": 3}
    write_jsonl(path, [evalscope_line(0), *(evalscope_line(i, "x") for i in (1, 2))])
    refuses(sums, "evalscope", path, match="null")
    manifest, _ = read(sums, "evalscope", path, null_as_failed=True)
    assert manifest["null_responses"] == 1


def test_every_format_has_a_log_or_a_round_trip() -> None:
    by_round_trip = {
        "evalplus",
        "hf",
        "human-eval",
        "lm-eval",
        "qwen-math",
        "table",
    }
    assert {form for form, *_ in LOGS} | by_round_trip | {"bigcode"} == set(FORMATS)


def test_rollouts_of_two_steps_are_two_models(sums: Path, tmp_path: Path) -> None:
    verl(tmp_path / "20.jsonl")
    rows = [
        json.loads(line) | {"step": 40} for line in (tmp_path / "20.jsonl").read_text().splitlines()
    ]
    write_jsonl(tmp_path / "40.jsonl", rows)
    files = tmp_path / "20.jsonl", tmp_path / "40.jsonl"
    refuses(sums, "verl", *files, match="40.jsonl:1: is of step 40")


# --- code -------------------------------------------------------------------------------------

PROMPT = "def add(a, b):\n    '''Add.'''\n"
PROGRAM = f"```python\n{PROMPT}    return a + b\n```"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    rows = [
        {"id": "HumanEval/0", "question": PROMPT, "gold": "x"},
        {"id": "Mbpp/11", "question": "Write add.", "gold": "x"},
    ]
    return benchmark(tmp_path, rows, verifier="code", prompt="evalplus")


def test_lm_eval_continuations_are_joined_to_their_prompt(code: Path, tmp_path: Path) -> None:
    prompt = {"gen_args_0": {"arg_0": PROMPT}}
    instruct = {"gen_args_0": {"arg_0": f"Write it.\n```python\n{PROMPT}"}}
    human = {"doc": {"task_id": "HumanEval/0", "prompt": PROMPT}, "doc_id": 0, "pass@1": 1.0}
    mbpp = {"doc": {"task_id": 11, "text": "Write add."}, "doc_id": 0, "pass_at_1": 1.0}
    body = "    return a + b"
    for text, arguments in (
        (body, prompt),
        (f"{body}\n```\nIt adds.", instruct),
        (PROGRAM, prompt),
    ):
        lines = [human | {"arguments": arguments, "resps": [[text]], "filter": "create_test"}]
        lines.append(mbpp | {"arguments": {}, "resps": [["def add(a, b): pass"]],
                             "doc_id": 1, "filter": "create_test"})  # fmt: skip
        write_jsonl(tmp_path / "s.jsonl", lines)
        _, found = read(code, "lm-eval", tmp_path / "s.jsonl")
        assert found[0][2].replace("\n\n```", "\n```") == PROGRAM
        assert found[0][3] == "correct"
        assert found[1][::2] == ("Mbpp/11", "```python\ndef add(a, b): pass\n```")


def test_evalplus_before_2024_and_folders_of_programs(code: Path, tmp_path: Path) -> None:
    tasks = ("HumanEval/0", "Mbpp/11")
    lines = [{"task_id": task, "solution": f"{i}"} for task in tasks for i in range(2)]
    write_jsonl(tmp_path / "s.jsonl", lines)
    old = {
        "nfiles": 2,
        "base": [["success", [1]], ["success", [1]]],
        "plus": [["success", []], ["timed out", []]],
    }
    results = tmp_path / "s_eval_results.json"
    results.write_text(json.dumps({"eval": dict.fromkeys(tasks, old)}))
    _, found = read(code, "evalplus", tmp_path / "s.jsonl", results)
    assert [row[3] for row in found] == ["correct", "timeout"] * 2
    refuses(code, "evalplus", results, match="has verdicts only")
    for task in tasks:
        for i in (10, 2):
            path = tmp_path / "programs" / task.replace("/", "_") / f"{i}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"x = {i}\n")
    assert detect_format([tmp_path / "programs"])[0] == "evalplus"
    _, found = read(code, "evalplus", tmp_path / "programs")
    assert [row[2] for row in found[:2]] == ["```python\nx = 2\n\n```", "```python\nx = 10\n\n```"]


def test_original_humaneval_as_gold_is_one_message(tmp_path: Path) -> None:
    row = {"task_id": "HumanEval/0", "prompt": PROMPT, "entry_point": "add", "test": "def check"}
    columns = {"id": "task_id", "question": "prompt", "gold": "*"}
    rows = [row | {"canonical_solution": "    return a + b"}]
    spec = benchmark(tmp_path, rows, verifier="code", prompt="evalplus", columns=columns)
    path = tmp_path / "s.jsonl"
    write_jsonl(path, [{"task_id": "HumanEval/0", "completion": "    return a + b"}])
    folder = tmp_path / "x"
    with pytest.raises(DataError, match=r"gold of 'HumanEval/0': .* original HumanEval"):
        list(run_import("human-eval", [path], str(spec), "m", folder, [], grade=True))


@pytest.mark.parametrize("form", ["evalplus", "human-eval", "livecodebench"])
def test_the_program_that_is_written_is_the_one_that_was_graded(form: str, tmp_path: Path) -> None:
    text = (
        "```\ndef add(a, b): return a + b\n```\nTests:\n```\ndef test_add(): assert add(1, 2)\n```"
    )
    sample = Sample("T/0", 0, 0, text, [], 0, "stop", 0.0, 0.0, "")
    problem = Problem("T/0", "Add.", '{"entry_point": "add"}', [], "{}", "", "")
    (path,) = load("format", form, FORMATS)().write([Group(0, problem, [(sample, None)])], tmp_path)
    (row, *_) = json.loads(f"[{path.read_text()}]")
    (row,) = row if isinstance(row, list) else [row]
    written = row.get("solution") or row.get("completion") or row["code_list"][0]
    assert written.strip() == "def add(a, b): return a + b"


def test_bigcode_generations_are_matched_by_position(code: Path, tmp_path: Path) -> None:
    path = tmp_path / "generations_humaneval.json"
    path.write_text(json.dumps([[PROMPT + "    return 1"], ["def f(): pass"]]))
    assert detect_format([path])[0] == "bigcode"
    assert [row[0] for row in read(code, "bigcode", path)[1]] == ["HumanEval/0", "Mbpp/11"]
    path.write_text(json.dumps([["def f(): pass"], [PROMPT + "    return 1"]]))
    _, found = read(code, "bigcode", path, allow_missing=True)
    assert {row[0] for row in found} == {"HumanEval/0"}


# --- the command ------------------------------------------------------------------------------


def test_the_command_says_what_it_found(sums: Path, tmp_path: Path) -> None:
    nemo_skills(tmp_path / "output-rs0.jsonl")
    files, output = [tmp_path / "output-rs0.jsonl"], tmp_path / "imports/x"
    found = list(run_import("auto", files, str(sums), "m", output, []))
    assert found[0].startswith("format: nemo-skills (")
    assert found[1:4] == [
        "m: 3 responses; problems: 3 with n = 1",
        "matched by question (3)",
        "the source's verdicts: 1 of 3 correct, pass@1 = 0.3333",
    ]
    rows = [{"problem_id": f"T/{i}", "text": f"{10 + i}", "verdict": i < 2} for i in range(3)]
    write_jsonl(tmp_path / "t.jsonl", rows)
    graded = list(
        run_import("table", [tmp_path / "t.jsonl"], str(sums), "m", output, [], grade=True)
    )
    assert graded[-3:-1] == [
        "graded here: 3 of 3 correct, pass@1 = 1.0000",
        "the source and passk disagree on 1 of 3: 1 are correct only here, 0 only there",
    ]
    with pytest.raises(PasskError, match="--map is for tables"):
        list(run_import("verl", files, str(sums), "m", output, ["text=x"]))
    with pytest.raises(PasskError, match="--correct-if is for"):
        list(run_import("lm-eval", files, str(sums), "m", output, [], correct_if="x > 0"))
    (tmp_path / "x.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match="the format is not recognized"):
        list(run_import("auto", [tmp_path / "x.json"], str(sums), "m", output, []))
