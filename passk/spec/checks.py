"""What a JSON Schema cannot see in an experiment: names, numbers and pairs that must fit."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from passk.core import registry
from passk.core.errors import did_you_mean
from passk.spec.models import Experiment, Judge, Model, PerplexityRun, Sampler
from passk.spec.passthrough import ENGINES as PASSED_THROUGH
from passk.spec.passthrough import passthrough_faults
from passk.spec.series import SEED, STEP, names_of
from passk.spec.training_checks import training_faults
from passk.spec.yaml_lines import KeyPath

NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "._@+-")

RESERVED_NAMES = frozenset({"store"})
"""Names an experiment cannot have: folders of the outputs that all experiments share."""

TUNED_ROLES = frozenset({"rl", "sft", "distilled"})
"""Roles of models that mean nothing without the model they came from."""

SERVED = "openai"
"""The engine whose models stand behind an endpoint."""

NOT_IMPORTED = (
    *("weights", "engine", "revision", "endpoint", "api_key_env", "adapters", "execution"),
    *PASSED_THROUGH,
)
"""What decides how responses are drawn: nothing of it belongs to an imported model."""

Fault = tuple[KeyPath, str]


def meaning_faults(experiment: Experiment, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what a schema cannot see: names that do not exist, k > n, shards that do not fit."""
    yield from _name_faults(experiment, data)
    yield from _model_faults(experiment, data)
    yield from training_faults(experiment, data)
    yield from _number_faults(experiment, data)
    for name, sampler in experiment.samplers.items():
        known = experiment.samplers.keys() - {name}
        yield from _unknown(("samplers", name, "base"), sampler.base, known)
        stated = "temperature" in data["samplers"][name]
        yield from _matching_faults(experiment, ("samplers", name), sampler, stated=stated)
        yield from _engine_faults(experiment, ("samplers", name), sampler)
    yield from _extrapolation_faults(experiment)
    for index, run in enumerate(experiment.perplexity):
        yield from _perplexity_faults(experiment, ("perplexity", index), run)
    yield from _review_faults(experiment)
    yield from _confirm_faults(experiment)
    for judge in experiment.judges.values():
        yield from _judge_faults(experiment, ("judges", judge.name), judge)


def _judge_faults(experiment: Experiment, path: KeyPath, judge: Judge) -> Iterator[Fault]:
    """Yield what is wrong with a judge: its model, how it is sampled, and whom it reads."""
    yield from _unknown((*path, "model"), judge.model, experiment.models)
    for index, name in enumerate(judge.models or ()):
        yield from _unknown((*path, "models", index), name, experiment.models)
    if not any(map(judge.reads, experiment.models)):
        yield path, "reads no responses: it is the only model; name `models`"
    low, high = judge.accuracy
    if low > high:
        yield (*path, "accuracy"), f"[{low}, {high}] holds no accuracy: say [LOW, HIGH]"
    if judge.votes > 1 and judge.sampler.temperature == 0:
        yield (
            (*path, "votes"),
            "temperature 0 casts one vote several times; take 1, or a temperature above 0",
        )
    model = experiment.models.get(judge.model)
    if model is None:
        return
    if model.imported is not None:
        yield (*path, "model"), f"'{model.name}' is imported: there are no weights to judge with"
    for key, engines in judge.sampler.sampling.unsupported_by(model.engine):
        yield (
            (*path, "sampler", key),
            f"`engine: {model.engine}` does not support it; {' and '.join(engines)} do",
        )


def _confirm_faults(experiment: Experiment) -> Iterator[Fault]:
    """Yield what is wrong with the section about drawing problems again."""
    confirm = experiment.confirm
    if confirm is None:
        return
    if confirm.n % confirm.rounds:
        message = f"n = {confirm.n} is not a multiple of rounds = {confirm.rounds}"
        yield ("confirm", "n"), message
    if not (confirm.lost or confirm.gained or confirm.rare):
        yield ("confirm",), "selects no problems: turn `lost` or `gained` on, or give `rare`"
    bases = [part.base for part in experiment.models.values()]
    if not any(bases + [part.base for part in experiment.samplers.values()]):
        yield ("confirm",), "nothing is compared: no model and no sampler names a `base`"


