"""What vLLM is given to load: adapters, models with images, files of GGUF; make test-vllm.

Answers come from a process of their own, where vLLM computes without further processes and nothing
is compiled (it finds no compiler): tiny models are loaded in seconds.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO

pytest.importorskip("vllm", reason="vLLM has an environment of its own: make test-vllm")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from exact_draws import LARGE  # noqa: E402
from tiny_models import save_adapter, save_image, save_tiny, save_tiny_vision  # noqa: E402

from passk.core.errors import EngineError  # noqa: E402
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest  # noqa: E402
from passk.engines.vllm import VllmEngine  # noqa: E402
from passk.engines.vllm.loading import load_tokenizer, vllm_options  # noqa: E402

TESTS = REPO / "tests"
TORCHVISION = os.environ.get("PASSK_TEST_TORCHVISION", "")
TEXTS = {"short": "ab", "long": "The answer is 4, and the answer"}
SETTINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "CXX": "/no/such/compiler",
    "PYTHONPATH": os.pathsep.join([TORCHVISION, str(TESTS / "torchvision_ops")]),
}

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # vLLM's own


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, an adapter of it and both as one; a tiny vision model and images."""
    made = tmp_path_factory.mktemp("models")
    save_adapter(save_tiny(made / "base"), made / "adapter", made / "merged")
    save_tiny_vision(made / "vision")
    for i, size in enumerate([(84, 56), (84, 56), (112, 112)]):
        save_image(made / f"{i}.png", i, size)
    return made


def seen(folder: Path) -> dict[str, Prompt]:
    """Prompts with images, and one without."""
    first, second, large = (str(folder / f"{i}.png") for i in range(3))
    turns = (("system", "Look."), ("user", "Which is larger?"))
    marked = (("user", "First <image>, then <image>: larger?"),)
    return {
        "one": Prompt(messages=turns, images=(first,)),
        "other": Prompt(messages=turns, images=(second,)),
        "between": Prompt(messages=marked, images=(large, first)),
        "text": Prompt(messages=turns),
    }


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[dict[str, Any]]:
    """What real vLLM answers: the tiny model with its adapter, and the vision model."""
    if not TORCHVISION:
        pytest.skip("PASSK_TEST_TORCHVISION names no folder with torchvision: make test-vllm")
    texts = {name: {"text": text} for name, text in TEXTS.items()}
    prompts = {
        name: {"messages": prompt.messages, "images": prompt.images}
        for name, prompt in seen(folder).items()
    }
    tuned = {"weights": str(folder / "base"), "adapters": [str(folder / "adapter")]}
    jobs = [
        {"source": tuned | {"dtype": "float32"}, "prompts": texts},
        {"source": {"weights": str(folder / "vision"), "dtype": "float32"}, "prompts": prompts},
    ]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [sys.executable, TESTS / "vllm_answers.py", folder / "jobs.json", folder / "rows.json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | SETTINGS,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    found: list[dict[str, Any]] = json.loads((folder / "rows.json").read_text())
    return found


def greedy(model: Any, inputs: dict[str, Any]) -> tuple[list[int], float]:
    """The greedy answer of transformers and its log-probability."""
    output = model.generate(
        **inputs,
        do_sample=False,
        max_new_tokens=12,
        return_dict_in_generate=True,
        output_logits=True,
    )
    tokens = output.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    logits = torch.cat(output.logits).double().log_softmax(-1)
    return tokens, math.fsum(logits[i, token].item() for i, token in enumerate(tokens))


def check(row: dict[str, Any], tokens: list[int], logprob: float) -> None:
    """Answer, its log-probability when drawn and when scored are as they should be."""
    assert row["tokens"] == tokens
    assert row["sampled"] == pytest.approx(logprob, abs=1e-2)
    assert row["scored"] == pytest.approx([logprob] * 2, abs=1e-2)


def test_answers_with_an_adapter_are_those_of_the_merged_model(
    answers: list[dict[str, Any]], folder: Path
) -> None:
    base, merged = (
        transformers.AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32)
        for name in ("base", "merged")
    )
    tokenizer = load_tokenizer(ModelSource(str(folder / "base")))
    for name, text in TEXTS.items():
        inputs = {"input_ids": torch.tensor([tokenizer.prompt(Prompt(text=text))])}
        check(answers[0][name], *greedy(merged, inputs))
        assert answers[0][name]["tokens"] != greedy(base, inputs)[0]


def test_answers_to_images_are_those_of_transformers(
    answers: list[dict[str, Any]], folder: Path
) -> None:
    model = transformers.AutoModelForImageTextToText.from_pretrained(
        folder / "vision", dtype=torch.float32
    )
    tokenizer = load_tokenizer(ModelSource(str(folder / "vision")))
    for name, prompt in seen(folder).items():
        inputs = {"input_ids": torch.tensor([tokenizer.prompt(prompt)])}
        if prompt.images:
            inputs = tokenizer.image_inputs(prompt)
        check(answers[1][name], *greedy(model, inputs))
    assert answers[1]["one"]["tokens"] != answers[1]["other"]["tokens"]


