"""What a shard costs beside its drawing: with a job of its own, and in runs of shards.

The fake engine draws in no time, so that all that is left is overhead: Snakemake, starting Python,
reading, writing, journals. Wall-clock time of the whole workflow to its report, less that of one
with a single shard, over the other shards. With `--slurm` the same through the jobs of a Slurm
(make test-slurm installs it; `python tests/slurm/cluster.py up FOLDER` starts it).

    python perf/scale_run.py                       # about 5 minutes
    python perf/scale_run.py --slurm --shards 16
    python perf/scale_run.py --jobs                # processor time of one small job of each kind
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scale_plan import REPO, measure, ours

PARTITIONS = """\
partitions:
  gpu: {max_gpu: 2, max_mem_mb: 16000, max_threads: 8, max_runtime: 1d}
  cpu: {max_mem_mb: 16000, max_threads: 8, max_runtime: 1d}
"""


def seconds_of(shards: int, together: int, *, slurm: bool) -> float:
    """Run a study of so many shards, so many of them a job, and return the seconds it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours(folder, 1)
        spec = json.loads((folder / "spec.yaml").read_text())
        spec |= {"k": [1], "jobs": {"shards": together}}
        spec["benchmarks"]["sums"]["n"] = shards
        (folder / "spec.yaml").write_text(json.dumps(spec))
        command = [sys.executable, "-m", "snakemake", "-s", str(REPO / "Snakefile")]
        command += ["--configfile", "spec.yaml", "--quiet", "all"]
        command += slurm_options(folder) if slurm else ["--cores", "2"]
        environment = os.environ | {"PYTHONPATH": str(REPO)}
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True)
        return time.perf_counter() - began


def print_jobs(rounds: int) -> None:
    """Print the processor time of one small job of each kind that there is per shard."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours(folder, 1)
        spec = json.loads((folder / "spec.yaml").read_text())
        spec |= {"k": [1], "perplexity": [{"scorer": "m0", "responses_of": ["m0"]}]}
        spec["benchmarks"]["sums"]["n"] = 1
        (folder / "spec.yaml").write_text(json.dumps(spec))
        files = ["-s", str(REPO / "Snakefile"), "--configfile", "spec.yaml"]
        command = [sys.executable, "-m", "snakemake", *files, "--cores", "2", "--quiet", "all"]
        command += ["--until", "count_verdicts", "score_responses"]
        environment = os.environ | {"PYTHONPATH": str(REPO)}
        subprocess.run(command, cwd=folder, env=environment, check=True)
        (cell,) = folder.glob("outputs/store/cells/*")
        (problems,) = folder.glob("outputs/store/problems/*/problems-*.parquet")
        (questions,) = folder.glob("outputs/store/problems/*/questions.parquet")
        (task,) = cell.glob("scores/*/score.json")
        samples = cell / "samples/000000-000001.parquet"
        jobs = {
            "sample": ["--cell", cell / "cell.json", "--problems", questions, "--samples", "0-1"],
            "verify": ["--verifier", "number", "--problems", problems, "--samples", samples],
            "perplexity": ["--task", task, "--problems", questions, "--samples", samples],
        }
        for job, options in jobs.items():
            costs = []
            for index in range(rounds):
                out = folder / f"{job}-{index}.parquet"
                words = ("-m", "passk", job, *map(str, options), "-o", str(out))
                costs.append(measure(folder, sys.executable, *words).seconds)
            print(f"{job}: {statistics.median(costs):.2f} s of processor time", flush=True)


def slurm_options(folder: Path) -> list[str]:
    """Return the profile with partitions of the throw-away cluster, and frequent looks."""
    profile = folder / "profile"
    profile.mkdir()
    text = (REPO / "profiles" / "slurm" / "config.yaml").read_text()
    (profile / "config.yaml").write_text(text)
    (profile / "partitions.yaml").write_text(PARTITIONS)
    often = [
        "--slurm-init-seconds-before-status-checks",
        "2",
        "--max-status-checks-per-second",
        "1",
    ]
    return ["--profile", str(profile), *often, "--max-threads", "1"]


def main() -> None:
    """Print the overhead per shard for jobs of 1 and of 8 shards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--jobs", action="store_true", help="single jobs alone")
    options = parser.parse_args()
    if options.jobs:
        print_jobs(rounds=5)
        return
    least = seconds_of(1, 1, slurm=options.slurm)
    print(f"one shard: {least:.1f} s in all", flush=True)
    for together in (1, 8):
        took = seconds_of(options.shards, together, slurm=options.slurm)
        each = (took - least) / (options.shards - 1)
        print(
            f"{options.shards} shards, {together} a job: {took:.1f} s, {each:.2f} s a shard",
            flush=True,
        )


if __name__ == "__main__":
    main()
