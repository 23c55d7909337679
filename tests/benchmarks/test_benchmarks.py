"""Benchmarks: where problems come from, what pins them, quirks of the real files, contamination."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import json
import pickle
import re
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPO, Study, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

from passk.benchmarks.livecodebench import adapt
from passk.benchmarks.overlap import find_overlaps, ngrams
from passk.benchmarks.row_filters import matches
from passk.benchmarks.source import identify, load_problems
from passk.cli import main
from passk.core.errors import DataError, SpecError
from passk.core.schemas import Problem, read_rows
from passk.engines.prompts import render
from passk.spec.loading import load_benchmark, load_prompt
from passk.spec.models import Benchmark
from passk.stages.validate_benchmark import examine, with_source
from passk.stages.verify import grade
from passk.verifiers.code.verifier import CodeVerifier
from passk.verifiers.grading.worker_pool import PoolConfig

CATALOGUE = REPO / "specs/benchmarks"
ROWS = [{"id": f"p{i}", "question": f"{i} + 1 =", "gold": str(i + 1)} for i in range(3)]


def described(folder: Path, **fields: Any) -> Benchmark:
    """A benchmark file with these fields, loaded."""
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({"title": "Mine", "verifier": "math", **fields}))
    return load_benchmark(file)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PASSK_DATA", raising=False)


# Files ------------------------------------------------------------------------------------------


def as_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(ROWS), path)


WRITERS = {
    "a.jsonl": lambda path: write_jsonl(path, ROWS),
    "a.json": lambda path: path.write_text(json.dumps(ROWS)),
    "keyed.json": lambda path: path.write_text(json.dumps({row["id"]: row for row in ROWS})),
    "a.csv": lambda path: path.write_text(
        "id,question,gold\n" + "".join(f"{r['id']},{r['question']},{r['gold']}\n" for r in ROWS)
    ),
    "a.parquet": as_parquet,
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_problems(
    tmp_path: Path, name: str, *, zipped: bool
) -> None:
    WRITERS[name](tmp_path / name)
    if zipped:
        content = gzip.compress((tmp_path / name).read_bytes())
        (tmp_path / f"{name}.gz").write_bytes(content)
        name = f"{name}.gz"
    problems = load_problems(described(tmp_path, source={"file": name}))
    assert [(p.id, p.question, json.loads(p.gold)) for p in problems] == [
        (row["id"], row["question"], row["gold"]) for row in ROWS
    ]


@pytest.mark.parametrize("source", ["parts", "parts/*.jsonl"])
def test_a_folder_and_a_pattern_are_read_in_the_order_of_their_names(
    tmp_path: Path, source: str
) -> None:
    for index in (2, 0, 1):
        write_jsonl(tmp_path / "parts" / f"{index}.jsonl", [ROWS[index]])
    (tmp_path / "parts" / "README.md").write_text("not data")
    problems = load_problems(described(tmp_path, source={"file": source}))
    assert [problem.id for problem in problems] == ["p0", "p1", "p2"]


def test_a_file_in_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_jsonl(tmp_path / "site" / "some_pack" / "data" / "x.jsonl", ROWS)
    (tmp_path / "site" / "some_pack" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "site")
    source = {"package": "some_pack", "path": "data/x.jsonl"}
    assert len(load_problems(described(tmp_path, source=source))) == 3
    with pytest.raises(DataError, match=r"has no file 'data/y\.jsonl'"):
        load_problems(described(tmp_path, source=source | {"path": "data/y.jsonl"}))
    with pytest.raises(DataError, match="'no_such_pack' is not installed") as caught:
        load_problems(described(tmp_path, source={"package": "no_such_pack", "path": "x.jsonl"}))
    assert "pip install no_such_pack" in str(caught.value)
    sys.modules.pop("some_pack", None)


# The hub: a cache laid out as huggingface_hub lays it out ----------------------------------------

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of a dataset in the local cache; the network is forbidden."""
    constants = pytest.importorskip("huggingface_hub.constants")
    cache = tmp_path / "hub"
    repository = cache / "datasets--org--sums"
    snapshot = repository / "snapshots" / REVISION
    write_jsonl(snapshot / "data" / "test-0.jsonl", ROWS[:2])
    write_jsonl(snapshot / "data" / "test-1.jsonl", ROWS[2:])
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if hasattr(constants, name):
            monkeypatch.setattr(constants, name, str(cache))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(cache))
    return snapshot


HUB = {"hub": "org/sums", "revision": REVISION, "path": "data/test-*.jsonl"}


