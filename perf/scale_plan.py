"""What planning costs as a study grows, beside a bare Snakemake workflow with as many jobs.

For 100, 1,000 and 10,000 shards of the fake engine (a shard is two jobs: drawn, verified), in
alternation, medians of the rounds: a dry run of everything, and a run with nothing to do. Seconds
are of processor time, which other work on the machine changes least. The bare workflow's rules
have a log, a param, threads and resources, all constant; Python looks for garbage as seldom as in
passk's. Or, with `--paper`, a spec of the size of a whole paper: 32 models, 8 benchmarks, 10,240
shards.

    python perf/scale_plan.py                      # about 10 minutes
    python perf/scale_plan.py --paper --rounds 1
    python perf/scale_plan.py --shards 1000 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
SHARDS_A_CELL = 50

BARE = """\
import gc
gc.set_threshold(100_000, 20, 100)
CELLS = [f"c{{i}}" for i in range({cells})]
SHARDS = [f"s{{i}}" for i in range({shards})]

rule all:
    input: "bare/report.html"

rule questions:
    output: "bare/questions"
    shell: "touch {{output}}"

rule cell:
    output: "bare/{{cell}}/cell.json"
    shell: "touch {{output}}"

rule draw:
    input: ancient("bare/{{cell}}/cell.json"), ancient("bare/questions")
    output: "bare/{{cell}}/samples/{{shard}}"
    log: "bare/logs/draw/{{cell}}.{{shard}}.log"
    threads: 1
    resources: mem_mb=1000, runtime=15
    params: "{{cell}}"
    shell: "touch {{output}}"

rule verify:
    input: ancient("bare/questions"), "bare/{{cell}}/samples/{{shard}}"
    output: "bare/{{cell}}/verdicts/{{shard}}"
    log: "bare/logs/verify/{{cell}}.{{shard}}.log"
    params: "{{cell}}"
    shell: "touch {{output}}"

rule count:
    input:
        expand("bare/{{{{cell}}}}/samples/{{shard}}", shard=SHARDS),
        expand("bare/{{{{cell}}}}/verdicts/{{shard}}", shard=SHARDS),
    output: "bare/{{cell}}/counts"
    shell: "touch {{output}}"

rule report:
    input: expand("bare/{{cell}}/counts", cell=CELLS)
    output: "bare/report.html"
    shell: "touch {{output}}"
"""


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time and peak memory (MB) of a command."""

    seconds: float
    megabytes: float


def measure(folder: Path, *command: str) -> Cost:
    """Run a command once."""
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said[-2000:]
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def ours(folder: Path, cells: int) -> None:
    """Write a spec with `cells` models of the fake engine, 50 shards each."""
    rows = [
        {"problem_id": f"p{i}", "rate": 0.5, "correct": str(i), "wrong": ["x"]} for i in range(4)
    ]
    models = {}
    for index in range(cells):
        weights = folder / f"w{index}.jsonl"
        weights.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n" * index)
        models[f"m{index}"] = {"weights": f"./{weights.name}", "engine": "fake"}
    (folder / "benchmarks").mkdir()
    problems = [{"id": f"p{i}", "question": f"{i} =", "gold": str(i)} for i in range(4)]
    text = "".join(json.dumps(row) + "\n" for row in problems)
    (folder / "benchmarks" / "sums.jsonl").write_text(text)
    (folder / "benchmarks" / "sums.yaml").write_text(
        "title: Sums\nsource: {file: sums.jsonl}\nverifier: number\nprompt: few-shot-direct\n"
        'shots: [["1 =", "1"], ["2 =", "2"], ["3 =", "3"], ["4 =", "4"]]\n'
    )
    spec = {
        "name": "scale",
        "k": [1, SHARDS_A_CELL],
        "shard": 1,
        "models": models,
        "benchmarks": {"sums": {"n": SHARDS_A_CELL}},
        "samplers": {"plain": {"temperature": 1.0, "max_tokens": 8}},
    }
    (folder / "spec.yaml").write_text(json.dumps(spec))


