"""The profile for any other scheduler, with a submit script that runs jobs in the background."""

from __future__ import annotations

import shutil

import pytest
import yaml
from conftest import REPO, Study

pytest.importorskip(
    "snakemake_executor_plugin_cluster_generic", reason="pip install 'passk-study[cluster]'"
)

SUBMIT = """#!/usr/bin/env bash
# submit THREADS GPUS MEMORY MINUTES SCRIPT: start a job in the background and print its id.
echo "$1 $2 $3 $4" >> asked.txt
bash "$5" > /dev/null 2>&1 &
echo $!
"""


def test_the_profile_submits_every_job_with_its_resources(study: Study) -> None:
    profile = study.folder / "profile"
    shutil.copytree(REPO / "profiles/cluster-generic", profile)
    script = study.folder / "submit.sh"
    script.write_text(SUBMIT)
    script.chmod(0o755)
    config = yaml.safe_load((profile / "config.yaml").read_text())
    config["cluster-generic-submit-cmd"] = (
        f"{script} {{threads}} {{resources.gpu}} {{resources.mem_mb}} {{resources.runtime}}"
    )
    config["cluster-generic-cancel-cmd"] = "kill"
    config |= {"latency-wait": 5, "retries": 0}
    (profile / "config.yaml").write_text(yaml.safe_dump(config))
    study.spec["models"].pop("tuned")
    study.spec["perplexity"] = []
    study.spec["jobs"] = {"shards": 2}
    jobs = study.snakemake("--profile", str(profile), "--until", "count_verdicts")
    assert (jobs["draw_samples"], jobs["verify_responses"], jobs["count_verdicts"]) == (1, 2, 1)
    assert list(study.folder.glob("outputs/store/cells/base*/counts/*.parquet"))
    asked = [line.split() for line in (study.folder / "asked.txt").read_text().splitlines()]
    assert len(asked) == jobs.total() - sum(
        jobs[name] for name in jobs if name.startswith(("resolve_", "load_questions", "load_probl"))
    )
    assert {gpus for _, gpus, _, _ in asked} == {"0"}