def test_copies_of_a_model_share_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_CPU_KVCACHE_SPACE", "CXX"):
        monkeypatch.setenv(name, SETTINGS[name])
    source = ModelSource(str(folder / "base"), dtype="float32", execution={"data_parallel_size": 2})
    others = multiprocessing.active_children()
    engine = VllmEngine.load(source)
    samples, prompt = tuple(range(5)), Prompt(text="ab")
    requests = [Request(name, prompt, samples, samples) for name in ("p", "q")]
    rows = list(engine.sample(requests, Sampling(max_tokens=12)))
    assert sorted((row.problem_id, row.sample) for row in rows) == [
        (name, i) for name in ("p", "q") for i in samples
    ]
    texts = {(row.problem_id, row.sample): row.token_ids for row in rows}
    assert all(texts["p", i] == texts["q", i] for i in samples)  # of the two copies
    if LARGE:
        wanted = [
            ScoreRequest(r.problem_id, r.sample, prompt, "", tuple(r.token_ids)) for r in rows
        ]
        scores = {(s.problem_id, s.sample): s.sum_logprob for s in engine.score(wanted)}
        for row in rows:
            assert scores[row.problem_id, row.sample] == pytest.approx(row.sum_logprob, abs=1e-2)
    with pytest.raises(EngineError, match="do not fit into max_model_len") as raised:
        list(engine.sample(requests, Sampling(max_tokens=600)))
    assert raised.value.fix
    wait_until_ended(others)


def test_a_copy_that_is_killed_is_told(folder: Path) -> None:
    source = ModelSource(str(folder / "base"), execution={"data_parallel_size": 2})
    others = multiprocessing.active_children()
    engine = VllmEngine.load(source)
    request = Request("p", Prompt(text="ab"), (0, 1), (0, 1))
    drawn = engine.sample([request], Sampling(max_tokens=12))
    killer = threading.Timer(1, lambda: [copy.kill() for copy in children_besides(others)])
    killer.start()
    with pytest.raises(EngineError, match="a copy of the model ended without a word"):
        next(drawn)
    killer.join()
    wait_until_ended(others)


def children_besides(others: list[BaseProcess]) -> list[BaseProcess]:
    """The children of this process that are none of `others`: engines of other tests live on."""
    known = {other.pid for other in others}
    return [child for child in multiprocessing.active_children() if child.pid not in known]


def wait_until_ended(others: list[BaseProcess]) -> None:
    """Wait until the copies, which were hung up on, have ended."""
    end = time.monotonic() + 120
    while children_besides(others):
        assert time.monotonic() < end
        time.sleep(0.1)


def refused(source: ModelSource) -> EngineError:
    """What the engine says of a model when the first response is asked for."""
    request = Request("p", Prompt(text="a"), (0,), (0,))
    with pytest.raises(EngineError) as raised:
        next(VllmEngine.load(source).sample([request], Sampling(max_tokens=1)))
    return raised.value


def test_a_context_longer_than_the_model_takes_is_refused(folder: Path) -> None:
    error = refused(ModelSource(str(folder / "base"), execution={"max_model_len": 100_000}))
    assert error.what.startswith("cannot load the model: User-specified max_model_len (100000)")
    assert error.fix == "lower execution.max_model_len to what the model takes"


def test_a_gguf_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    error = refused(ModelSource(str(tmp_path / "m.gguf")))
    assert error.what == "this vLLM does not read GGUF files"
    assert error.where == str(tmp_path / "m.gguf")
    assert "use `engine: transformers`" in error.fix


def test_adapters_that_vllm_cannot_apply_are_refused(folder: Path) -> None:
    base, adapter = str(folder / "base"), str(folder / "adapter")
    assert "merge the adapters" in refused(ModelSource(base, adapters=(adapter, adapter))).fix
    error = refused(ModelSource(base, adapters=(base,)))
    assert error.what.startswith("not the folder of a LoRA adapter")
    assert error.where == base
    assert "cannot load the model" in refused(ModelSource(base, adapters=("./none",))).what


@pytest.mark.parametrize("layers", [["q_proj", "model.lm_head"], ".*_(proj|head)"])
def test_an_adapter_of_the_output_layer_is_sampled_and_not_scored(
    folder: Path, tmp_path: Path, layers: Any
) -> None:
    settings = {"r": 4, "target_modules": layers}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    source = ModelSource(str(folder / "base"), adapters=(str(tmp_path),))
    assert vllm_options(source, scoring=False)["enable_lora"]
    with pytest.raises(EngineError, match="may change the output layer") as raised:
        vllm_options(source, scoring=True)
    assert "engine: transformers" in raised.value.fix


def test_settings_reach_vllm(folder: Path) -> None:
    """vLLM's own reading of what it is handed: a model in several parts does not run here."""
    from vllm.engine.arg_utils import EngineArgs

    execution = {"tensor_parallel_size": 2, "pipeline_parallel_size": 3, "max_model_len": 128}
    source = ModelSource(
        str(folder / "base"),
        dtype="float32",
        adapters=(str(folder / "adapter"),),
        execution=execution | {"batch_size": 7, "gpu_memory_utilization": 0.5},
    )
    for scoring in (False, True):
        config = EngineArgs(**vllm_options(source, scoring=scoring)).create_engine_config()
        assert config.cache_config.enable_prefix_caching is not scoring
        parallel, scheduler = config.parallel_config, config.scheduler_config
        assert (parallel.tensor_parallel_size, parallel.pipeline_parallel_size) == (2, 3)
        assert config.model_config.max_model_len == 128
        assert scheduler.max_num_seqs == 7
        assert config.cache_config.gpu_memory_utilization == 0.5
        assert config.model_config.dtype == torch.float32
        assert config.lora_config.max_lora_rank == 8


def test_vllm_knows_every_variable_that_is_set_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that vLLM does not know would be passed over in silence."""
    from vllm import envs

    from passk.engines.vllm.loading import set_up_cpu
    from passk.engines.vllm.watchdog import guard

    for name in [name for name in os.environ if name.startswith("VLLM_")]:
        monkeypatch.delenv(name)
    guard.cache_clear()
    guard()
    set_up_cpu({"threads": 1})
    given = {name for name in os.environ if name.startswith("VLLM_")}
    assert given >= {"VLLM_WORKER_MULTIPROC_METHOD", "VLLM_CPU_OMP_THREADS_BIND"}
    assert given <= set(envs.environment_variables)
