"""The reading server without a browser: labels that outlive a kill, the queue, tables, refusals."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest
from conftest import REPO, environment
from synthetic_study import make_study

from passk.analysis.study import read_plan
from passk.core.artifacts import read_json, write_json
from passk.core.errors import OutputError, PasskError
from passk.report.web.local_server import LocalServer
from passk.review.agreement import agreement_rows, consensus
from passk.review.labels import LABELS, LabelFile, read_all, read_labels
from passk.review.pages import ReviewPages
from passk.review.queue import Key, build_queue
from passk.review.session import ReviewSession, open_labels
from passk.review.tables import build, review_tables

KEY = Key("cell", "p1", 3)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"), problems=24, n=32)


def with_review(plan: Path, folder: Path, **review: object) -> Path:
    raw = read_json(plan)
    write_json(folder / "plan.json", {**raw, "review": review})
    return folder / "plan.json"


def test_a_label_is_in_the_file_when_it_was_said_and_undo_takes_it_back(tmp_path: Path) -> None:
    path = tmp_path / "labels" / "ada.jsonl"
    with LabelFile(path) as file:
        file.add(KEY, "valid")
        assert read_labels(path) == {KEY: ("valid", "")}
        file.add(KEY, "flawed", "a sign is lost\nin line 2")
        assert read_labels(path) == {KEY: ("flawed", "a sign is lost\nin line 2")}
        assert file.undo() == KEY
        assert read_labels(path) == {KEY: ("valid", "")}
        assert file.undo() == KEY
        assert read_labels(path) == {}
        assert file.undo() is None
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_line_costs_no_other_label(
    tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ada.jsonl"
    with LabelFile(path) as file:
        file.add(KEY, "valid")
        file.add(Key("cell", "p2", 0), "unsure")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with caplog.at_level(logging.WARNING, "passk"), LabelFile(path) as file:
        assert file.current[KEY] == ("valid", "")
        file.add(Key("cell", "p3", 1), "flawed")
    after = read_labels(path)
    assert after[KEY] == ("valid", "")
    assert after[Key("cell", "p3", 1)] == ("flawed", "")
    assert (cut > 1) == ("not a label" in caplog.text)


def test_two_sessions_cannot_lock_one_file(tmp_path: Path) -> None:
    path = tmp_path / "ada.jsonl"
    with LabelFile(path), pytest.raises(OutputError, match="another `passk review`"):
        LabelFile(path)


@pytest.mark.parametrize("name", ["", "../ada", "a/b", ".hidden", "a b", 'x"y'])
def test_a_reviewer_is_a_name_that_can_stand_in_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(PasskError, match="letters, digits"):
        open_labels(tmp_path, name)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], "unlabelled"),
        (["valid"], "valid"),
        (["valid", "valid", "unsure"], "valid"),
        (["valid", "flawed"], "unsure"),
        (["flawed", "unsure"], "flawed"),
        (["unsure"], "unsure"),
    ],
)
def test_one_label_out_of_several(labels: list[str], expected: str) -> None:
    assert consensus(labels) == expected


def test_the_queue_holds_every_correct_response_to_rare_problems_and_no_other(plan: Path) -> None:
    study = read_plan(plan)
    keys = {item.key for item in build_queue(study)}
    expected = set()
    for cell in study.cells:
        counts = pd.read_parquet(cell.counts)
        accuracy = counts["correct"] / counts["n"]
        rare = set(counts.loc[(accuracy > 0) & (accuracy < 0.05), "problem_id"])
        rows = pd.concat(pd.read_parquet(path) for path in cell.verdicts)
        rows = rows[rows["problem_id"].isin(rare) & (rows["verdict"] == "correct")]
        expected |= {Key(cell.id, p, s) for p, s in zip(rows["problem_id"], rows["sample"])}  # noqa: B905
    assert keys == expected
    assert keys


def test_the_spec_says_which_problems_models_and_how_many(plan: Path, tmp_path: Path) -> None:
    wide = build_queue(read_plan(with_review(plan, tmp_path, accuracy=[0, 0.5])))
    few = build_queue(read_plan(with_review(plan, tmp_path, accuracy=[0, 0.5], responses=1)))
    assert len({(item.key.cell, item.key.problem_id) for item in wide}) == len(few) < len(wide)
    assert not build_queue(read_plan(with_review(plan, tmp_path, models=["other"])))
    item = wide[0]
    assert item.question.startswith("What is")
    assert item.text == f"The answer is {item.answer}."


def tables(plan: Path, labels: dict[str, dict[Key, tuple[str, str]]]) -> dict[str, pd.DataFrame]:
    return build(read_plan(plan), labels)  # type: ignore[arg-type]


def test_labels_move_curves_between_at_least_and_at_most(plan: Path, tmp_path: Path) -> None:
    asked = with_review(plan, tmp_path, accuracy=[0, 0.3])
    queue = [item.key for item in build_queue(read_plan(asked)) if item.key.cell == "hot"]
    half = queue[: len(queue) // 2]
    said = {
        "ada": dict.fromkeys(half[::2], ("valid", "")) | dict.fromkeys(half[1::2], ("flawed", ""))
    }
    found = tables(asked, said)
    curves = found["reviewed_curves"].query("cell == 'hot' and k == 1")
    value = dict(zip(curves["responses_kept"], curves["pass_at_k"], strict=True))
    flawed, left = len(half[1::2]), len(queue) - len(half)
    total = 24 * 32
    assert value["valid at most"] == pytest.approx(value["graded"] - flawed / total)
    assert value["valid at least"] == pytest.approx(value["graded"] - (flawed + left) / total)
    rest = {key: ("valid", "") for key in queue if key not in said["ada"]}
    done = tables(asked, {"ada": said["ada"] | rest})["reviewed_curves"].query("cell == 'hot'")
    least, most = (
        done[done["responses_kept"] == f"valid at {end}"]["pass_at_k"].tolist()
        for end in ("least", "most")
    )
    assert least == most


def test_problems_with_a_valid_solution_are_counted_per_model(plan: Path, tmp_path: Path) -> None:
    asked = with_review(plan, tmp_path, accuracy=[0, 0.3])
    queue = [item.key for item in build_queue(read_plan(asked)) if item.key.cell == "hot"]
    problems = sorted({key.problem_id for key in queue})
    said = {key: ("valid" if key.problem_id == problems[0] else "flawed", "") for key in queue}
    row = tables(asked, {"ada": said})["reviewed_models"].set_index("cell").loc["hot"]
    assert (row["problems_read"], row["with_valid"]) == (len(problems), 1)
    assert (row["all_flawed"], row["open"]) == (len(problems) - 1, 0)


def test_a_label_of_a_response_that_is_not_in_the_queue_changes_nothing(
    plan: Path,
) -> None:
    said = {"ada": {Key("hot", "p000", 10_000): ("flawed", ""), Key("gone", "p", 0): ("valid", "")}}
    with_labels, without = tables(plan, said), tables(plan, {})
    for name in with_labels.keys() - {"reviewed_agreement"}:
        pd.testing.assert_frame_equal(with_labels[name], without[name])


def test_problems_that_can_be_guessed_are_named_and_dropped(plan: Path, tmp_path: Path) -> None:
    raw = read_json(plan)
    raw["cells"][1]["model"] = "direct"
    raw["review"] = {"guessing": "direct", "guess_accuracy": [0, 0.2]}
    write_json(tmp_path / "plan.json", raw)
    found = tables(tmp_path / "plan.json", {})
    counts = pd.read_parquet(raw["cells"][1]["counts"])
    accuracy = counts["correct"] / counts["n"]
    expected = set(counts.loc[(accuracy > 0) & (accuracy < 0.2), "problem_id"])
    guessable = found["guessable"]
    assert set(guessable.loc[guessable["dropped"], "problem_id"]) == expected
    curves = found["reviewed_curves"]
    assert set(curves["cell"]) == {"hot"}
    sizes = curves.groupby("problems_kept")["problems"].first()
    assert sizes["all"] - sizes["without guessable"] == len(expected) > 0


def test_the_tables_are_files_with_their_columns_even_when_nobody_has_read(
    plan: Path, tmp_path: Path
) -> None:
    review_tables(plan, [], tmp_path / "reviewed")
    header = (tmp_path / "reviewed/reviewed_agreement.csv").read_text()
    assert header == "reviewer,other,responses,agreement,kappa\n"


@pytest.fixture
def server(plan: Path, tmp_path: Path) -> Iterator[LocalServer]:
    study = read_plan(with_review(plan, tmp_path, accuracy=[0, 0.3]))
    with open_labels(tmp_path / "labels", "ada") as labels:
        server = LocalServer(ReviewPages(ReviewSession(study.title, build_queue(study), labels)))
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
        server.server_close()


def ask(
    server: LocalServer, path: str, body: object = None, **headers: str
) -> tuple[int, bytes, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    own = {"Host": f"127.0.0.1:{server.server_port}"}
    if body is not None:
        own["Origin"] = f"http://127.0.0.1:{server.server_port}"
    sent = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, sent, own | headers)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.headers)
    connection.close()
    return found


def test_labels_go_through_the_server_to_the_file(server: LocalServer, tmp_path: Path) -> None:
    base = f"/{server.token}"
    queue = json.loads(ask(server, f"{base}/queue")[1])
    assert queue["items"][0]["label"] is None
    asked = {"item": 2, "label": "flawed", "note": "no"}
    status, body, _ = ask(server, f"{base}/label", asked)
    assert (status, json.loads(body)) == (200, asked)
    assert list(read_labels(tmp_path / "labels/ada.jsonl").values()) == [("flawed", "no")]
    assert json.loads(ask(server, f"{base}/queue")[1])["items"][2]["label"] == "flawed"
    assert json.loads(ask(server, f"{base}/undo", {})[1]) == {"item": 2, "label": None, "note": ""}


def test_other_hosts_origins_tokens_and_paths_are_refused(
    server: LocalServer, tmp_path: Path
) -> None:
    base, port = f"/{server.token}", server.server_port
    label = {"item": 0, "label": "valid"}
    for status, path, body, headers in (
        (403, "/", None, {}),
        (403, "/wrong/queue", None, {}),
        (403, f"{base}/queue", None, {"Host": "evil.example"}),
        (403, f"{base}/queue", None, {"Host": f"evil.example:{port}"}),
        (403, f"{base}/queue", None, {"Origin": "http://evil.example"}),
        (403, f"{base}/label", label, {"Origin": "http://evil.example"}),
        (403, f"{base}/label", label, {"Origin": "null"}),
        (403, f"{base}/label", label, {"Origin": f"http://127.0.0.1:{port + 1}"}),
        (404, f"{base}/assets/../review.js", None, {}),
        (404, f"{base}/assets/..%2f..%2fserver.py", None, {}),
        (404, f"{base}/item/999999", None, {}),
        (404, f"{base}/image/0/0", None, {}),
        (400, f"{base}/label", {"item": 0, "label": "<script>"}, {}),
        (400, f"{base}/label", {"item": "0", "label": "valid"}, {}),
        (400, f"{base}/label", ["valid"], {}),
        (404, f"{base}/label", {"item": -1, "label": "valid"}, {}),
        (413, f"{base}/label", {**label, "note": "x" * 200_000}, {}),
    ):
        found = ask(server, path, body, **headers)
        assert found[0] == status, (path, headers, found)
    assert read_labels(tmp_path / "labels/ada.jsonl") == {}


def test_every_answer_carries_the_policy_and_the_page_holds_no_inline_script(
    server: LocalServer,
) -> None:
    for path in (
        "/",
        f"/{server.token}/",
        f"/{server.token}/queue",
        f"/{server.token}/assets/text.js",
    ):
        headers = ask(server, path)[2]
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not {"Set-Cookie", "Access-Control-Allow-Origin"} & headers.keys()
    page = ask(server, f"/{server.token}/")[1].decode()
    assert not re.search(r"<script(?![^>]*src=)", page)
    assert not re.search(r"\son\w+=", page)


def test_images_of_a_question_are_served_and_nothing_else_is(plan: Path, tmp_path: Path) -> None:
    item = build_queue(read_plan(with_review(plan, tmp_path, accuracy=[0, 0.3])))[0]
    picture, secret = tmp_path / "a.png", tmp_path / "secret.txt"
    picture.write_bytes(b"\x89PNG")
    secret.write_text("secret")
    import dataclasses

    items = [dataclasses.replace(item, images=(str(picture), str(secret)))]
    with open_labels(tmp_path / "labels", "ada") as labels:
        server = ReviewSession("t", items, labels)
        assert server.image(0, 0) == (b"\x89PNG", "image/png")
        with pytest.raises(Exception, match="not an image"):
            server.image(0, 1)


def test_agreement_counts_what_both_have_labelled(tmp_path: Path) -> None:
    for name, labels in {"ada": "vvff", "bob": "vfff"}.items():
        with LabelFile(tmp_path / f"{name}.jsonl") as file:
            for index, letter in enumerate(labels):
                file.add(Key("c", "p", index), "valid" if letter == "v" else "flawed")
            file.add(Key("c", name, 0), "valid")
    (row,) = agreement_rows(read_all(tmp_path.glob("*.jsonl")))
    assert (row["reviewer"], row["other"], row["responses"]) == ("ada", "bob", 4)
    assert (row["agreement"], row["kappa"]) == (0.75, pytest.approx(0.5))


SERVE = """
import sys
from pathlib import Path
from passk.analysis.study import read_plan
from passk.review.queue import build_queue
from passk.review.session import ReviewSession, open_labels
from passk.report.web.local_server import LocalServer
from passk.review.pages import ReviewPages
study = read_plan(Path(sys.argv[1]))
with open_labels(Path(sys.argv[2]), "ada") as labels:
    server = LocalServer(ReviewPages(ReviewSession(study.title, build_queue(study), labels)))
    print(server.server_port, server.token, flush=True)
    server.serve_forever()
