"""Read specs: experiments, and the benchmarks and prompts that they name.

`load_experiment` checks a spec file in full (schema, then meaning) and raises one SpecError with
every fault. Nothing here touches models, problems or outputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from passk.core import registry
from passk.core.documents import from_document
from passk.core.errors import SpecError, did_you_mean
from passk.spec.checks import meaning_faults
from passk.spec.local_paths import beside, with_local_paths
from passk.spec.models import (
    Benchmark,
    BenchmarkUse,
    Confirm,
    EntropyMatch,
    Experiment,
    Jobs,
    Judge,
    PerplexityRun,
    PromptTemplate,
    Review,
    Sampler,
)
from passk.spec.sampling import Sampling, setting_names
from passk.spec.series import expand_model, names_of
from passk.spec.shorthand import write_out
from passk.spec.training_checks import solution_faults
from passk.spec.yaml_lines import Document, KeyPath, load_checked, read_yaml


def shipped_specs() -> Path:
    """Return the folder of specs that passk ships: `specs/` of a checkout, or of the package."""
    package = Path(__file__).resolve().parents[1]
    return next(path for path in (package / "specs", package.parent / "specs") if path.is_dir())


def _schema(kind: str) -> Path:
    """Return the schema of `experiment`, `benchmark` or `prompt` files."""
    return shipped_specs() / "schema" / f"{kind}.schema.json"


def catalogue_file(kind: str, name: str, beside: Path) -> Path:
    """Return `KIND/NAME.yaml`, beside a spec file or among the shipped ones.

    Raises:
        SpecError: there is none; the message names the nearest.
    """
    folders = [beside.parent / kind, shipped_specs() / kind]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = {path.stem for folder in folders for path in folder.glob("*.yaml")}
    raise SpecError(f"unknown {kind.removesuffix('s')} '{name}'; {did_you_mean(name, known)}")


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark by its name, or by its YAML file; errors as for both."""
    is_file = name.endswith(".yaml")
    return load_benchmark(Path(name) if is_file else catalogue_file("benchmarks", name, Path("x")))


def load_benchmark(file: Path) -> Benchmark:
    """Load and check one benchmark file.

    Raises:
        SpecError: with every fault in it.
    """
    document, data = load_checked(file, _schema("benchmark"))
    faults = []
    if data["verifier"] not in registry.VERIFIERS:
        hint = did_you_mean(data["verifier"], registry.VERIFIERS)
        faults.append(f"{document.where(('verifier',))}: unknown verifier; {hint}")
    sources = [data.pop("source")] if "source" in data else data.pop("sources", [])
    faults.extend(_source_faults(document, data, sources))
    if faults:
        raise SpecError("\n".join(faults))
    data["shots"] = tuple((question, answer) for question, answer in data["shots"])
    return Benchmark(name=file.stem, file=file, sources=tuple(sources), **_frozen(data))


