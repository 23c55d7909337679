"""How often the `choice` verifier finds no answer in what a real model writes.

    PASSK_DATA=../shared/data python perf/verify_choice.py WEIGHTS [--questions 64] [--show]

WEIGHTS is a folder of a chat model (transformers). It is asked questions of MathVision (those with
options and those without) and of MathVista, without their images, which decides whether it is
right and hardly how it phrases its answer. Printed per benchmark and kind of question: responses,
`no_answer`, right; with `--show`, each response in which no answer was found. What a response that
was cut off at `--tokens` would have said is not the verifier's failure, and counted apart.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from passk.stages.verify import grade
from passk.verifiers.grading.worker_pool import PoolConfig

DATA = Path(os.environ.get("PASSK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
HINT = {
    True: "Choose one of the options. End with 'Answer: ' and the letter of the option.",
    False: "End with 'Answer: ' and the answer.",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("--questions", type=int, default=64, help="of each kind")
    parser.add_argument("--tokens", type=int, default=160)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    for kind, rows in questions(options.questions).items():
        texts = drawn(options.weights, [row["prompt"] for row in rows], options.tokens)
        pairs = [
            (json.dumps(row["gold"]), text) for row, (text, _) in zip(rows, texts, strict=True)
        ]
        found = grade(pairs, PoolConfig("choice", {}))
        verdicts = Counter(graded.verdict for graded in found)
        cut = [
            g.verdict == "no_answer" and not ended
            for g, (_, ended) in zip(found, texts, strict=True)
        ]
        print(
            f"{kind}: {len(rows)} responses",
            dict(verdicts),
            f"no_answer and cut: {sum(cut)}",
            flush=True,
        )
        if options.show:
            for graded, (gold, text) in zip(found, pairs, strict=True):
                if graded.verdict == "no_answer":
                    print(f"--- {gold}: {graded.detail}: {graded.answer!r}\n{text}")


def questions(number: int) -> dict[str, list[dict[str, Any]]]:
    """Return the first questions of each kind, with prompt and gold answer."""
    vision = DATA / "benchmarks" / "mathvision" / "testmini.jsonl"
    rows = [json.loads(line) for line in vision.read_text().splitlines()]
    vista = json.loads((DATA / "benchmarks/mathvista_text_only/testmini.json").read_text()).values()
    kinds = {
        "MathVision, options": [asked(r, r["options"], {}) for r in rows if r["options"]],
        "MathVision, free": [asked(r, [], {}) for r in rows if not r["options"]],
        "MathVista, options": [asked(r, r["choices"], {}) for r in vista if r["choices"]],
        "MathVista, free": [
            asked(r, [], {"type": r["answer_type"], "precision": r["precision"]})
            for r in vista
            if not r["choices"]
        ],
    }
    return {kind: found[:number] for kind, found in kinds.items()}


def asked(row: dict[str, Any], choices: list[str], more: dict[str, Any]) -> dict[str, Any]:
    """Return the prompt and the gold answer of a question."""
    question = row["question"].replace("<image1>", "").strip()
    listed = "".join(f"\n({chr(65 + n)}) {choice}" for n, choice in enumerate(choices))
    gold = {"answer": row["answer"], "choices": choices, **more}
    return {"prompt": f"{question}{listed}\n{HINT[bool(choices)]}", "gold": gold}


def drawn(weights: Path, prompts: list[str], tokens: int) -> list[tuple[str, bool]]:
    """Return a response to each prompt, and whether it came to its end."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(weights, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.bfloat16)
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    texts = [
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        for chat in chats
    ]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    out = model.generate(
        **inputs, do_sample=True, temperature=0.6, top_p=0.95, max_new_tokens=tokens
    )[:, inputs["input_ids"].shape[1] :]
    ended = (out == model.generation_config.eos_token_id).any(dim=1).tolist()
    return list(zip(tokenizer.batch_decode(out, skip_special_tokens=True), ended, strict=True))


if __name__ == "__main__":
    main()
