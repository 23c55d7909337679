"""Judging: responses become questions to a judge, whose replies to them become judgements.

A judge's replies are drawn as any responses are (`passk.stages.sample`), a sample per vote; what
it is asked are Problem rows, one per response. Source: CoT-pass@k of Wen et al. 2025 (arXiv
2506.14245), where an answer counts if a judge finds its reasoning right, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from passk.core import versions
from passk.core.artifacts import canonical_json, digest
from passk.core.errors import DataError
from passk.core.schemas import (
    Count,
    Judgement,
    JudgementName,
    Problem,
    Sample,
    Verdict,
    read_rows,
    read_table,
    to_table,
    write_table,
)
from passk.stages.judge_prompt import judge_question, majority, read_vote


def select_chains(
    problems: Path,
    counts: Path,
    samples: Sequence[Path],
    verdicts: Sequence[Path],
    output: Path,
    *,
    n: int,
    accuracy: tuple[float, float] = (0.0, 1.0),
    wrong: bool = False,
    max_characters: int | None = None,
) -> None:
    """Write what a judge is asked: one Problem row per response that is judged, possibly none.

    The `gold` of a row is the code that a vote on it must name, as JSON; its `meta` holds which
    response it is and its verdict.

    Args:
        problems: file of Problem rows with gold answers.
        counts: file of Count rows, which tell the accuracy of each problem.
        samples: files of Sample rows.
        verdicts: files of Verdict rows, in the same order.
        output: file of Problem rows to write.
        n: responses per problem that are counted.
        accuracy: least and greatest accuracy of problems whose responses are judged, included.
        wrong: judge responses that are not correct, too.
        max_characters: longer responses are not judged: they would not fit into a judge's context.

    Raises:
        DataError: a file is missing or cannot be used.
        OutputError: the output cannot be written.
    """
    asked = {problem.id: problem for problem in read_rows(problems, Problem)}
    chosen = _chosen(counts, accuracy)
    rows = [
        _question(asked[one.problem_id], one)
        for drawn, graded in zip(samples, verdicts, strict=True)
        for one in _responses(drawn, graded)
        if one.problem_id in chosen
        and one.sample < n
        and 0 < len(one.text) <= (max_characters or len(one.text))
        and (wrong or one.verdict == "correct")
    ]
    manifest = {"stage": "chains", "version": versions.JUDGE, "selected": len(rows)}
    write_table(output, to_table(Problem, rows), manifest)


def _chosen(counts: Path, accuracy: tuple[float, float]) -> frozenset[str]:
    """Return the problems whose accuracy is in a range."""
    table = read_table(counts, Count, ["problem_id", "n", "correct"]).to_pylist()
    low, high = accuracy
    return frozenset(
        row["problem_id"] for row in table if low <= row["correct"] / max(row["n"], 1) <= high
    )


@dataclass(frozen=True, slots=True)
class _Response:
    """A graded response; `text` begins with its reasoning, where a server gave that apart."""

    problem_id: str
    sample: int
    text: str
    verdict: str


def _responses(samples: Path, verdicts: Path) -> Iterator[_Response]:
    """Yield the responses of a shard; their tokens are not read."""
    graded = {
        (row["problem_id"], row["sample"]): row["verdict"]
        for row in read_table(verdicts, Verdict, ["problem_id", "sample", "verdict"]).to_pylist()
    }
    table = read_table(samples, Sample, ["problem_id", "sample", "text", "reasoning"])
    for row in table.to_pylist():
        place = (row["problem_id"], row["sample"])
        text = "\n\n".join(filter(None, (row["reasoning"], row["text"])))
        yield _Response(*place, text, graded[place])


def _question(problem: Problem, response: _Response) -> Problem:
    """Return what a judge is asked of one response."""
    question, code = judge_question(problem.question, problem.gold, response.text)
    about = {
        "problem_id": problem.id,
        "sample": response.sample,
        "verdict": response.verdict,
    }
    return Problem(
        id=f"{problem.id}:{response.sample}",
        question=question,
        gold=json.dumps(code),
        images=problem.images,
        meta=canonical_json(about),
        question_digest=digest([question, problem.images]),
        gold_digest="",
    )


def count_votes(chains: Path, votes: Path, output: Path) -> None:
    """Write one Judgement row per response that was judged: its votes, and their majority.

    Args:
        chains: file of `select_chains`.
        votes: file of Sample rows, the judge's replies.
        output: file of Judgement rows to write, in the order of `chains`.

    Raises:
        DataError: a file cannot be used, or the replies are to other responses.
        OutputError: the output cannot be written.
    """
    asked = read_rows(chains, Problem, empty=True)
    codes = {one.id: str(json.loads(one.gold)) for one in asked}
    found: dict[str, list[JudgementName]] = {one.id: [] for one in asked}
    columns = ["problem_id", "text", "finish_reason"]
    for row in read_table(votes, Sample, columns, empty=True).to_pylist():
        name = row["problem_id"]
        if name not in found:
            raise DataError(
                f"a reply to '{name}', which is not judged", where=str(votes), fix="delete it"
            )
        whole = row["finish_reason"] in ("stop", "unknown")
        found[name].append(read_vote(row["text"], codes[name], whole=whole))
    rows = [_judgement(one, found[one.id]) for one in asked]
    manifest = {"stage": "judge", "version": versions.JUDGE, "judged": len(rows)}
    write_table(output, to_table(Judgement, rows), manifest)


def _judgement(asked: Problem, votes: Sequence[JudgementName]) -> Judgement:
    """Return the judgement on one response."""
    about = json.loads(asked.meta)
    return Judgement(
        problem_id=about["problem_id"],
        sample=about["sample"],
        verdict=about["verdict"],
        judgement=majority(votes),
        sound=votes.count("sound"),
        unsound=votes.count("unsound"),
        unclear=votes.count("unclear"),
    )
