"""Compare what a spec pins with what is there: revisions of models, contents of benchmarks.

Every source of a benchmark is read by itself, so that an alternative that has drifted is found
before it is needed; what is not here is downloaded for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from passk.benchmarks.base import MissingSourceError, Source, describe_source
from passk.benchmarks.source import load_problems
from passk.core.errors import DataError, PasskError
from passk.core.install import install_extra
from passk.spec.models import Benchmark, Experiment, Model
from passk.workflow.fingerprint import PACKAGE, is_local


@dataclass(frozen=True, slots=True)
class Pin:
    """What was found of one model or source.

    Attributes:
        name: the model's id, or the benchmark and its source.
        state: `as pinned`, `not pinned`, `differs` or `not reached`.
        about: what it is, or why it could not be compared.
    """

    name: str
    state: str
    about: str

    def __str__(self) -> str:
        """Return what was found in one line."""
        return f"{self.state:11}  {self.name}  {self.about}".rstrip()


def check_pins(experiment: Experiment) -> Iterator[Pin]:
    """Yield every hub model, adapter, tokenizer and source of a benchmark of an experiment."""
    models = [model for model in experiment.models.values() if model.endpoint is None]
    weights = dict.fromkeys((model.weights, model.revision) for model in models)
    for name, revision in weights | dict.fromkeys(additions(models)):
        if name and not name.startswith(PACKAGE) and not is_local(name):
            yield _model(name, revision)
    for benchmark in experiment.catalogue.values():
        for source in benchmark.sources:
            yield _source(benchmark, source)


def additions(models: Iterable[Model]) -> list[tuple[str, str | None]]:
    """Return the hub ids and revisions of adapters and of tokenizers given by `tokenizer`."""
    adapters = {(name, None) for model in models for name in model.adapters}
    kwargs = [model.engine_kwargs for model in models if "tokenizer" in model.engine_kwargs]
    tokenizers = {(str(own["tokenizer"]), own.get("tokenizer_revision")) for own in kwargs}
    return sorted(adapters | tokenizers, key=str)


def _model(name: str, revision: str | None) -> Pin:
    """Ask the hub for a model's revision.

    Raises:
        PasskError: the hub's package is not installed.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RevisionNotFoundError
    except ModuleNotFoundError as error:
        raise PasskError(
            "asking a hub needs 'huggingface_hub'", fix=install_extra("hub")
        ) from error
    try:
        found = str(HfApi().repo_info(name, revision=revision).sha)
    except RevisionNotFoundError:
        return Pin(name, "differs", f"the hub has no revision {revision}")
    except Exception as error:  # noqa: BLE001 - the hub's client has many, and so has its transport
        return Pin(name, "not reached", next(iter(str(error).splitlines()), ""))
    if revision is None:
        return Pin(name, "not pinned", f"the newest is {found}")
    if found != revision:
        return Pin(name, "not pinned", f"'{revision}' is {found} today, and may move")
    return Pin(name, "as pinned", revision)


def _source(benchmark: Benchmark, source: Source) -> Pin:
    """Read one source of a benchmark; reading compares it with its pin."""
    name = f"benchmark {benchmark.name}: {describe_source(benchmark, source)}"
    try:
        problems = load_problems(dataclasses.replace(benchmark, sources=(source,)))
    except MissingSourceError as error:
        return Pin(name, "not reached", next(iter(error.what.splitlines()), ""))
    except DataError as error:
        return Pin(name, "differs", error.what)
    pins = [key for key in ("revision", "sha256") if source.get(key)]
    pins += ["digests"] if benchmark.digests else []
    if "generator" not in source and not pins:
        return Pin(name, "not pinned", f"{len(problems)} problems")
    counted = f"{len(problems)} problems"
    return Pin(name, "as pinned", f"{counted}; {', '.join(pins)}" if pins else counted)