def _source_faults(
    document: Document, data: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what is wrong with the sources of a benchmark file, and with its adapter."""
    if not sources or {"source", "sources"} <= document.data.keys():
        yield f"{document.where(())}: needs one of the keys 'source' and 'sources'"
    if len(sources) > 1 and not data["digests"]:
        yield (
            f"{document.where(('sources',))}: several sources need `digests`, so that it does not "
            "matter which one is read; `passk validate FILE` prints them"
        )
    for source in sources:
        generator = source.get("generator")
        if generator is not None and generator not in registry.GENERATORS:
            hint = did_you_mean(generator, registry.GENERATORS)
            yield f"{document.where(('source', 'generator'))}: unknown generator; {hint}"
    adapter = data.get("adapter")
    if adapter is not None and adapter not in registry.ADAPTERS:
        hint = did_you_mean(adapter, registry.ADAPTERS)
        yield f"{document.where(('adapter',))}: unknown adapter; {hint}"


def load_prompt(file: Path) -> PromptTemplate:
    """Load and check one prompt file.

    Raises:
        SpecError: with every fault in it.
    """
    document, data = load_checked(file, _schema("prompt"))
    if data["user"].count("{question}") != 1:
        raise SpecError("must hold {question} exactly once", where=document.where(("user",)))
    if data["shots"] and "{answer}" not in data["answer"]:
        raise SpecError("must hold {answer}", where=document.where(("answer",)))
    if data["format"] == "text" and data.get("system"):
        raise SpecError(
            "a text prompt has no system message",
            where=document.where(("system",)),
            fix="put it at the start of `user`, or use format: chat",
        )
    data["stop"], data["end_marks"] = tuple(data["stop"]), tuple(data["end_marks"])
    return PromptTemplate(name=file.stem, **data)


def load_experiment(file: Path) -> Experiment:
    """Load and check an experiment with everything that it names.

    Raises:
        SpecError: one message with every fault, each with file, line and key path.
    """
    if is_benchmark(read_yaml(file).data):
        raise SpecError(
            "this file describes a benchmark, and a spec is needed",
            where=str(file),
            fix="name a spec that lists it under `benchmarks`; `passk validate` checks this one",
        )
    document, data = load_checked(file, _schema("experiment"), write_out)
    _fill_sizes(document, data)
    data.setdefault("samplers", _sampler_of_imports(document, data))
    experiment = _build_experiment(document, data)
    faults: list[str] = []
    for path, message in dict.fromkeys(meaning_faults(experiment, data)):
        faults.append(f"{document.where(path)}: {message}")
    catalogue, prompts = _load_catalogue(experiment, document, faults)
    if faults:
        raise SpecError("\n".join(faults))
    return dataclasses.replace(experiment, catalogue=catalogue, prompts=prompts)


def written_out(file: Path) -> dict[str, Any]:
    """Return a spec as YAML data in full: shorthand written out, every default stated.

    Raises:
        SpecError: with every fault in the spec.
    """
    load_experiment(file)
    document, data = load_checked(file, _schema("experiment"), write_out)
    _fill_sizes(document, data)
    for name, entry in data["models"].items():
        if "train" in entry and "role" not in document.data["models"][name]:
            del entry["role"]  # follows from the method
    if "outputs" not in document.data:
        del data["outputs"]  # is in the working directory, and a written one beside the spec
    return data


def _sampler_of_imports(document: Document, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sampler for a spec without any: imported responses were sampled elsewhere.

    Raises:
        SpecError: the spec has samplers to come, since a model is not imported.
    """
    if "samplers" in data:
        return {}
    for name, model in data["models"].items():
        if "imported" not in model:
            raise SpecError(
                "the key 'samplers' is missing",
                where=document.where(("models", name)),
                fix="say how its responses are sampled; only imported models need no sampler",
            )
    return {"imported": {"temperature": 1.0, "max_tokens": 1}}


def is_benchmark(data: Mapping[str, Any]) -> bool:
    """Tell whether YAML data describes a benchmark, rather than an experiment."""
    return "models" not in data and bool({"verifier", "source", "sources"} & data.keys())


def _fill_sizes(document: Document, data: Mapping[str, Any]) -> None:
    """Give each benchmark that states no n the n, and the k, of its own file.

    Raises:
        SpecError: there is none in its own file either.
    """
    for name, entry in data["benchmarks"].items():
        if "n" in entry:
            continue
        path: KeyPath = ("benchmarks", name)
        try:
            own = load_benchmark(catalogue_file("benchmarks", name, document.file))
        except SpecError as error:
            where = error.where or document.where(path)
            raise SpecError(error.what, where=where, fix=error.fix) from error
        if own.n is None:
            raise SpecError(
                "the key 'n' is missing, and the benchmark's own file has none",
                where=document.where(path),
            )
        entry["n"] = own.n
        if own.k is not None:
            entry.setdefault("k", list(own.k))


def _build_experiment(document: Document, data: Mapping[str, Any]) -> Experiment:
    """Return the spec as values; catalogues are still empty."""
    models = {
        model.name: with_local_paths(model, document.file)
        for name, entry in data["models"].items()
        for model in expand_model(document, name, entry)
    }
    inherited = {"shard": data["shard"], "k": tuple(data["k"])}
    benchmarks = {
        name: BenchmarkUse(name=name, **(inherited | _frozen(entry)))
        for name, entry in data["benchmarks"].items()
    }
    samplers = {name: _sampler(name, entry) for name, entry in data["samplers"].items()}
    for entry in data["perplexity"]:
        entry["responses_of"] = _whole_series(entry["responses_of"], data["models"])
    runs = tuple(PerplexityRun(**_frozen(entry)) for entry in data["perplexity"])
    plain = ("name", "title", "description", "seed", "shard", "interval")
    return Experiment(
        file=document.file,
        k=tuple(sorted(data["k"])),
        models=models,
        benchmarks=benchmarks,
        samplers=samplers,
        perplexity=runs,
        jobs=Jobs(**data["jobs"]),
        extrapolate=tuple(sorted(data["extrapolate"])),
        figures=tuple(data["figures"]),
        review=Review(**_frozen(data["review"])) if "review" in data else None,
        references={key: beside(document.file, path) for key, path in data["references"].items()},
        outputs=_outputs(document, data),
        confirm=Confirm(**data["confirm"]) if "confirm" in data else None,
        judges={
            name: Judge(name, **_frozen({**entry, "sampler": _sampler(name, entry["sampler"])}))
            for name, entry in data["judges"].items()
        },
        **{key: data[key] for key in plain if key in data},
    )


def _outputs(document: Document, data: Mapping[str, Any]) -> str:
    """Return the outputs folder: beside the spec where it names one, else below the working one."""
    written = str(data["outputs"])
    if "outputs" not in document.data or "://" in written:
        return written
    return beside(document.file, written).removeprefix("./")


def _whole_series(names: Sequence[str], entries: Mapping[str, Any]) -> list[str]:
    """Return names with each series, written as its entry, replaced by its models."""
    return [one for name in names for one in names_of(name, entries.get(name, {}))]


def _sampler(name: str, entry: Mapping[str, Any]) -> Sampler:
    """Return a sampler; its temperature is stated, or says how it is matched."""
    names = setting_names()
    settings = {key: value for key, value in entry.items() if key in names}
    fields = {key: value for key, value in entry.items() if key not in names}
    if "match_entropy" in fields:
        fields["match_entropy"] = EntropyMatch(**fields["match_entropy"])
    return Sampler(name, from_document(Sampling, settings, name), **fields)


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping's items with lists as tuples."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}


def _load_catalogue(
    experiment: Experiment, document: Document, faults: list[str]
) -> tuple[dict[str, Benchmark], dict[str, PromptTemplate]]:
    """Load the benchmarks and prompts that the experiment names; note faults as they come."""
    catalogue: dict[str, Benchmark] = {}
    for name, path in _benchmark_names(experiment):
        with _noting(faults, document, path):
            catalogue[name] = load_benchmark(catalogue_file("benchmarks", name, document.file))
    for path, message in solution_faults(experiment, catalogue):
        faults.append(f"{document.where(path)}: {message}")
    prompts: dict[str, PromptTemplate] = {}
    for path, prompt in dict.fromkeys(_prompt_names(experiment, catalogue)):
        with _noting(faults, document, path):
            if prompt is None:
                raise SpecError("no prompt: name one here, in the model or in the benchmark file")
            if prompt not in prompts:
                prompts[prompt] = load_prompt(catalogue_file("prompts", prompt, document.file))
    return catalogue, prompts


def _benchmark_names(experiment: Experiment) -> Iterator[tuple[str, KeyPath]]:
    """Yield each benchmark that is measured or trained on, and where it is named first."""
    named: dict[str, KeyPath] = {name: ("benchmarks", name) for name in experiment.benchmarks}
    for model in experiment.models.values():
        if model.train is not None:
            path = ("models", model.entry, "train", "benchmark")
            named.setdefault(model.train.benchmark, path)
    yield from named.items()


@contextmanager
def _noting(faults: list[str], document: Document, path: KeyPath) -> Iterator[None]:
    """Note a SpecError of the block as a fault, at `path` where it does not say where it is."""
    try:
        yield
    except SpecError as error:
        located = error.where or ":" in error.what.split(" ", 1)[0]
        faults.append(str(error) if located else f"{document.where(path)}: {error}")


def _prompt_names(
    experiment: Experiment, catalogue: Mapping[str, Benchmark]
) -> Iterator[tuple[KeyPath, str | None]]:
    """Yield where the prompt of each cell is named, and its name."""
    for use in experiment.benchmarks.values():
        if use.prompt:
            yield ("benchmarks", use.name, "prompt"), use.prompt
            continue
        default = catalogue[use.name].prompt if use.name in catalogue else None
        for model in experiment.models.values():
            if use.name in catalogue and (model.benchmarks is None or use.name in model.benchmarks):
                where = ("models", model.entry) if model.prompt else ("benchmarks", use.name)
                yield (*where, "prompt"), model.prompt or default
    for judge in experiment.judges.values():
        yield ("judges", judge.name, "prompt"), judge.prompt
    for model in experiment.models.values():
        train = model.train
        if train is not None and train.benchmark in catalogue:
            at = (
                ("train", "prompt") if train.prompt else ("prompt",) if model.prompt else ("train",)
            )
            named = train.prompt or model.prompt or catalogue[train.benchmark].prompt
            yield ("models", model.entry, *at), named