def _review_faults(experiment: Experiment) -> Iterator[Fault]:
    """Yield what is wrong with the section about reading responses."""
    review = experiment.review
    if review is None:
        return
    for index, name in enumerate(review.models or ()):
        yield from _unknown(("review", "models", index), name, experiment.models)
    yield from _unknown(("review", "guessing"), review.guessing, experiment.models)
    for key in ("accuracy", "guess_accuracy"):
        low, high = getattr(review, key)
        if low >= high:
            yield ("review", key), f"[{low}, {high}] holds no accuracy: say [LOW, HIGH]"


def _name_faults(experiment: Experiment, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield names that could not stand in a file name, or that the outputs need themselves."""
    if experiment.name in RESERVED_NAMES:
        yield ("name",), f"'{experiment.name}' is a folder that all experiments share; rename it"
    for kind in ("models", "samplers", "benchmarks", "references", "judges"):
        for name in data[kind]:
            series = kind == "models"
            plain = name.replace(STEP, "0").replace(SEED, "0") if series else name
            if not plain or set(plain) - NAME_CHARACTERS or not plain[0].isalnum():
                yield (
                    (kind, name),
                    "a name starts with a letter or digit and holds only these and . _ @ + -",
                )


def _model_faults(experiment: Experiment, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with models: engine, base, and the parts that they are limited to."""
    named = [model for name, entry in data["models"].items() for model in names_of(name, entry)]
    for name in {name for name in named if named.count(name) > 1}:
        yield ("models",), f"the name '{name}' is used by two models"
    for model in experiment.models.values():
        path: KeyPath = ("models", model.entry)
        if model.imported is not None:
            if model.train is None:
                yield from _imported_faults(experiment, model, path)
        else:
            yield from _unknown((*path, "engine"), model.engine, registry.ENGINES)
            yield from _endpoint_faults(model, path)
            yield from passthrough_faults(experiment, model)
        yield from _unknown((*path, "base"), model.base, experiment.models.keys() - {model.name})
        if model.role in TUNED_ROLES and model.base is None:
            yield path, f"a model with role {model.role} needs `base`: whom it is compared with"
        for key, known in (
            ("samplers", experiment.samplers),
            ("benchmarks", experiment.benchmarks),
        ):
            for index, name in enumerate(getattr(model, key) or ()):
                yield from _unknown((*path, key, index), name, known)


def _imported_faults(experiment: Experiment, model: Model, path: KeyPath) -> Iterator[Fault]:
    """Yield what an imported model cannot say: how it is drawn, or that it was in two ways."""
    for key in NOT_IMPORTED:
        if getattr(model, key):
            yield (*path, key), f"imported results are there already: leave `{key}` or `imported`"
    if model.dtype != "auto":
        yield (*path, "dtype"), "imported results are there already: leave `dtype` or `imported`"
    if len(model.samplers or experiment.samplers) > 1:
        message = "imported results were drawn in one way: say `samplers: [NAME]`, which one it was"
        yield path, message
    if (
        "{benchmark}" not in str(model.imported)
        and len(model.benchmarks or experiment.benchmarks) > 1
    ):
        yield (
            (*path, "imported"),
            "holds one benchmark: say `benchmarks: [NAME]`, or put {benchmark} in the path",
        )


def _endpoint_faults(model: Model, path: KeyPath) -> Iterator[Fault]:
    """Yield what does not fit between a model's engine and its endpoint."""
    if model.engine != SERVED:
        for key in ("endpoint", "api_key_env"):
            if getattr(model, key) is not None:
                yield (*path, key), f"only `engine: {SERVED}` asks a server"
        return
    if model.endpoint is None:
        yield path, "needs `endpoint`: the server's base URL, such as http://127.0.0.1:8000/v1"
    if model.adapters or model.dtype != "auto":
        yield path, "adapters and dtype are the server's own: start it with them"


def _number_faults(experiment: Experiment, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield k above n, and shards that do not fill n."""
    for name, use in experiment.benchmarks.items():
        path: KeyPath = ("benchmarks", name)
        if max(use.k) > use.n:
            message = (
                f"k = {max(use.k)} is more than n = {use.n}: pass@k is undefined there; "
                f"raise n, or give this benchmark a `k` of its own up to {use.n}"
            )
            yield (*path, "n"), message
        if use.n % use.shard:
            below, above = use.n // use.shard * use.shard, math.ceil(use.n / use.shard) * use.shard
            near = [str(n) for n in (below, above) if n]
            message = (
                f"n = {use.n} is not a multiple of shard = {use.shard}; "
                f"take n = {' or '.join(near)}, or another shard"
            )
            yield (*path, "n"), message
        for index, sampler in enumerate(use.samplers or ()):
            yield from _unknown((*path, "samplers", index), sampler, data["samplers"])


def _extrapolation_faults(experiment: Experiment) -> Iterator[Fault]:
    """Yield k to extrapolate to that are above n, and not far above it, of no benchmark."""
    if not experiment.extrapolate:
        return
    from passk.stats.extrapolation import MAX_EXTRAPOLATION  # numpy, only where it is needed

    sizes = sorted({use.n for use in experiment.benchmarks.values()})
    for index, k in enumerate(experiment.extrapolate):
        if not any(n < k <= MAX_EXTRAPOLATION * n for n in sizes):
            found = ", ".join(map(str, sizes))
            message = (
                f"k = {k} is above n and up to {MAX_EXTRAPOLATION}n of no benchmark (n = {found})"
            )
            yield ("extrapolate", index), message


def _engine_faults(experiment: Experiment, path: KeyPath, sampler: Sampler) -> Iterator[Fault]:
    """Yield settings that an engine lacks which draws with the sampler."""
    for model in experiment.models.values():
        if model.imported is None and sampler.name in (model.samplers or [sampler.name]):
            for key, engines in sampler.sampling.unsupported_by(model.engine):
                who = f"`engine: {model.engine}` of '{model.name}'"
                yield (*path, key), f"{who} does not support it; {' and '.join(engines)} do"


def _matching_faults(
    experiment: Experiment, path: KeyPath, sampler: Sampler, *, stated: bool
) -> Iterator[Fault]:
    """Yield what is wrong with a sampler's temperature (`stated` or not), or its matching."""
    match = sampler.match_entropy
    if (match is None) != stated:
        yield path, "needs either `temperature` or `match_entropy`"
        return
    if match is None:
        return
    path = (*path, "match_entropy")
    bases = {n: s for n, s in experiment.samplers.items() if s.match_entropy is None}
    yield from _unknown((*path, "sampler"), match.sampler, bases)
    if match.low >= match.high:
        yield (*path, "high"), f"is not above low = {match.low:g}"
    if match.sampler not in bases:
        return
    if not bases[match.sampler].temperature:
        yield (*path, "sampler"), f"'{match.sampler}' is greedy: its tokens have no entropy"
    models = [
        model
        for model in experiment.models.values()
        if model.base in experiment.models and sampler.name in (model.samplers or [sampler.name])
    ]
    if not models:
        yield path, "no model with a `base` is drawn with this sampler"
    for model in models:
        yield from _matched_pair_faults(experiment, path, model, match.sampler)


def _matched_pair_faults(
    experiment: Experiment, path: KeyPath, model: Model, wanted: str
) -> Iterator[Fault]:
    """Yield what keeps a model from being matched to its base."""
    base = experiment.models[model.base or ""]
    for one in (model, base):
        if one.imported is not None:
            yield path, f"'{one.name}' is imported: there are no weights to draw pilots with"
    if wanted not in (base.samplers or [wanted]):
        yield (*path, "sampler"), f"the base '{base.name}' is not drawn with '{wanted}'"
    for name in model.benchmarks or experiment.benchmarks:
        if name not in (base.benchmarks or [name]):
            yield path, f"the base '{base.name}' is not drawn on '{name}', and '{model.name}' is"


def _perplexity_faults(
    experiment: Experiment, path: KeyPath, run: PerplexityRun
) -> Iterator[Fault]:
    """Yield names in a perplexity entry that do not exist."""
    yield from _unknown((*path, "scorer"), run.scorer, experiment.models)
    if run.scorer in experiment.models and experiment.models[run.scorer].imported is not None:
        yield (*path, "scorer"), f"'{run.scorer}' is imported: there are no weights to score with"
    references = {f"reference:{name}" for name in ("gold", *experiment.references)}
    for index, source in enumerate(run.responses_of):
        known = experiment.models.keys() | references
        yield from _unknown((*path, "responses_of", index), source, known)
    for key, names in (("benchmarks", experiment.benchmarks), ("samplers", experiment.samplers)):
        for index, name in enumerate(getattr(run, key) or ()):
            yield from _unknown((*path, key, index), name, names)


def _unknown(path: KeyPath, name: str | None, known: Iterable[str]) -> Iterator[Fault]:
    """Yield a fault where a name is given that does not exist."""
    if name is not None and name not in known:
        yield path, f"unknown name '{name}'; {did_you_mean(name, known)}"