def test_the_local_cache_of_the_hub_serves_an_offline_machine(
    hub_cache: Path, tmp_path: Path
) -> None:
    assert hub_cache.is_dir()
    benchmark = described(tmp_path, source=HUB, count=3)
    assert [problem.id for problem in load_problems(benchmark)] == ["p0", "p1", "p2"]


@pytest.mark.usefixtures("hub_cache")
def test_what_the_cache_lacks_is_told_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    other = "f" * 40
    with pytest.raises(DataError, match="not in the local cache, and HF_HUB_OFFLINE is set") as c:
        load_problems(described(tmp_path, source=HUB | {"revision": other}))
    assert f"hf download org/sums --repo-type dataset --revision {other}" in str(c.value)
    with pytest.raises(DataError, match=r"has no file 'data/train\.jsonl'"):
        load_problems(described(tmp_path, source=HUB | {"path": "data/train.jsonl"}))


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "GatedRepo", "is gated.*accept its licence at .*org/sums, then set HF_TOKEN"),
        (401, "GatedRepo", "is gated.*accept its licence at .*org/sums, then set HF_TOKEN"),
        (404, "RepoNotFound", "does not exist.*check `hub` and `revision`"),
        (404, "RevisionNotFound", "does not exist.*check `hub` and `revision`"),
    ],
)
def test_a_gated_or_missing_dataset_says_what_to_do(
    study: Study, monkeypatch: pytest.MonkeyPatch, status: int, code: str, message: str
) -> None:
    """A server of ours answers as the hub does."""
    pytest.importorskip("huggingface_hub")
    benchmark = described(study.folder, source=HUB)

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_address[1]}")
        monkeypatch.setenv("HF_HOME", str(study.folder / "hub"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        # The hub's client reads these variables once, when it is imported.
        done = study.run(sys.executable, "-m", "passk", "validate", str(benchmark.file))
        hub.shutdown()
    assert done.returncode == 1
    assert re.search(message, done.stderr, re.DOTALL), done.stderr


def test_a_pinned_hub_source_is_planned_without_it_and_an_unpinned_one_is_warned_of(
    study: Study,
) -> None:
    file = study.folder / "benchmarks" / "sums.yaml"
    fields = yaml.safe_load(file.read_text()) | {"source": HUB, "count": 4}
    file.write_text(yaml.safe_dump(fields))
    study.save()
    done = study.passk("validate", study.file)
    assert done.returncode == 0, done.stderr
    assert "revision" not in done.stdout
    del fields["source"]["revision"]
    file.write_text(yaml.safe_dump(fields))
    done = study.passk("validate", study.file)
    assert "warning: benchmark 'sums': no revision of org/sums is pinned" in done.stdout


# A URL ------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the files in `site`."""
    (tmp_path / "site").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "site"), **named)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_a_url_is_fetched_once_and_checked(tmp_path: Path, server: str) -> None:
    file = tmp_path / "site" / "x.jsonl"
    write_jsonl(file, ROWS)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    benchmark = described(tmp_path, source={"url": f"{server}/x.jsonl", "sha256": sha256})
    assert len(load_problems(benchmark)) == 3
    file.unlink()
    assert len(load_problems(benchmark)) == 3
    other = described(tmp_path, source={"url": f"{server}/x.jsonl", "sha256": "0" * 64})
    with pytest.raises(DataError, match=f"sha256 is {sha256}, pinned is {'0' * 64}"):
        load_problems(other)
    gone = described(tmp_path, source={"url": f"{server}/y.jsonl", "sha256": sha256})
    with pytest.raises(DataError, match=r"y\.jsonl cannot be downloaded"):
        load_problems(gone)