"""


def test_a_kill_after_any_keystroke_loses_no_label(plan: Path, tmp_path: Path) -> None:
    asked = with_review(plan, tmp_path, accuracy=[0, 0.5])
    labels = tmp_path / "labels"
    said: list[tuple[int, str]] = []
    for keystrokes in (1, 2, 5):
        command = [sys.executable, "-c", SERVE, str(asked), str(labels)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=REPO, env=environment()
        )
        assert process.stdout is not None
        port, token = process.stdout.readline().split()
        for _ in range(keystrokes):
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
            body = {"item": len(said), "label": LABELS[len(said) % 3]}
            origin = {"Origin": f"http://127.0.0.1:{port}"}
            connection.request("POST", f"/{token}/label", json.dumps(body), origin)
            assert connection.getresponse().status == 200
            said.append((len(said), str(body["label"])))
            connection.close()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        items = build_queue(read_plan(asked))
        kept = read_labels(labels / "ada.jsonl")
        assert [kept[items[index].key][0] for index, _ in said] == [label for _, label in said]


def test_a_report_can_be_made_after_the_responses_were_archived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from passk.report.html.responses import response_blocks

    plan = make_study(tmp_path, problems=6, n=32)
    study = read_plan(plan)
    counts = pd.concat(pd.read_parquet(c.counts).assign(cell=c.id) for c in study.cells)
    assert len(list(response_blocks(study, counts, None))) == 2
    study.cells[0].samples[0].unlink()
    with caplog.at_level(logging.WARNING, "passk"):
        assert len(list(response_blocks(study, counts, None))) == 1
    assert "does not exist" in caplog.text
