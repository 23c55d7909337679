"""A finished study is pushed once; every target is a real client with a local stand-in."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import Study
from hub_server import Hub, hub

from passk.analysis.study import TABLES

STUDY = "study.yaml"


@pytest.fixture(autouse=True)
def no_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own tokens and servers are used."""
    for name in ("HF_TOKEN", "WANDB_API_KEY", "MLFLOW_TRACKING_URI", "TRACKIO_SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "HF_HOME", "TRACKIO_DIR", "NETRC", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


TRACKERS = Path(sys.prefix) / "trackers"
"""Where `make` puts trackers: in the environment itself, TRL would import them in each training."""


def needs(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(module) is None:
        if not (TRACKERS / module).is_dir():
            pytest.skip(f"{module} is not installed; its extra has the same name")
        found = [os.environ.get("PYTHONPATH", ""), str(TRACKERS)]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, found)))


def refused(study: Study, *arguments: str) -> str:
    done = study.passk("push", STUDY, *arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) <= 3, done.stderr
    return done.stderr


def receipt(study: Study, target: str) -> dict[str, Any]:
    path = study.folder / f"outputs/study/pushes/{target}.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def curve(study: Study) -> dict[tuple[str, int], float]:
    table = pd.read_csv(study.folder / "outputs/study/tables/pass_at_k.csv")
    return {(m, k): v for m, k, v in zip(table.model, table.k, table.pass_at_k, strict=True)}


SEVERAL = """
import contextlib, io, json, pathlib, sys
from passk.cli import main
target, pushes = sys.argv[1], json.loads(sys.argv[2])
for arguments in pushes:
    if arguments == "forget":
        pathlib.Path(f"outputs/study/pushes/{target}.json").unlink()
        continue
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["push", "study.yaml", "--to", target, *arguments]) == 0
    print(printed.getvalue().splitlines()[0])
"""

FORGET = "forget"
"""In place of a push: the receipt is lost."""


def several(study: Study, target: str, *pushes: list[str] | str) -> list[str]:
    """Push several times in one process, and return the first line of each."""
    done = study.run(sys.executable, "-c", SEVERAL, target, json.dumps(pushes))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_hub_gets_one_commit_per_content(
    finished: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "set HF_TOKEN" in refused(finished, "--to", "hub")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        planned, first, second = several(finished, "hub", ["--dry-run"], [], [])
        assert planned.startswith(f"would push {len(TABLES)} tables")
        assert first.startswith("pushed")
        assert second.startswith("already pushed")
        check_repository(finished, server)
        # Where the receipt is lost nothing has changed, so there is no commit.
        several(finished, "hub", FORGET, [], ["--without-responses"])
        assert len(server.commits) == 2
        assert not [path for path in server.files["ada/passk-study"] if path.startswith("data/")]
    message = refused(finished, "--to", "hub", "--project", "ada/other")
    assert "hub did not take it" in message
    assert "hf_secret" not in message
    assert not list((finished.folder / "outputs/study").glob(".push-*"))


def check_repository(study: Study, server: Hub) -> None:
    """The private repository has one commit with all files."""
    assert (len(server.commits), server.private) == (1, {"ada/passk-study"})
    assert server.tokens == {"Bearer hf_secret"}
    (repo,) = server.files.values()
    assert receipt(study, "hub")["passk-study"]["files"] == len(repo)
    folder = study.folder / "outputs/study"
    for part in ("tables/pass_at_k.parquet", "figures/figures.json", "report.html"):
        assert repo[part] == (folder / part).read_bytes()
    head = yaml.safe_load(repo["README.md"].decode().split("---\n")[1])
    parts = {path for one in head["configs"] for path in [one["data_files"][0]["path"]]}
    assert parts <= repo.keys()
    assert len(parts) == 3


def test_a_study_that_is_not_finished_is_not_pushed(study: Study) -> None:
    assert "passk run study.yaml" in refused(study, "--to", "hub")


def test_a_missing_package_is_one_message(finished: Study) -> None:
    for target in ("wandb", "trackio", "mlflow"):
        if importlib.util.find_spec(target) is None:
            assert f"needs the package '{target}'" in refused(finished, "--to", target)


def test_mlflow_has_one_run(finished: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("mlflow", monkeypatch)
    assert "set MLFLOW_TRACKING_URI" in refused(finished, "--to", "mlflow")
    folder = finished.folder / "runs"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", folder.as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    first, second, third = several(finished, "mlflow", [], [], FORGET, [])
    assert (first.split()[0], second.split()[0], third.split()[0]) == (
        "pushed",
        "already",
        "pushed",
    )
    (run,) = (path for path in folder.glob("*/*") if (path / "meta.yaml").is_file())
    for (model, k), value in curve(finished).items():
        (lines,) = run.glob(f"metrics/sums/{model}/*")
        steps = {
            int(line.split()[2]): float(line.split()[1]) for line in lines.read_text().splitlines()
        }
        assert steps[k] == pytest.approx(value)
    assert (run / "artifacts/tables/deltas.parquet").is_file()
    assert len(list(run.glob("artifacts/data/*/train.parquet"))) == 2


def test_wandb_offline_has_a_run(finished: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("wandb", monkeypatch)
    assert "WANDB_API_KEY" in refused(finished, "--to", "wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    said = several(finished, "wandb", [], [])
    assert [line.split()[0] for line in said] == ["pushed", "already"]
    location = Path(receipt(finished, "wandb")["passk-study"]["location"])
    (log,) = location.glob("*.wandb")
    content = log.read_bytes()
    assert b"sums/tuned/plain" in content
    assert b"passk-study" in content
    assert list(location.glob("files/media/table/tables/pass_at_k*"))
    assert list(location.glob("files/media/images/figures/*.png"))
    assert len(list(finished.folder.glob("wandb/offline-run-*"))) == 1


def test_trackio_has_one_run(finished: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("trackio", monkeypatch)
    several(finished, "trackio", [], FORGET, [])
    script = (
        "import json, trackio; (run,) = trackio.Api().runs('passk-study'); "
        "from trackio import SQLiteStorage; "
        "print(json.dumps(SQLiteStorage.get_logs('passk-study', run.name), default=str))"
    )
    done = finished.run(sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    logs = {row["step"]: row for row in json.loads(done.stdout.splitlines()[-1])}
    for (model, k), value in curve(finished).items():
        assert logs[k][f"sums/{model}/plain"] == pytest.approx(value)
    assert "tables/pass_at_k" in logs[8]
