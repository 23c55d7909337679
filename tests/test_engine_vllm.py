"""The vLLM engine on real vLLM, in an environment of its own: make test-vllm."""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="vLLM has an environment of its own: make test-vllm")

from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.vllm import VllmEngine
from passk.errors import EngineError

WEIGHTS = os.environ.get("PASSK_TEST_WEIGHTS", "")
SUM = Prompt(text="36 + 19 = 55\n50 + 51 = 101\n71 + 49 = 120\n96 + 30 = 126\n25 + 60 =")
SAMPLING = Sampling(temperature=1.0, max_tokens=8, stop=("\n",))

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore"),  # vLLM's own
    pytest.mark.skipif(not WEIGHTS, reason="PASSK_TEST_WEIGHTS names no model: make test-vllm"),
]


@pytest.fixture(scope="module")
def engine() -> VllmEngine:
    execution = {"max_model_len": 512}
    return VllmEngine.load(ModelSource(WEIGHTS, dtype="float32", execution=execution))


def request(samples: range, problem_id: str = "sum") -> Request:
    return Request(problem_id, SUM, tuple(samples), tuple(1000 + i for i in samples))


def test_every_response_comes_once_and_the_same_again(engine: VllmEngine) -> None:
    first = sorted(engine.sample([request(range(24))], SAMPLING), key=lambda row: row.sample)
    assert [row.sample for row in first] == list(range(24))
    assert [row.seed for row in first] == [1000 + i for i in range(24)]
    assert len({row.text for row in first}) > 3
    rest = {row.sample: row.text for row in engine.sample([request(range(12, 24))], SAMPLING)}
    assert rest == {row.sample: row.text for row in first[12:]}


def test_rows_say_how_they_ended(engine: VllmEngine) -> None:
    rows = list(engine.sample([request(range(16))], SAMPLING))
    for row in rows:
        assert "\n" not in row.text
        assert row.n_tokens == len(row.token_ids) <= 8
        assert row.finish_reason == ("stop" if row.n_tokens < 8 else row.finish_reason)
        assert row.sum_logprob < 0
        assert math.isnan(row.mean_entropy)
    cut = list(engine.sample([request(range(4))], Sampling(temperature=1.0, max_tokens=1)))
    assert {row.finish_reason for row in cut} == {"length"}


def test_temperature_and_filters_reach_the_engine(engine: VllmEngine) -> None:
    greedy = Sampling(temperature=0.0, max_tokens=4, stop=("\n",))
    assert len({row.text for row in engine.sample([request(range(6))], greedy)}) == 1
    one = Sampling(temperature=1.0, top_k=1, max_tokens=4, stop=("\n",))
    assert len({row.text for row in engine.sample([request(range(6))], one)}) == 1
    narrow = Sampling(temperature=1.0, top_p=0.01, max_tokens=4, stop=("\n",))
    assert len({row.text for row in engine.sample([request(range(6))], narrow)}) == 1


def test_first_tokens_follow_the_exact_distribution(engine: VllmEngine) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    stats = pytest.importorskip("scipy.stats")
    model = transformers.AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS)
    ids = tokenizer("The answer is", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(ids).logits[0, -1] / 0.7
    kept = logits.topk(8)
    exact = dict(zip(kept.indices.tolist(), kept.values.double().softmax(0).tolist(), strict=True))
    sampling = Sampling(temperature=0.7, top_k=8, max_tokens=1)
    n = 2000
    prompt = Request("p", Prompt(text="The answer is"), tuple(range(n)), tuple(range(n)))
    drawn = Counter(row.token_ids[0] for row in engine.sample([prompt], sampling))
    assert set(drawn) <= set(exact)
    found = stats.chisquare([drawn[t] for t in exact], [n * p for p in exact.values()])
    assert found.pvalue > 1e-3


def test_what_does_not_fit_is_an_error_never_a_cut(engine: VllmEngine) -> None:
    with pytest.raises(EngineError, match=r"do not fit into max_model_len = 512"):
        list(engine.sample([request(range(1))], Sampling(max_tokens=500)))


def test_scores_equal_the_log_probabilities_of_sampling(engine: VllmEngine) -> None:
    rows = list(engine.sample([request(range(8))], SAMPLING))
    scorer = VllmEngine.load(
        ModelSource(WEIGHTS, dtype="float32", execution={"max_model_len": 512})
    )
    asked = [
        ScoreRequest(row.problem_id, row.sample, SUM, row.text, tuple(row.token_ids))
        for row in rows
    ]
    scores = {score.sample: score for score in scorer.score(asked)}
    for row in rows:
        assert scores[row.sample].sum_logprob == pytest.approx(row.sum_logprob, abs=1e-2)
        assert scores[row.sample].n_tokens == row.n_tokens


def test_missing_weights_are_one_message() -> None:
    broken = VllmEngine.load(ModelSource("./no/such/model"))
    with pytest.raises(EngineError, match="vLLM cannot load the model"):
        list(broken.sample([request(range(1))], SAMPLING))


def test_package_paths_are_of_this_checkout() -> None:
    import passk

    assert Path(passk.__file__).is_relative_to(Path(__file__).parent.parent)
