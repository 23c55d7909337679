"""The vLLM engine on real vLLM, in an environment of its own: make test-vllm."""

from __future__ import annotations

import math
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vllm_processes import wait_until_gone

pytest.importorskip("vllm", reason="vLLM has an environment of its own: make test-vllm")

from conftest import REPO, Study
from exact_draws import REQUESTS, check_draws, exact_distribution, settings_of_draws
from kills import RESPONSES, check_finished, finished_lines, missing, shard_of, wait_for_rows
from tiny_models import save_tiny

from passk.core.errors import EngineError
from passk.core.schemas import Sample
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.tokens import prompt_digest
from passk.engines.vllm import VllmEngine
from passk.engines.vllm.engine import SingleVllmEngine
from passk.engines.vllm.requests import entropy

WEIGHTS = os.environ.get("PASSK_TEST_WEIGHTS", "")
KILLS = int(os.environ.get("PASSK_TEST_KILLS", "1"))
SUM = Prompt(text="36 + 19 = 55\n50 + 51 = 101\n71 + 49 = 120\n96 + 30 = 126\n25 + 60 =")
SAMPLING = Sampling(temperature=1.0, max_tokens=8, stop=("\n",))

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore"),  # vLLM's own
    pytest.mark.skipif(not WEIGHTS, reason="PASSK_TEST_WEIGHTS names no model: make test-vllm"),
]


@pytest.fixture(scope="module")
def engine() -> SingleVllmEngine:
    execution = {"max_model_len": 512}
    return VllmEngine.load(ModelSource(WEIGHTS, dtype="float32", execution=execution))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def telling(tiny: Path) -> SingleVllmEngine:
    """The engine on a tiny model, asked for entropies."""
    execution = {"entropy": True}
    return VllmEngine.load(ModelSource(str(tiny), dtype="float32", execution=execution))


def request(samples: range, problem_id: str = "sum", prompt: Prompt = SUM) -> Request:
    return Request(problem_id, prompt, tuple(samples), tuple(1000 + i for i in samples))


def test_every_response_comes_once_and_the_same_again(engine: SingleVllmEngine) -> None:
    first = sorted(engine.sample([request(range(24))], SAMPLING), key=lambda row: row.sample)
    assert [row.sample for row in first] == list(range(24))
    assert [row.seed for row in first] == [1000 + i for i in range(24)]
    assert len({row.text for row in first}) > 3
    assert {row.prompt_digest for row in first} == {prompt_digest(engine.tokenizer.prompt(SUM))}
    rest = {row.sample: row.text for row in engine.sample([request(range(12, 24))], SAMPLING)}
    assert rest == {row.sample: row.text for row in first[12:]}


def test_a_run_that_is_left_off_does_not_meet_the_next(engine: SingleVllmEngine) -> None:
    begun = engine.sample([request(range(8), "left")], Sampling(max_tokens=40))
    next(iter(begun))
    begun.close()
    rows = list(engine.sample([request(range(4), "next")], SAMPLING))
    assert [row.problem_id for row in rows] == ["next"] * 4


def test_rows_say_how_they_ended(engine: SingleVllmEngine) -> None:
    rows = list(engine.sample([request(range(16))], SAMPLING))
    for row in rows:
        assert "\n" not in row.text
        assert row.n_tokens == len(row.token_ids) <= 8
        assert row.finish_reason == ("stop" if row.n_tokens < 8 else row.finish_reason)
        assert row.sum_logprob < 0
        assert math.isnan(row.mean_entropy)
    cut = list(engine.sample([request(range(4))], Sampling(temperature=1.0, max_tokens=1)))
    assert {row.finish_reason for row in cut} == {"length"}


def test_stop_tokens_end_a_response_and_are_not_in_its_text(engine: SingleVllmEngine) -> None:
    (newline,) = engine.tokenizer.tokenizer("\n", add_special_tokens=False)["input_ids"]
    sampling = Sampling(max_tokens=8, stop_token_ids=(newline,))
    rows = list(engine.sample([request(range(16))], sampling))
    stopped = [row for row in rows if row.token_ids[-1] == newline]
    assert stopped
    assert all(row.finish_reason == "stop" and "\n" not in row.text for row in stopped)


def test_temperature_and_filters_reach_the_engine(engine: SingleVllmEngine) -> None:
    greedy = Sampling(temperature=0.0, max_tokens=4, stop=("\n",))
    assert len({row.text for row in engine.sample([request(range(6))], greedy)}) == 1
    one = Sampling(temperature=1.0, top_k=1, max_tokens=4, stop=("\n",))
    assert len({row.text for row in engine.sample([request(range(6))], one)}) == 1
    narrow = Sampling(temperature=1.0, top_p=0.01, max_tokens=4, stop=("\n",))
    assert len({row.text for row in engine.sample([request(range(6))], narrow)}) == 1


