"""A status of a large study in the middle of its run: a training at work, 200 cells."""

from __future__ import annotations

from passk.workflow.status.report_types import Interim, Progress, Status


def large_status() -> Status:
    """The status: a training and three cells run, one cell has failed shards, 60 are done."""
    return {
        "name": "rlvr-large",
        "runs": [
            {"user": "ada", "spec": "/home/ada/specs/paper.yaml", "host": "login1", "pid": 123,
             "since": 1.7e9, "parts": []}
        ],
        "scheduler": "3 jobs running, 14 in the queue",
        "trainings": [_training()],
        "cells": [_cell(number) for number in range(200)],
        "scores": [],
        "total": {"shards": _shards(200, done=61), "responses": 12_800_000,
                  "responses_done": 3_904_000, "per_second": 25.1, "seconds_left": 354_421.0},
        "failures": [
            {"shard": "000000-000016", "log": "outputs/store/logs/sample/x.log", "when": 1.7e9,
             "message": "passk: error: http://127.0.0.1:8000: the server cannot be reached",
             "tail": ["passk: error: http://127.0.0.1:8000: the server cannot be reached"]}
        ],
        "report": None,
        "done": False,
    }  # fmt: skip


def _shards(total: int, **counts: int) -> dict[str, int]:
    states = ("done", "running", "failed", "queued", "waiting")
    return {"all": total, **dict.fromkeys(states, 0), **counts}


def _training() -> Progress:
    return {
        "name": "training grpo-seed1-0a1b2c3d", "shards": _shards(3, done=1, running=1, waiting=1),
        "steps": 12, "steps_done": 5, "per_second": 0.1, "seconds_left": 70.0, "reward": 0.25,
        "failures": [],
    }  # fmt: skip


def _cell(number: int) -> Progress:
    """Cells 0 to 59 are done, 60 to 62 run, 63 has failed, the others wait."""
    done = 16 if number < 60 else 7 if number < 64 else 0
    runs, fails = int(60 <= number < 63), 2 * int(number == 63)
    interim: Interim = {
        "problems": 500, "responses": 4000 * done, "pass_at_1": 0.412, "ci_low": 0.38,
        "ci_high": 0.443, "truncated_share": 0.012, "no_answer_share": 0.002,
    }  # fmt: skip
    return {
        "name": f"qwen2.5-7b-simplerl-{number}.math500.hot-{number:08x}",
        "shards": _shards(16, done=done, running=runs, failed=fails, waiting=16 - done),
        "responses": 64_000, "responses_done": 4000 * done, "graded": done, "counted": done == 16,
        "interim": interim if done else None, "per_second": 8.31 * runs,
        "seconds_left": 2300.0 if runs else None, "failures": [],
    }  # fmt: skip