def test_no_network_is_used_where_it_is_forbidden(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write_jsonl(tmp_path / "site" / "x.jsonl", ROWS)
    with pytest.raises(DataError, match="is not downloaded"):
        load_problems(described(tmp_path, source={"url": f"{server}/x.jsonl", "sha256": "0" * 64}))


# What pins a benchmark --------------------------------------------------------------------------


def pins(rows: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    """The digests that a benchmark of these rows has."""
    write_jsonl(folder / "pinned.jsonl", rows)
    found = examine(described(folder, source={"file": "pinned.jsonl"}).file)
    return dict(found["digests"])


def test_alternatives_are_tried_in_order_and_give_one_identity(tmp_path: Path) -> None:
    digests = pins(ROWS, tmp_path)
    write_jsonl(tmp_path / "b.jsonl", [row | {"extra": 1} for row in ROWS])
    sources = [{"file": "a.jsonl"}, {"file": "b.jsonl"}]
    benchmark = described(tmp_path, sources=sources, digests=digests, count=3)
    planned = identify(benchmark)
    assert [p.id for p in load_problems(benchmark)] == ["p0", "p1", "p2"]
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    assert identify(benchmark) == planned == identify(replace(benchmark, digests=digests))
    unpinned = identify(replace(benchmark, digests={}))
    assert (unpinned.questions, unpinned.golds) == (planned.questions, planned.golds)


def test_none_of_several_sources_at_hand_says_why_of_each(tmp_path: Path) -> None:
    sources = [{"file": "a.jsonl"}, {"package": "no_such_pack", "path": "x.jsonl"}]
    benchmark = described(
        tmp_path, sources=sources, digests={"questions": "0" * 8, "golds": "1" * 8}
    )
    with pytest.raises(DataError) as caught:
        load_problems(benchmark)
    assert "No such file" in str(caught.value)
    assert "'no_such_pack' is not installed" in str(caught.value)


def test_a_sha256_pins_one_file(tmp_path: Path) -> None:
    for name in ("1.jsonl", "2.jsonl"):
        write_jsonl(tmp_path / "parts" / name, ROWS)
    with pytest.raises(DataError, match="pins one file, but these are 2"):
        load_problems(described(tmp_path, source={"file": "parts", "sha256": "0" * 64}))


@pytest.mark.parametrize("changed", ["question", "gold"])
def test_a_drifted_question_or_gold_answer_is_an_error_that_names_both(
    tmp_path: Path, changed: str
) -> None:
    digests = pins(ROWS, tmp_path)
    write_jsonl(tmp_path / "a.jsonl", [ROWS[0] | {changed: "9"}, *ROWS[1:]])
    benchmark = described(tmp_path, source={"file": "a.jsonl"}, digests=digests)
    with pytest.raises(DataError) as caught:
        load_problems(benchmark)
    assert re.search(
        rf"digest of its {changed}s is [0-9a-f]{{8}}, pinned is {digests[changed + 's']}",
        str(caught.value),
    )


def test_several_sources_need_digests(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="several sources need `digests`"):
        described(tmp_path, sources=[{"file": "a.jsonl"}, {"file": "b.jsonl"}])
    with pytest.raises(SpecError, match="needs one of the keys 'source' and 'sources'"):
        described(tmp_path)


# Parts of a benchmark ---------------------------------------------------------------------------

CONDITIONS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"kind": "free"}, {"kind": "free"}, True),
    ({"kind": "choice"}, {"kind": "free"}, False),
    ({"kind": "b"}, {"kind": {"in": ["a", "b"]}}, True),
    ({"level": 3}, {"level": {"from": 3, "to": 5}}, True),
    ({"level": 10}, {"level": {"from": 3, "to": 5}}, False),
    ({"date": "2025-01-31T23:59:59"}, {"date": {"to": "2025-01-31"}}, True),
    ({"date": "2025-02-01T00:00:00"}, {"date": {"to": "2025-01"}}, False),
    ({"date": "2024-07-31T23:59:59"}, {"date": {"from": "2024-08"}}, False),
    ({"date": None}, {"date": {"from": "2024-08"}}, False),
    ({"options": []}, {"options": {"empty": True}}, True),
    ({}, {"options": {"empty": True}}, True),
    ({"options": ["A"]}, {"options": {"empty": True}}, False),
    ({"options": ["A"]}, {"options": {"empty": False}}, True),
]


@pytest.mark.parametrize(("row", "where", "expected"), CONDITIONS)
def test_conditions_on_columns(
    row: dict[str, Any], where: dict[str, Any], *, expected: bool
) -> None:
    assert matches(row, where) is expected


def test_a_condition_on_a_column_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DataError, match="no column 'contest_data'; did you mean 'contest_date'"):
        matches({"contest_date": "2024"}, {"contest_data": "2024"})


def test_problems_can_be_chosen_by_their_ids(study: Study) -> None:
    study.spec["benchmarks"]["sums"]["only"] = ["p2", "p0"]
    study.snakemake("-n")
    planned = json.loads(study.passk("plan", study.file, "--json").stdout)
    assert {cell["problems"] for cell in planned["cells"]} == {2}
    done = study.passk(
        "problems", "benchmarks/sums.yaml", "--only", '["p2", "p0"]', "-o", "p.parquet"
    )
    assert done.returncode == 0, done.stderr
    rows = read_rows(study.folder / "p.parquet", Problem)
    assert [row.id for row in rows] == ["p0", "p2"]
    done = study.passk("problems", "benchmarks/sums.yaml", "--only", '["p9"]', "-o", "q.parquet")
    assert "has no problem 'p9'" in done.stderr


