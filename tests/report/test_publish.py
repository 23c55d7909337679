"""`passk publish`: a folder that a web host serves, without private paths, hosts and logins."""

from __future__ import annotations

import base64
import csv
import json
import re
import zlib
from pathlib import Path

import pytest
import yaml
from synthetic_study import make_study

from passk.analysis.study import read_plan
from passk.analysis.tables import aggregate
from passk.core.artifacts import (
    file_digest,
    read_json,
    read_manifest,
    write_json,
    write_manifest,
)
from passk.core.errors import OutputError, PasskError
from passk.core.schemas import Verdict, read_rows, write_rows
from passk.report.build import report
from passk.report.figures import draw
from passk.report.publish import publish
from passk.report.redaction import Redactor
from passk.review.labels import LabelFile
from passk.review.queue import build_queue
from passk.review.tables import review_tables

SECRET = "/home/ada/secret-project"
PRIVATE = (SECRET, "secret-project", "gpu7", "cluster.lan", "s3cr3t", "ada", "bob")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study with private texts wherever one may be."""
    folder = tmp_path_factory.mktemp("outputs") / "study"
    plan = make_study(folder, problems=12, n=8)
    raw = read_json(plan)
    raw["spec"] = {
        "name": "synthetic",
        "models": {
            "a": {
                "weights": f"{SECRET}/weights/model-a",
                "endpoint": "http://gpu7.cluster.lan:80/v1",
            },
            "b": {"weights": "Qwen/Qwen2.5-7B", "endpoint": "https://ada:s3cr3t@api.openai.com/v1"},
        },
    }
    raw["spec_path"] = f"{SECRET}/specs/synthetic.yaml"
    raw["warnings"] = [f"T = 1.0: weights at {SECRET}/weights are of another file"]
    raw["review"] = {"accuracy": [0, 0.9]}
    raw["figures"] = ["curves"]
    write_json(plan, raw)
    samples, verdicts = (Path(raw["cells"][0][kind][0]) for kind in ("samples", "verdicts"))
    found = dict(read_manifest(samples) or {})
    write_manifest(
        samples, {**found, "weights": f"{SECRET}/w", "host": "gpu7", "log": "~/secret-project/x"}
    )
    rows = read_rows(verdicts, Verdict)
    detail = f"failed: {SECRET}/run.py: no such file on http://gpu7:8000/x"
    values = {name: getattr(rows[0], name) for name in Verdict.__dataclass_fields__}
    rows[0] = Verdict(**{**values, "detail": detail})
    write_rows(verdicts, rows, read_manifest(verdicts))
    items = build_queue(read_plan(plan))
    for reviewer in ("ada", "bob"):
        (folder / "labels").mkdir(exist_ok=True)
        with LabelFile(folder / f"labels/{reviewer}.jsonl") as labels:
            labels.add(items[0].key, "valid")
    aggregate(plan, folder / "tables")
    draw(folder / "tables", plan, folder / "figures")
    review_tables(plan, sorted((folder / "labels").glob("*.jsonl")), folder / "reviewed")
    reviewed = sorted((folder / "reviewed").glob("*.csv"))
    report(plan, folder / "tables", folder / "figures", folder / "report.html", reviewed)
    return folder


def everything(folder: Path) -> str:
    """All text of a page or site, with the blocks of the page unpacked."""
    files = [folder] if folder.is_file() else [p for p in sorted(folder.rglob("*")) if p.is_file()]
    texts = [str(path.name) for path in files]
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        packed = re.findall(r'id="block-[\w-]+">(.*?)</script>', text)
        packed += re.findall(r'passkBlock\("[\w-]+","(.*?)"\)', text)
        texts += [zlib.decompress(base64.b64decode(one), 31).decode() for one in packed]
        texts.append(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    return "\n".join(texts)


def named(texts: str) -> set[str]:
    return {name for name in PRIVATE if re.search(rf"(?<!\w){re.escape(name)}\b", texts)}


def test_nothing_private_of_the_page_is_in_what_is_published(study: Path, tmp_path: Path) -> None:
    assert named(everything(study / "report.html")) == set(PRIVATE)
    publish(study, tmp_path / "site")
    site = everything(tmp_path / "site")
    assert named(site) == set()
    assert str(tmp_path) not in site
    for kept in ("…/model-a", "Qwen/Qwen2.5-7B", "https://api.openai.com/v1", "reviewer 1"):
        assert kept in site
    assert "http://HOST/v1" in site


def test_a_site_is_whole_and_its_manifest_names_every_file(study: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    files = set(publish(study, site))
    assert files == {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    entries = read_json(site / "manifest.json")["files"]
    assert {Path(entry["path"]) for entry in entries} == files - {Path("manifest.json")}
    assert all(entry["sha256"] == file_digest(site / entry["path"]) for entry in entries)
    wanted = ("index.html", "spec.yaml", "README.md", ".nojekyll", "tables/summary.csv", "figures")
    assert all((site / name).exists() for name in wanted)
    assert yaml.safe_load((site / "spec.yaml").read_text())["models"]["b"]["weights"].startswith(
        "Qwen"
    )
    front = (site / "README.md").read_text().split("---")[1]
    assert yaml.safe_load(front) == {
        "title": "Hot and cold", "sdk": "static", "app_file": "index.html", "pinned": False
    }  # fmt: skip
    with (site / "tables/summary.csv").open() as ours, (study / "tables/summary.csv").open() as own:
        assert list(csv.reader(ours)) == list(csv.reader(own))


def test_a_site_is_replaced_but_files_of_others_are_left_alone(study: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    (site / "CNAME").write_text("example.org")
    publish(study, site)
    old = site / "tables/old.csv"
    old.write_text("")
    manifest = read_json(site / "manifest.json")
    for path in ("tables/old.csv", "../outside", "/etc/hostname"):
        manifest["files"].append({"path": path})
    (site / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "outside").write_text("")
    publish(study, site)
    assert not old.exists()
    assert (site / ".git").is_dir()
    assert (site / "CNAME").is_file()
    assert (tmp_path / "outside").is_file()
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(OutputError, match="not of an earlier publication"):
        publish(study, other)
    assert [path.name for path in other.iterdir()] == ["index.html"]


def test_what_cannot_be_redacted_is_refused(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passk.report.publish.private_texts", lambda: ("Hot and cold",))
    with pytest.raises(PasskError, match=r"'Hot and cold' would be in README\.md"):
        publish(study, tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("/data/models/qwen", "…/qwen"),
        ("/data/my models/qwen", "…/qwen"),
        ("~/models/qwen", "…/qwen"),
        ("../other/qwen", "…/qwen"),
        ("./models/qwen", "./models/qwen"),
        ("cannot read '/data/x.jsonl': no", "cannot read '…/x.jsonl': no"),
        ("mount:/data/x", "mount:…/x"),
        ("file:///data/x", "…/x"),
        ("http://10.0.0.7:8000/v1", "http://HOST/v1"),
        ("https://huggingface.co/datasets/a/b", "https://huggingface.co/datasets/a/b"),
        ("https://evilhuggingface.co/x", "https://HOST/x"),
        ("1/2 and 3 /4 or a/b/c", "1/2 and 3 /4 or a/b/c"),
        ("run on box17 or box171", "run on HOST or box171"),
    ],
)
def test_paths_and_hosts_in_texts(text: str, public: str) -> None:
    assert Redactor(("box17",)).text(text) == public


def test_paths_below_the_working_directory_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Redactor()(f"{tmp_path}/outputs/x") == "outputs/x"
    assert Redactor()({"host": "a", "x": [f"see {tmp_path}"]}) == {"x": ["see ."]}
