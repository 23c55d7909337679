"""Greedy answers of models on real vLLM and their scores, in a process of their own.

    python vllm_answers.py JOBS ROWS

JOBS is JSON: a list of {"source": arguments of ModelSource, "prompts": {name: those of Prompt}}.
ROWS gets, for each job, {name: {"tokens": ..., "sampled": ..., "scored": [twice]}} with sums of
log-probabilities, those of scoring from an engine of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.vllm import VllmEngine

GREEDY = Sampling(temperature=0.0, max_tokens=12)


def answers(source: dict[str, Any], prompts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Draw one greedy response to each prompt, and score it twice."""
    model = ModelSource(**source)
    asked = {name: Prompt(**prompt) for name, prompt in prompts.items()}
    requests = [Request(name, prompt, (0,), (0,)) for name, prompt in asked.items()]
    rows = {
        row.problem_id: {"tokens": row.token_ids, "sampled": row.sum_logprob, "scored": []}
        for row in VllmEngine.load(model).sample(requests, GREEDY)
    }
    wanted = [
        ScoreRequest(name, i, asked[name], "", tuple(row["tokens"]))
        for i in range(2)
        for name, row in rows.items()
    ]
    for score in VllmEngine.load(model).score(wanted):
        rows[score.problem_id]["scored"].append(score.sum_logprob)
    return rows


def main() -> None:
    jobs = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([answers(**job) for job in jobs]))


if __name__ == "__main__":
    main()