def test_an_experiment_without_n_takes_the_benchmarks_own(study: Study) -> None:
    file = study.folder / "benchmarks" / "sums.yaml"
    del study.spec["benchmarks"]["sums"]["n"]
    study.save()
    assert "the key 'n' is missing" in study.passk("validate", study.file).stderr
    file.write_text(file.read_text() + "n: 12\nk: [1, 12]\n")
    cells = json.loads(study.passk("plan", study.file, "--json").stdout)["cells"]
    assert {cell["n"] for cell in cells} == {12}


# Images -----------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"1" * 20


def test_images_are_stored_by_content_beside_the_problems(study: Study) -> None:
    encoded = "data:image/png;base64," + base64.b64encode(PNG).decode()
    rows = [ROWS[0] | {"image": ["figures/1.jpg", encoded]}, ROWS[1] | {"image": encoded}, ROWS[2]]
    folder = study.folder / "benchmarks"
    (folder / "figures").mkdir()
    (folder / "figures" / "1.jpg").write_bytes(JPEG)
    write_jsonl(folder / "sums.jsonl", rows)
    file = folder / "sums.yaml"
    file.write_text(file.read_text() + "columns: {images: image}\n")
    done = study.passk("problems", "benchmarks/sums.yaml", "-o", "store/p.parquet")
    assert done.returncode == 0, done.stderr
    first, second, third = read_rows(study.folder / "store" / "p.parquet", Problem)
    jpeg, png = (f"store/images/{hashlib.sha256(c).hexdigest()}" for c in (JPEG, PNG))
    assert [first.images, second.images, third.images] == [
        [f"{jpeg}.jpg", f"{png}.png"],
        [f"{png}.png"],
        [],
    ]
    assert (study.folder / first.images[0]).read_bytes() == JPEG
    assert len({p.question_digest for p in (first, second, third)}) == 3


WORKED = [row | {"work": f"{row['question']} {row['gold']}"} for row in ROWS[:2]] + [
    ROWS[2] | {"work": ""}
]


def test_worked_solutions_stand_beside_golds_and_never_beside_questions(study: Study) -> None:
    folder = study.folder / "benchmarks"
    write_jsonl(folder / "sums.jsonl", WORKED)
    file = folder / "sums.yaml"
    without = identify(load_benchmark(file))
    file.write_text(file.read_text() + "columns: {solution: work}\n")
    declared = identify(load_benchmark(file))
    assert replace(declared, solutions="") == without
    assert declared.solutions
    assert without.answers == without.golds != declared.answers
    for name, options in (
        ("golds", ["--expect", declared.answers]),
        ("seen", ["--questions-only"]),
    ):
        done = study.passk("problems", "benchmarks/sums.yaml", *options, "-o", f"{name}.parquet")
        assert done.returncode == 0, done.stderr
    golds, seen = (
        [json.loads(row.meta) for row in read_rows(study.folder / f"{name}.parquet", Problem)]
        for name in ("golds", "seen")
    )
    assert [meta.get("solution") for meta in golds] == ["0 + 1 = 1", "1 + 1 = 2", None]
    assert all("solution" not in meta for meta in seen)
    assert "0 + 1 = 1" not in (study.folder / "seen.parquet").read_bytes().decode("latin-1")


def test_another_solution_is_another_file_of_golds_and_changes_nothing_else(tmp_path: Path) -> None:
    found = []
    for work in ("work", "more work"):
        write_jsonl(tmp_path / "a.jsonl", [row | {"work": f"{work} {row['gold']}"} for row in ROWS])
        found.append(
            identify(described(tmp_path, source={"file": "a.jsonl"}, columns={"solution": "work"}))
        )
    assert found[0].answers != found[1].answers
    assert replace(found[0], solutions="") == replace(found[1], solutions="")


def test_solutions_of_a_source_that_is_not_read_are_known_by_its_pin(tmp_path: Path) -> None:
    source = {"hub": "someone/sums", "revision": "0" * 40, "path": "a.jsonl"}
    plain = identify(described(tmp_path, source=source))
    worked = identify(described(tmp_path, source=source, columns={"solution": "work"}))
    assert worked.solutions
    assert replace(worked, solutions="") == plain


def test_a_column_of_solutions_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", WORKED)
    benchmark = described(tmp_path, source={"file": "a.jsonl"}, columns={"solution": "wrok"})
    with pytest.raises(
        DataError, match="no column 'wrok' of worked solutions; did you mean 'work'"
    ):
        load_problems(benchmark)


def test_gsm8ks_worked_answers_are_right_by_its_verifier(shared_data: Path) -> None:
    gsm8k = load_benchmark(CATALOGUE / "gsm8k.yaml")
    problems = load_problems(
        with_source(gsm8k, shared_data / "benchmarks/gsm8k/test.jsonl"), limit=100
    )
    worked = [(row.gold, json.loads(row.meta)["solution"]) for row in problems]
    assert {
        found.verdict for found in grade(worked, PoolConfig(gsm8k.verifier, gsm8k.options))
    } == {"correct"}


