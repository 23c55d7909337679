"""`passk estimate` and `passk compare`: files of counts in any usual form, and what is said."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPO

import passk
from passk.analysis.count_comparison import compare_counts
from passk.analysis.count_sets import estimate_counts
from passk.cli import main
from passk.core.errors import DataError
from passk.interop.count_files import count_sets_of, load_comparison, load_count_sets, whole_number

DATA = Path(os.environ.get("PASSK_DATA", REPO.parent / "shared" / "data"))
MATH500 = DATA / "outputs/math500_base_vs_simplerl_counts_n128"
needs_data = pytest.mark.skipif(not MATH500.exists(), reason="no shared data")
GOOD = "model,problem_id,n,c\na,1,4,2\na,2,4,0\n"


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_estimate_writes_a_row_per_model_and_k(tmp_path: Path) -> None:
    text = "\ufeff" + GOOD.replace("\n", "\r\n") + "b,1,2,1\n"
    source, output = write(tmp_path / "in.csv", text), tmp_path / "out.csv"
    assert main(["estimate", str(source), "-o", str(output), "--k", "1", "2", "4"]) == 0
    rows = pd.read_csv(output)
    assert rows["pass_at_k"][:2].tolist() == pytest.approx([0.25, 5 / 12])
    assert rows["model"].tolist() == ["a"] * 3 + ["b"] * 3
    assert rows["pass_at_k"].isna().tolist() == [False] * 5 + [True]


@needs_data
def test_estimate_reproduces_the_published_curves() -> None:
    published = json.loads((MATH500 / "published.json").read_text())
    for column, name in (("base_correct", "base"), ("simplerl_correct", "rl")):
        table = estimate_counts(load_count_sets(f"{MATH500}/counts.csv:{column}")).set_index("k")
        for k, value in published["pooled_pass_at_k"][name].items():
            assert table.loc[int(k), "pass_at_k"] == pytest.approx(value, abs=1e-12)


@needs_data
def test_compare_finds_where_gains_and_losses_of_math500_are_supported(tmp_path: Path) -> None:
    counts = MATH500 / "counts.csv"
    names = [f"{counts}:base_correct", f"{counts}:simplerl_correct"]
    assert main(["compare", *names, "-o", str(tmp_path)]) == 0
    row = pd.read_csv(tmp_path / "summary.csv").iloc[0]
    assert (row["gain_at"], row["undecided_at"], row["loss_at"]) == ("1-6", "7-48", "49-128")
    assert (row["first_loss_low"], row["first_loss_high"]) == (7, 49)
    assert (row["base_only"], row["tuned_only"]) == (19, 3)
    assert (row["lost_significant"], row["gained_significant"]) == (4, 2)
    page = (tmp_path / "comparison.html").read_text()
    assert "supported gain at k = 1-6; supported loss at k = 49-128" in page
    assert "<svg" in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no rows"),
        ("model,problem_id,n,c\n", "has no rows"),
        (GOOD.replace("problem_id", "problemid"), "in.csv:2: missing column 'problem_id'"),
        (GOOD.replace("problem_id", "problemid"), "did you mean 'problemid'"),
        (GOOD + "a,3,4,x\n", "in.csv:4 c: c is 'x', not a whole number"),
        (GOOD + "a,3,4,1.5\n", "in.csv:4 c: c is '1.5'"),
        (GOOD + "a,3,4,nan\n", "in.csv:4 c: c is 'nan'"),
        (GOOD + "a,3,four,1\n", "in.csv:4 n: n is 'four'"),
        (GOOD + "a,3,4,5\n", "c is 5, more than n = 4"),
        (GOOD + "a,3,4,-1\n", "c is -1; a count cannot be negative"),
        (GOOD + "a,3,0,0\n", "n is 0"),
        (GOOD + "a,3,1e9,0\n", "in.csv:4 n: n is 1000000000; at most 1,000,000"),
        (GOOD + "a,,4,1\n", "in.csv:4 problem_id: no problem id"),
        (GOOD + "a,1,4,1\n", "in.csv:4: problem '1' of model 'a' occurs a second time"),
        (GOOD + "a,3,4\n", "in.csv:4: the number of cells differs from the header"),
        (GOOD.encode() + b"a,\xff,4,1\n", "not UTF-8"),
        ("id,n,c,c\n1,4,2,3\n", "in.csv:1: column 'c' occurs twice"),
    ],
)
def test_a_bad_file_is_named_with_its_line_and_column(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_count_sets(str(write(tmp_path / "in.csv", text)))
    assert words in str(caught.value)


def test_a_missing_file_and_a_single_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_count_sets(str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="only one model, 'a'"):
        compare_counts(load_count_sets(str(write(tmp_path / "in.csv", GOOD))))
    other = write(tmp_path / "b.csv", "id,n,c\nx,4,2\n")
    with pytest.raises(DataError, match="no problem in common"):
        compare_counts(load_comparison(str(tmp_path / "in.csv"), [str(other)]))


def test_all_forms_of_a_file_give_the_same_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"id": "1", "c": 2.0, "n": 4}, {"id": "2", "c": 0, "n": 4}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    forms = [
        write(tmp_path / "m.csv", "ID, n ,Correct\n1,4,2.0\n2,4,0\n"),
        write(tmp_path / "m.jsonl", lines),
        write(tmp_path / "m.json", json.dumps(rows)),
        write(tmp_path / "m.csv.gz", gzip.compress(b"idx,num_samples,passed\n1,4,2\n2,4,0\n")),
        tmp_path / "m.parquet",
    ]
    pd.DataFrame(rows).to_parquet(forms[-1])
    found = [load_count_sets(str(path)) for path in forms]
    table = b"id,n,c\n1,4,2\n2,4,0\n"
    for data in (lines.encode(), table, gzip.compress(table), json.dumps(rows).encode()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        found.append(load_count_sets("-"))
    for (one,) in found:
        assert one.table["problem_id"].tolist() == ["1", "2"]
        assert (one.table["n"].tolist(), one.table["c"].tolist()) == ([4, 4], [2, 0])
    assert {sets[0].model for sets in found} == {"m", "standard input"}
    assert whole_number("4.0", "n", "") == 4


def test_a_hundred_thousand_responses_are_estimated_in_seconds() -> None:
    rows = [{"id": i, "n": 100_000, "c": 10 * i} for i in range(20)]
    table = estimate_counts(count_sets_of(rows, "many"), [1, 1000, 100_000])
    expected = np.mean([10 * i / 100_000 for i in range(20)])
    assert table["pass_at_k"].iloc[0] == pytest.approx(expected)
    assert table["pass_at_k"].iloc[-1] == pytest.approx(19 / 20)


def test_seeds_are_one_method_and_repeated_questions_one_problem(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rates = rng.random(20)

    def file(name: str, move: float) -> str:
        rows = [
            {"id": f"{i}-{again}", "n": 16, "question": f"What is {i}?",
             "c": int(rng.binomial(16, np.clip(rates[i] + move, 0, 1)))}
            for i in range(20) for again in range(3)
        ]  # fmt: skip
        pd.DataFrame(rows).to_csv(tmp_path / name, index=False)
        return str(tmp_path / name)

    base, tuned = file("base.csv", 0), [file(f"s{i}.csv", move) for i, move in enumerate((0, 0.2))]
    result = passk.compare(base, tuned)
    assert result.summary["seeds"].tolist() == [2]
    assert "the method over 2 seeds" in result.findings[0]
    first = result.deltas.iloc[0]
    assert first["method_low"] < first["ci_low"] < first["delta"] < first["ci_high"]
    assert (result.deltas["band_low"] <= result.deltas["method_low"]).all()
    assert (result.deltas["band_high"] >= result.deltas["method_high"]).all()
    assert (result.deltas["band_low"] < result.deltas["method_low"]).any()
    loose = passk.compare(pd.read_csv(base).drop(columns="question"), pd.read_csv(tuned[0]))
    strict = passk.compare(base, tuned[0])
    wide, narrow = (r.deltas["ci_high"] - r.deltas["ci_low"] for r in (strict, loose))
    assert "this checkpoint" in strict.findings[0]
    assert wide.iloc[0] > 0.99 * narrow.iloc[0]


def test_several_benchmarks_get_a_mean() -> None:
    rows = [
        {"model": model, "benchmark": benchmark, "id": i, "n": 8, "c": min(8, i % 7 + gain)}
        for model, gain in (("base", 0), ("tuned", 2))
        for benchmark in ("x", "y")
        for i in range(30)
    ]
    result = compare_counts(count_sets_of(rows, "rows"))
    assert result.summary["benchmark"].tolist() == ["x", "y"]
    mean, one = result.means.iloc[0], result.deltas.iloc[0]
    assert mean["delta"] == pytest.approx(one["delta"])
    assert mean["delta"] - mean["ci_low"] == pytest.approx((one["delta"] - one["ci_low"]) / 2**0.5)
    assert np.isnan(mean["method_low"])
    assert (
        "mean of 2 benchmarks, these checkpoints: 95 % interval over problems"
        in (result.findings[-1])
    )


def test_the_python_functions_take_numbers_rows_and_frames() -> None:
    assert passk.pass_at_k(4, 2, 1) == 0.5
    assert passk.pass_at_k([4, 4], [2, 0], [1, 4]).tolist() == [[0.5, 1.0], [0.0, 0.0]]
    frame = pd.DataFrame({"id": ["1", "2"], "n": [4, 4], "c": [2, 0]})
    assert passk.estimate(frame, [1])["pass_at_k"].tolist() == [0.25]
    result = passk.compare(frame, frame.assign(c=[4, 1]))
    assert result.deltas["delta"].iloc[0] == pytest.approx(0.375)
    assert set(result.tables()) == {"curves", "deltas", "summary", "problems", "means"}


def test_problems_that_not_all_files_have_are_left_out_and_said() -> None:
    base = pd.DataFrame({"id": ["1", "2", "3"], "n": 4, "c": [2, 0, 4]})
    result = passk.compare(base, base.iloc[1:])
    assert "2 problems (1 left out: not in every file)" in result.findings[0]
    assert "(2 left out" in passk.compare(base, [base.iloc[1:], base.iloc[:2]]).findings[0]
    with pytest.raises(DataError, match="k = 8 is above n"):
        passk.estimate(base, [8, 16])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"id,n,c\n\xff,4,1\n", "standard input:2: not UTF-8"),
        (b"\x1f\x8bcut", "standard input: not gzip"),
    ],
)
def test_errors_on_standard_input_name_it(
    monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(DataError) as caught:
        load_count_sets("-")
    assert words in str(caught.value)


def test_the_commands_results_are_those_of_the_python_functions(tmp_path: Path) -> None:
    rows = {"id": range(30), "n": 16}
    rng = np.random.default_rng(3)
    paths = [str(tmp_path / f"{name}.csv") for name in ("base", "a", "b")]
    for path, rate in zip(paths, (0.2, 0.4, 0.5), strict=True):
        pd.DataFrame({**rows, "c": rng.binomial(16, rate, 30)}).to_csv(path, index=False)
    for seeds, tuned in ((["--seeds"], paths[1:]), ([], paths[1])):
        files = tuned if isinstance(tuned, list) else [tuned]
        assert main(["compare", paths[0], *files, *seeds, "-o", str(tmp_path / "out")]) == 0
        for name, table in passk.compare(paths[0], tuned).tables().items():
            written = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
            pd.testing.assert_frame_equal(written, table, check_dtype=False, atol=1e-12)