def pretend_done(folder: Path) -> None:
    """Make an empty file at every path that either workflow would write, oldest first."""
    program = (
        "from passk.workflow import build_plan; from passk.workflow.files import Build\n"
        "from pathlib import Path\n"
        "print('\\n'.join(Build(build_plan(Path('spec.yaml'))).files))"
    )
    listed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=True,
    )
    cells = sorted(path.stem for path in folder.glob("w*.jsonl"))
    shards = [f"s{i}" for i in range(SHARDS_A_CELL)]
    names = [f"c{i}" for i in range(len(cells))]
    bare = ["bare/questions", *(f"bare/{c}/cell.json" for c in names)]
    bare += [
        f"bare/{c}/{kind}/{s}" for kind in ("samples", "verdicts") for c in names for s in shards
    ]
    bare += [*(f"bare/{c}/counts" for c in names), "bare/report.html"]
    for path in (*listed.stdout.splitlines(), *bare):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def compare(shards: int, rounds: int) -> None:
    """Measure both workflows at one size and print a line per kind of run."""
    with tempfile.TemporaryDirectory() as name:
        folder, cells = Path(name), shards // SHARDS_A_CELL
        ours(folder, cells)
        (folder / "Bare").write_text(BARE.format(cells=cells, shards=SHARDS_A_CELL))
        common = (
            "--cores",
            "1",
            "--quiet",
            "all",
            "--workflow-profile",
            str(REPO / "profiles/default"),
        )
        snakemake = (sys.executable, "-m", "snakemake")
        mine = (*snakemake, "-s", str(REPO / "Snakefile"), "--configfile", "spec.yaml", *common)
        bare = (*snakemake, "-s", "Bare", *common)
        for kind, flags in (("dry run", ("-n",)), ("no-op", ())):
            if kind == "no-op":
                pretend_done(folder)
            pairs = [
                (measure(folder, *mine, *flags), measure(folder, *bare, *flags))
                for _ in range(rounds)
            ]
            report(f"{shards:>6} {kind}", pairs)


def report(name: str, pairs: list[tuple[Cost, Cost]]) -> None:
    """Print medians, their ratio and peak memory."""
    passk = statistics.median(a.seconds for a, _ in pairs)
    bare = statistics.median(b.seconds for _, b in pairs)
    memory = [max(cost.megabytes for cost in side) for side in zip(*pairs, strict=True)]
    print(
        f"{name:16}  passk {passk:6.2f} s {memory[0]:5.0f} MB   "
        f"bare {bare:6.2f} s {memory[1]:5.0f} MB   ratio {passk / bare:.2f}",
        flush=True,
    )


def whole_paper(rounds: int) -> None:
    """Plan a spec of the size of a whole paper, by Snakemake and by `passk plan`."""
    sizes = {"gsm8k": 128, "math500": 128, "minerva": 128, "olympiadbench": 128}
    sizes |= {"humanevalplus": 128, "mbppplus": 128, "aime24": 1024, "amc23": 1024}
    models = {}
    for index in range(32):
        revision = f"{index:040x}"
        models[f"m{index}"] = {
            "weights": f"lab/model{index}-7B",
            "revision": revision,
            "engine": "vllm",
            "prompt": "qwen-boxed",
        }
    spec = {
        "name": "whole-paper",
        "k": [1, 128],
        "models": models,
        "benchmarks": {name: {"n": n, "shard": 4 if n == 128 else 16} for name, n in sizes.items()},
        "samplers": {"paper": {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16384}},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(json.dumps(spec))
        shards = len(models) * sum(n // (4 if n == 128 else 16) for n in sizes.values())
        common = (
            "--cores",
            "1",
            "--quiet",
            "all",
            "--workflow-profile",
            str(REPO / "profiles/default"),
        )
        dry = ("-m", "snakemake", "-n", "-s", str(REPO / "Snakefile"), "--configfile", "spec.yaml")
        for kind, command in (
            ("snakemake -n", (*dry, *common)),
            ("passk plan", ("-m", "passk", "plan", "spec.yaml")),
        ):
            costs = [measure(folder, sys.executable, *command) for _ in range(rounds)]
            seconds = statistics.median(cost.seconds for cost in costs)
            print(f"paper, {shards} shards, {kind}: {seconds:.1f} s, {costs[0].megabytes:.0f} MB")


def main() -> None:
    """Compare at every size asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--paper", action="store_true", help="the whole paper alone")
    options = parser.parse_args()
    for shards in () if options.paper else options.shards:
        compare(shards, options.rounds)
    if options.paper:
        whole_paper(options.rounds)


if __name__ == "__main__":
    main()