def test_another_image_is_another_question(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [ROWS[0] | {"image": "1.png"}])
    benchmark = described(tmp_path, source={"file": "a.jsonl"}, columns={"images": "image"})
    identities = []
    for content in (PNG, PNG + b"2"):
        (tmp_path / "1.png").write_bytes(content)
        identities.append(identify(benchmark).questions)
    assert identities[0] != identities[1]
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png: an image cannot be read"):
        load_problems(benchmark)
    assert load_problems(benchmark, text_only=True)[0].images == []


def test_images_as_bytes_in_parquet_as_the_hub_has_them(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [ROWS[0] | {"decoded_image": {"bytes": PNG, "path": "1.png"}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    source = {"file": "a.parquet", "columns": {"images": "decoded_image"}}
    (problem,) = load_problems(described(tmp_path, source=source), images=tmp_path / "images")
    assert Path(problem.images[0]).read_bytes() == PNG


# LiveCodeBench, in its true format --------------------------------------------------------------


def packed(tests: list[dict[str, str]]) -> str:
    """Private tests as LiveCodeBench publishes them."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def live_row(name: str, date: str, **more: Any) -> dict[str, Any]:
    public = [{"input": "1 2", "output": "3", "testtype": "stdin"}]
    return {
        "question_title": name,
        "question_content": "Print the sum of two numbers.",
        "platform": "atcoder",
        "question_id": name,
        "contest_id": "abc300",
        "contest_date": date,
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(public),
        "private_test_cases": packed([{"input": "5 5", "output": "10", "testtype": "stdin"}]),
        "metadata": "{}",
    } | more


def functional_row(name: str, date: str) -> dict[str, Any]:
    tests = [{"input": "[1, 2]\n3", "output": "6", "testtype": "functional"}]
    return live_row(
        name,
        date,
        platform="leetcode",
        starter_code="class Solution:\n    def total(self, values: List[int], more: int):\n",
        public_test_cases=json.dumps(tests),
        private_test_cases=packed(tests),
        metadata='{"func_name": "total"}',
    )


@pytest.fixture
def live(tmp_path: Path) -> Path:
    rows = [
        live_row("early", "2023-04-30T00:00:00"),
        live_row("first", "2023-05-01T00:00:00"),
        functional_row("august", "2024-08-03T19:30:00"),
        live_row("last", "2025-01-31T23:59:00"),
        live_row("late", "2025-02-01T00:00:00"),
    ]
    write_jsonl(tmp_path / "live.jsonl", rows)
    return tmp_path / "live.jsonl"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("livecodebench", ["first", "august", "last"]),
        ("livecodebench-2408", ["august", "last"]),
    ],
)
def test_livecodebenchs_windows_of_dates(live: Path, name: str, expected: list[str]) -> None:
    shipped = load_benchmark(CATALOGUE / f"{name}.yaml")
    benchmark = replace(with_source(shipped, live), count=None)
    assert [problem.id for problem in load_problems(benchmark)] == expected


def test_livecodebenchs_problems_are_asked_and_graded_as_published(live: Path) -> None:
    shipped = load_benchmark(CATALOGUE / "livecodebench.yaml")
    problems = load_problems(replace(with_source(shipped, live), count=None))
    stdin, method = problems[0], problems[1]
    assert "\n\n### Format: Read the inputs from stdin" in stdin.question
    assert "```python\nclass Solution:\n    def total" in method.question
    right = "class Solution:\n    def total(self, values, more):\n        return sum(values) + more"
    responses = [
        (stdin.gold, "```python\nprint(sum(map(int, input().split())))\n```"),
        (stdin.gold, "```python\nprint(3)\n```"),
        (method.gold, f"```python\n{right}\n```"),
    ]
    found = grade(responses, PoolConfig("code", {}))
    assert [g.verdict for g in found] == ["correct", "wrong", "correct"]


def test_private_tests_that_hold_code_are_never_run(tmp_path: Path, live: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.write_text, (tmp_path / "owned", "owned"))

    hostile = base64.b64encode(zlib.compress(pickle.dumps(Attack()))).decode()
    write_jsonl(live, [live_row("bad", "2024-08-01", private_test_cases=hostile)])
    shipped = load_benchmark(CATALOGUE / "livecodebench.yaml")
    (problem,) = load_problems(replace(with_source(shipped, live), count=None))
    with pytest.raises(ValueError, match="hold more than a text"):
        CodeVerifier().check_gold(problem.gold)
    assert not (tmp_path / "owned").exists()


def test_a_row_that_is_not_livecodebenchs_is_refused() -> None:
    with pytest.raises(DataError, match="not a row of LiveCodeBench"):
        adapt({"question_content": "x"})


def test_the_split_of_omni_math_is_a_partition_that_keeps_equal_texts_together(
    tmp_path: Path,
) -> None:
    rows = [{"problem": f"What is {i // 2}?", "answer": str(i // 2)} for i in range(400)]
    write_jsonl(tmp_path / "omni.jsonl", rows)
    parts = {}
    for part in ("train", "test"):
        shipped = load_benchmark(CATALOGUE / f"omni-math-{part}.yaml")
        mine = replace(with_source(shipped, tmp_path / "omni.jsonl"), count=None, digests={})
        parts[part] = [problem.question for problem in load_problems(mine)]
    assert len(parts["train"]) + len(parts["test"]) == 400
    assert not set(parts["train"]) & set(parts["test"])
    assert 0.6 < len(parts["train"]) / 400 < 0.8  # 2,000 of the real 2,821


# The real files ---------------------------------------------------------------------------------

REAL = {
    "aime24": ("aime24/test.jsonl", 30),
    "amc23": ("amc23/test.jsonl", 40),
    "gsm8k": ("gsm8k/test.jsonl", 1319),
    "humanevalplus": ("humanevalplus/HumanEvalPlus.jsonl.gz", 164),
    "math500": ("math500/test.jsonl", 500),
    "mathvision": ("mathvision/testmini.jsonl", 114),
    "mathvista": ("mathvista_text_only/testmini.json", 460),
    "mbppplus": ("mbppplus/MbppPlus.jsonl.gz", 378),
    "minerva": ("minerva_math/test.jsonl", 272),
    "olympiadbench": ("olympiadbench/test.jsonl", 675),
}


def real(name: str, shared_data: Path) -> tuple[Benchmark, list[Problem]]:
    """A shipped benchmark, its source pointed at the file, and its problems."""
    shipped = load_benchmark(CATALOGUE / f"{name}.yaml")
    benchmark = with_source(shipped, shared_data / "benchmarks" / REAL[name][0])
    return benchmark, load_problems(benchmark, text_only=name == "mathvista")


@pytest.mark.parametrize("name", REAL)
def test_real_benchmarks_load_through_the_shipped_files(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    benchmark, problems = real(name, shared_data)
    assert len(problems) == REAL[name][1] == benchmark.count
    assert all(problem.question and json.loads(problem.gold) for problem in problems)
    monkeypatch.setenv("PASSK_DATA", str(shared_data))
    if name != "mathvista":  # the very same through the sources that the file names
        shipped = load_benchmark(CATALOGUE / f"{name}.yaml")
        assert [p.gold_digest for p in load_problems(shipped)] == [p.gold_digest for p in problems]


def answer_of(gold: str) -> str:
    """A gold answer as a model would state it."""
    value = json.loads(gold)
    if isinstance(value, dict):
        return str(value["answer"])
    return str(value[0] if isinstance(value, list) else value)


def responses_of(name: str, problems: list[Problem]) -> list[tuple[str, str]]:
    """Each gold answer with a response that gives it; worked solutions are responses already."""
    if name in {"gsm8k", "minerva"}:
        return [(p.gold, answer_of(p.gold).replace("####", "The answer is")) for p in problems]
    return [(p.gold, f"so \\boxed{{{answer_of(p.gold)}}}.") for p in problems]


TEXT = sorted(REAL.keys() - {"humanevalplus", "mbppplus"})


@pytest.mark.parametrize("name", TEXT)
def test_every_gold_answer_is_correct_against_itself(shared_data: Path, name: str) -> None:
    benchmark, problems = real(name, shared_data)
    setup = PoolConfig(benchmark.verifier, dict(benchmark.options))
    found = grade(responses_of(name, problems), setup)
    assert [(p.id, g) for p, g in zip(problems, found, strict=True) if g.verdict != "correct"] == []


@pytest.mark.parametrize("name", ["mathvision", "mathvista"])
def test_multiple_choice_golds_are_correct_against_themselves(shared_data: Path, name: str) -> None:
    benchmark, _ = real(name, shared_data)
    whole = replace(benchmark, where={}, count=None, digests={})
    problems = load_problems(whole, text_only=True)
    assert len(problems) == {"mathvision": 304, "mathvista": 1000}[name]
    found = grade(responses_of(name, problems), PoolConfig(benchmark.verifier, {}))
    assert {g.verdict for g in found} == {"correct"}


@pytest.mark.parametrize("name", ["humanevalplus", "mbppplus"])
def test_some_reference_solutions_pass_their_own_tests(shared_data: Path, name: str) -> None:
    """Here through the shipped file; tests/verifiers/test_verifier_code.py shows that all do."""
    benchmark, problems = real(name, shared_data)
    chosen = problems[::60]
    programs = [
        f"```python\n{row['prompt']}{row['canonical_solution']}\n```"
        for row in (json.loads(problem.gold) for problem in chosen)
    ]
    pairs = [(p.gold, text) for p, text in zip(chosen, programs, strict=True)]
    found = grade(pairs, PoolConfig(benchmark.verifier, dict(benchmark.options)))
    assert {g.verdict for g in found} == {"correct"}


def verdicts(name: str, shared_data: Path, answers: dict[str, str]) -> dict[str, str]:
    """The verdict on an answer to each problem named by its id."""
    benchmark, problems = real(name, shared_data)
    gold = {problem.id: problem.gold for problem in problems}
    pairs = [(gold[name], f"\\boxed{{{text}}}") for name, text in answers.items()]
    found = grade(pairs, PoolConfig(benchmark.verifier, dict(benchmark.options)))
    return {key: g.verdict for key, g in zip(answers, found, strict=True)}


def test_leading_zeros_and_decimal_golds_of_competitions(shared_data: Path) -> None:
    _, problems = real("aime24", shared_data)
    padded = {p.id: str(int(json.loads(p.gold))) for p in problems if json.loads(p.gold)[0] == "0"}
    assert len(padded) == 7
    assert set(verdicts("aime24", shared_data, padded).values()) == {"correct"}
    _, problems = real("amc23", shared_data)
    whole = {p.id: str(int(float(json.loads(p.gold)))) for p in problems}
    assert {json.loads(p.gold)[-2:] for p in problems} == {".0"}
    assert set(verdicts("amc23", shared_data, whole).values()) == {"correct"}


AMBIGUOUS = 2349
"""Problem of OlympiadBench with the gold 221, 8: turned round, 8, 221 reads as one number."""


def test_all_values_of_a_multiple_answer_are_asked_for(shared_data: Path) -> None:
    path = shared_data / "benchmarks" / REAL["olympiadbench"][0]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    several = [row for row in rows if row["is_multiple_answer"]]
    assert len(several) == 94
    numbers = {
        str(row["id"]): row["final_answer"][0].replace("$", "").split(",")
        for row in several
        if re.fullmatch(r"[-\d, $]+", row["final_answer"][0]) and row["id"] != AMBIGUOUS
    }
    assert len(numbers) > 10
    turned = {name: ", ".join(reversed(values)) for name, values in numbers.items()}
    assert set(verdicts("olympiadbench", shared_data, turned).values()) == {"correct"}
    partial = {name: values[0] for name, values in numbers.items()}
    assert set(verdicts("olympiadbench", shared_data, partial).values()) == {"wrong"}


def test_mathvistas_questions_say_what_they_are_graded_by(shared_data: Path) -> None:
    _, problems = real("mathvista", shared_data)
    for problem in problems:
        gold = json.loads(problem.gold)
        if gold["type"] == "float":
            assert f"number of {gold['precision']} decimal place" in problem.question
        else:
            assert {"integer": "whole number", "list": "list of numbers"}[gold["type"]] in (
                problem.question
            )
    _, problems = real("mathvista", shared_data)
    assert sum("(Unit: " in problem.question for problem in problems) > 0


def test_mathvisions_images_and_options_reach_the_prompt(shared_data: Path, tmp_path: Path) -> None:
    benchmark, _ = real("mathvision", shared_data)
    problems = load_problems(benchmark, images=tmp_path / "images")
    prompts = [render(load_prompt(REPO / "specs/prompts/vision-boxed.yaml"), p) for p in problems]
    assert all(Path(image).is_file() for prompt in prompts for image in prompt.images)
    assert {len(prompt.images) for prompt in prompts} == {1}
    whole = load_problems(replace(benchmark, where={}, count=None, digests={}), text_only=True)
    kittens = next(problem for problem in whole if problem.id == "6")
    assert kittens.question.endswith("Choices:\n(A) A\n(B) B\n(C) C\n(D) D\n(E) E")


# Commands ---------------------------------------------------------------------------------------


def own_benchmark() -> str:
    """The benchmark file that the README shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "verifier:" in block)


def test_the_readmes_own_benchmark_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sums.yaml").write_text(own_benchmark())
    write_jsonl(tmp_path / "sums.jsonl", [{"text": "1 + 1 =", "answer": "2"}])
    assert main(["validate", str(tmp_path / "sums.yaml")]) == 0
    shown = capsys.readouterr().out
    assert "sums.yaml: valid; Sums, 1 problems" in shown
    assert "1 + 1 =\n  Please reason step by step" in shown
    assert 'gold answer: "2"' in shown


def test_validate_refuses_a_gold_answer_that_the_verifier_cannot_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    file = described(tmp_path, source={"file": "a.jsonl"}, verifier="code").file
    assert main(["validate", str(file)]) == 1
    assert "gold answer of problem 'p0' is not one that verifier 'code' reads" in (
        capfd.readouterr().err
    )


def test_the_list_of_benchmarks(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PASSK_DATA", str(shared_data))
    assert main(["benchmarks", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert found.keys() == {path.stem for path in CATALOGUE.glob("*.yaml")}
    assert found["gsm8k"]["state"] == "present"
    assert (found["aime25"]["state"], found["aime25"]["problems"]) == ("missing", 30)
    for name, entry in found.items():
        assert entry["licence"], name
        assert entry["citation"], name
        assert entry["pinned"], name
        assert entry["problems"] or name in {"arithmetic", "sums", "sums-train"}


def test_catalogue_of_the_paper_has_the_papers_sizes() -> None:
    sizes = {
        path.stem: (benchmark.count, benchmark.n)
        for path in CATALOGUE.glob("*.yaml")
        if (benchmark := load_benchmark(path)).n
    }
    assert sizes == {
        "aime24": (30, 1024),
        "aime25": (30, 1024),
        "amc23": (40, 1024),
        "gsm8k": (1319, 128),
        "humanevalplus": (164, 128),
        "livecodebench": (880, 128),
        "livecodebench-2408": (279, 128),
        "math500": (500, 128),
        "mathvision": (114, 128),
        "mathvista": (460, 128),
        "mbppplus": (378, 128),
        "minerva": (272, 128),
        "olympiadbench": (675, 128),
        "omni-math-rule": (2821, 256),
        "omni-math-test": (821, 256),
        "omni-math-train": (2000, 256),
    }


# Contamination ----------------------------------------------------------------------------------

LONG = "Ada walks to the old mill and counts seventeen grey geese before the sun goes down."


def problem(question: str, name: str = "p") -> Problem:
    return Problem(name, question, '"1"', [], "{}", "", "")


@pytest.mark.parametrize("ending", ["txt", "txt.gz", "jsonl", "jsonl.gz", "csv", "parquet"])
def test_a_question_is_found_in_any_kind_of_text(tmp_path: Path, ending: str) -> None:
    text = f"Before.\n{LONG.upper().replace('old', 'old,')} After."
    path = tmp_path / f"corpus.{ending.removesuffix('.gz')}"
    if "jsonl" in ending:
        write_jsonl(path, [{"nested": {"messages": [{"content": text}]}}])
    elif ending == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([{"text": text}]), path)
    elif ending == "csv":
        path.write_text(f'text\n"{text}"\n')
    else:
        path.write_text(text)
    if ending.endswith(".gz"):
        zipped = tmp_path / f"corpus.{ending}"
        zipped.write_bytes(gzip.compress(path.read_bytes()))
        path = zipped
    (overlap,), short = find_overlaps([problem(LONG), problem("1 + 1", "tiny")], [path])
    assert (overlap.problem_id, overlap.share, short) == ("p", 1.0, ["tiny"])


def test_what_only_looks_alike_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LONG.replace("mill", "barn"))
    write_jsonl(tmp_path / "rows.jsonl", [{"a": LONG[:40]}, {"a": LONG[40:]}])
    assert find_overlaps([problem(LONG)], [tmp_path / "a.txt", tmp_path / "rows.jsonl"])[0] == []


@given(st.lists(st.sampled_from("abcdefgh"), min_size=13, max_size=30), st.integers(1, 64))
def test_a_question_is_found_wherever_the_chunks_end(words: list[str], chunk: int) -> None:
    import tempfile

    import passk.benchmarks.overlap as module

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        path = Path(folder) / "a.txt"
        path.write_text(f"é x {' '.join(words)} é")
        (overlap,), _ = find_overlaps([problem(" ".join(words))], [path])
    assert overlap.found == overlap.grams == len(ngrams(" ".join(words)))


def test_the_overlap_of_real_questions_with_themselves(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PASSK_DATA", str(shared_data))
    file = str(shared_data / "benchmarks/math500/test.jsonl")
    assert main(["overlap", "math500", file, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["overlaps"]) + len(found["too_short"]) == 500
    assert {entry["share"] for entry in found["overlaps"]} == {1.0}
    assert main(["overlap", "math500", str(REPO / "README.md")]) == 0
    assert "0 of 500 questions" in capsys.readouterr().out
