"""Every file of the outputs that a command of a rule reads is among the rule's inputs.

What is read and not declared is not made again when it is missing: the run then fails for ever.
"""

from __future__ import annotations

import json
from typing import Any

from conftest import Study, write_jsonl
from opened_files import noted, rules_that_read_what_they_declare

RULES = {
    *("load_questions", "load_problems", "load_clusters", "resolve_cell", "match_entropy"),
    *("draw_samples", "adopt_responses", "verify_responses", "count_verdicts"),
    *("decide_problems", "select_chains", "count_votes"),
    *("write_references", "resolve_score", "score_responses"),
    *("resolve_experiment", "aggregate_tables", "draw_figures", "tabulate_labels", "write_report"),
}


def test_commands_read_nothing_but_declared_inputs(study: Study) -> None:
    problems = study.folder / "benchmarks/sums.jsonl"
    rows = [json.loads(line) for line in problems.read_text().splitlines()]
    write_jsonl(problems, [row | {"exam": row["id"]} for row in rows])
    with (study.folder / "benchmarks/sums.yaml").open("a") as file:
        file.write("columns: {cluster: exam}\n")
    write_jsonl(study.folder / "theirs.jsonl", [row | {"said": "10"} for row in rows] * 8)
    study.save()
    done = study.passk(
        *("import", "table", "theirs.jsonl", "--benchmark", "benchmarks/sums.yaml"),
        *("--model", "them", "--map", "problem_id=id", "--map", "text=said", "-o", "brought"),
    )
    assert done.returncode == 0, done.stderr
    wrong: Any = ["71", "72"]  # answers of one length: entropy per token then rises with T
    study.set_rates("base.jsonl", [0.9, 0.5, 0.3, 0.1], wrong=wrong)
    study.set_rates("tuned.jsonl", [0.95, 0.7, 0.15, 0.05], wrong=wrong)
    match = {"sampler": "plain", "problems": 4, "responses": 2}
    study.spec["samplers"]["matched"] = {"max_tokens": 8, "match_entropy": match}
    study.spec["models"]["them"] = {"imported": "brought", "samplers": ["plain"]}
    study.spec["jobs"] = {"shards": 2, "scores": 2}
    study.spec |= {"figures": ["curves"], "review": {"accuracy": [0, 0.9]}}
    study.spec["confirm"] = {"n": 2, "rounds": 1}
    study.spec["models"]["reader"] = {"engine": "fake", "benchmarks": []}
    study.spec["judges"] = {"strict": {"model": "reader", "models": ["tuned"], "votes": 2}}
    with noted(study) as notes:
        jobs = study.snakemake()
    assert jobs["draw_samples"] == 3 + 2 + 2  # batches of two shards; fresh draws; votes
    assert rules_that_read_what_they_declare(study, notes) == RULES