def tiny_logits(folder: Path, tokens: list[int]) -> np.ndarray:
    """The next-token logits of the tiny model, by transformers."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        found: np.ndarray = model(torch.tensor([tokens])).logits[0, -1].double().numpy()
    return found


@pytest.mark.parametrize("sampling", settings_of_draws(), ids=str)
def test_next_tokens_follow_the_exact_filtered_softmax(
    telling: SingleVllmEngine, tiny: Path, sampling: Sampling
) -> None:
    prompt = Prompt(text="The answer is")
    rows = telling.sample([request(range(REQUESTS), prompt=prompt)], sampling)
    drawn = Counter(row.token_ids[0] for row in rows)
    assert drawn.total() == REQUESTS
    logits = tiny_logits(tiny, telling.tokenizer.prompt(prompt))
    check_draws(drawn, exact_distribution(logits, sampling, min_p_first=True))


@pytest.mark.parametrize(("penalty", "times"), [(0.0, 8), (0.8, 2)])
def test_a_frequency_penalty_is_subtracted_once_per_time_a_token_was_drawn(
    telling: SingleVllmEngine, tiny: Path, penalty: float, times: int
) -> None:
    prompt, sampling = Prompt(text="aaaa"), Sampling(0.0, max_tokens=8, frequency_penalty=penalty)
    tokens, drawn = telling.tokenizer.prompt(prompt), list[int]()
    for _ in range(8):
        logits = tiny_logits(tiny, [*tokens, *drawn])
        np.subtract.at(logits, drawn, penalty)
        drawn.append(int(logits.argmax()))
    (row,) = telling.sample([request(range(1), prompt=prompt)], sampling)
    assert row.token_ids == drawn
    assert drawn.count(drawn[0]) == times


def test_entropies_are_those_of_the_whole_distribution(
    telling: SingleVllmEngine, tiny: Path
) -> None:
    prompt, sampling = Prompt(text="Entropy"), Sampling(temperature=0.7, top_k=5, max_tokens=6)
    for row in telling.sample([request(range(4), prompt=prompt)], sampling):
        tokens, entropies, logprobs = telling.tokenizer.prompt(prompt), [], []
        for token in row.token_ids:
            logits = tiny_logits(tiny, tokens)
            known = logits - np.logaddexp.reduce(logits)
            entropies.append(entropy(known, 0.7))
            logprobs.append(known[token])
            tokens.append(token)
        assert row.mean_entropy == pytest.approx(np.mean(entropies), abs=1e-3)
        assert row.sum_logprob == pytest.approx(sum(logprobs), abs=1e-2)
    greedy = Sampling(temperature=0, max_tokens=3)
    assert next(telling.sample([request(range(1))], greedy)).mean_entropy == 0


def test_prompts_beyond_one_step_are_not_cut_on_a_cpu(tiny: Path) -> None:
    source = ModelSource(
        str(tiny),
        dtype="float32",
        execution={"max_model_len": 128},
        engine_kwargs={"max_num_batched_tokens": 128},
    )
    engine = VllmEngine.load(source)
    prompts = [Prompt(text=f"{i} " + "x" * 50) for i in range(6)]
    requests = [request(range(2), f"p{i}", prompt) for i, prompt in enumerate(prompts)]
    assert len(list(engine.sample(requests, Sampling(max_tokens=4)))) == 12


def test_what_does_not_fit_is_an_error_never_a_cut(engine: SingleVllmEngine) -> None:
    with pytest.raises(EngineError, match=r"do not fit into max_model_len = 512"):
        list(engine.sample([request(range(1))], Sampling(max_tokens=500)))


def test_scores_equal_the_log_probabilities_of_sampling(engine: SingleVllmEngine) -> None:
    rows = list(engine.sample([request(range(8))], SAMPLING))
    submitted = [
        ScoreRequest(row.problem_id, row.sample, SUM, row.text, tuple(row.token_ids))
        for row in rows
    ]
    empty = ScoreRequest("sum", 99, SUM, "")
    scores = {score.sample: score for score in engine.score([*submitted, empty])}
    for row in rows:
        assert scores[row.sample].sum_logprob == pytest.approx(row.sum_logprob, abs=1e-2)
        assert scores[row.sample].n_tokens == row.n_tokens
    assert (scores[99].n_tokens, scores[99].sum_logprob) == (0, 0.0)
    assert math.isnan(scores[99].perplexity)


@pytest.mark.parametrize(
    ("source", "message", "fix"),
    [
        (ModelSource("./no/such/model"), "no such file or folder", "check `weights`"),
        (ModelSource("org/name", revision="v1"), "cannot load the model", "network"),
    ],
)
def test_missing_weights_are_one_message(
    source: ModelSource, message: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EngineError, match=message) as raised:
        list(VllmEngine.load(source).sample([request(range(1))], SAMPLING))
    assert fix in raised.value.fix


def test_kills_lose_no_finished_row_and_leave_no_process(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")  # nothing is gained by compiling it
    save_tiny(study.folder / "tiny")
    model: dict[str, Any] = {"weights": "./tiny", "engine": "vllm", "dtype": "float32"}
    files = shard_of(study, tokens=8, **model, execution={"batch_size": 2})
    names = [str(path) for path in files]
    command = ("--cell", names[0], "--problems", names[1], "--samples", "0-40", "-o", names[2])
    moments, kept = random.Random(0), list[Sample]()
    for kill in range(KILLS):
        process = study.start(sys.executable, "-m", "passk", "sample", *command)
        if kill % 4 == 3:  # while vLLM starts
            time.sleep(moments.uniform(1, 15))
        else:
            wait_for_rows(files[2], len(kept) + moments.randrange(1, 6))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before, kept = kept, finished_lines(files[2])
        assert repr(kept[: len(before)]) == repr(before)
        assert missing(study) == RESPONSES - len(kept)
        wait_until_gone(process.pid)
    last = study.run(sys.executable, "-m", "passk", "sample", *command)
    assert last.returncode == 0, last.stderr[-3000:]
    check_finished(files[2], kept)
    assert missing(study) == 0


def test_package_paths_are_of_this_checkout() -> None:
    import passk

    assert Path(passk.__file__).is_relative_to(REPO)
