"""Checks before anything is spent: all that would stop a run, in one list, with spec line and fix.

`passk run`, Snakemake's start and `passk plan` ask here. Only what is still to be made counts: a
study that is finished needs no engine.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from passk.core.errors import EngineError, PasskError, VerifierError, did_you_mean
from passk.core.gpus import visible_gpus
from passk.core.install import install_module
from passk.core.registry import ENGINE_MODULES, TRAINING_MODULES, VERIFIERS, load
from passk.engines.base import ModelSource
from passk.engines.model_location import location
from passk.engines.prompts import unused_variables
from passk.spec.checks import TUNED_ROLES
from passk.spec.models import Model, PromptTemplate
from passk.spec.shorthand import write_out
from passk.spec.yaml_lines import KeyPath, dotted, read_yaml
from passk.verifiers.base import CustomPool
from passk.workflow.cells import Cell, Scoring, Weights, base_of
from passk.workflow.fingerprint import is_local
from passk.workflow.plan import Plan
from passk.workflow.resources.cost import rates
from passk.workflow.resources.memory import trained_bytes
from passk.workflow.trainings import Training
from passk.workflow.weights import are_same_weights

LOCAL_ENGINES = ("transformers", "vllm")
"""Engines that load weights themselves."""

TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
"""Files of a model that hold nothing but its chat template."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that would stop the run: what, at which key path of the spec, and the fix."""

    path: KeyPath
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Use:
    """A model that is still to be loaded, and the prompt that it is given (None: in training)."""

    model: Model
    weights: Weights
    prompt: PromptTemplate | None = None


def check_run(plan: Plan, *, local: bool = True) -> None:
    """Raise if the run cannot succeed; `local`: jobs run on this machine.

    Raises:
        PasskError: one message with all obstacles, each with file, line, key and fix.
    """
    found = find_obstacles(plan, local=local)
    if found:
        raise PasskError("\n".join(["nothing was run:", *describe(plan, found)]))


def describe(plan: Plan, obstacles: list[Obstacle]) -> list[str]:
    """Return two lines per cause: `file:line: key: what (also: other keys)`, and the fix."""
    document = write_out(read_yaml(plan.experiment.file))
    causes: dict[tuple[str, str], list[KeyPath]] = {}
    for one in obstacles:
        causes.setdefault((one.what, one.fix), []).append(one.path)
    lines = []
    for (what, fix), (first, *others) in causes.items():
        also = f" (also: {', '.join(map(dotted, others))})" if others else ""
        lines += [f"{document.where(first)}: {what}{also}", f"  -> {fix}"]
    return lines


def find_obstacles(plan: Plan, *, local: bool = True) -> list[Obstacle]:
    """Return all that would stop the run, each cause once."""
    work = _Work(plan)
    checks: list[Callable[[_Work], Iterator[Obstacle]]] = [
        _missing_packages,
        _missing_keys,
        _missing_weights,
        _weights_of_base,
        _missing_templates,
        _unknown_engine_kwargs,
        _disk_too_small,
    ]
    if local:
        checks += [_missing_gpus, _weak_isolation]
    return list(dict.fromkeys(one for check in checks for one in check(work)))


class _Work:
    """What of a plan is still to be made."""

    def __init__(self, plan: Plan) -> None:
        """Keep the plan."""
        self.plan = plan

    @cached_property
    def cells(self) -> list[Cell]:
        """Cells with responses still to sample."""
        sampled = (cell for cell in self.plan.all_cells.values() if cell.imported is None)
        return [cell for cell in sampled if not _all_there(self.plan.samples_of(cell))]

    @cached_property
    def scorings(self) -> list[Scoring]:
        """Scoring tasks with scores still to compute."""
        tasks = self.plan.scorings.values()
        return [task for task in tasks if not _all_there(self.plan.scores_of(task))]

    @cached_property
    def trainings(self) -> list[Training]:
        """Trainings with checkpoints still to write."""
        tasks = self.plan.trainings.values()
        return [task for task in tasks if not _all_there(self.plan.checkpoints_of(task))]

    @cached_property
    def uses(self) -> list[Use]:
        """Every model that is still to be loaded."""
        parts: list[Cell | Scoring] = [*self.cells, *self.scorings]
        found = [Use(part.model, part.weights, part.prompt) for part in parts]
        for training in self.trainings:
            found.append(Use(training.start, training.weights))
            teacher = training.teacher
            if teacher and teacher.model and teacher.weights:
                found.append(Use(teacher.model, teacher.weights))
        return found


def _all_there(paths: list[str]) -> bool:
    """Tell whether every file exists."""
    return all(Path(path).is_file() for path in paths)


def _missing_packages(work: _Work) -> Iterator[Obstacle]:
    """Yield engines, and methods of training, whose packages are not installed."""
    for use in work.uses:
        for module in ENGINE_MODULES.get(use.model.engine, ()):
            if not _is_installed(module):
                yield _not_installed(use.model, "engine", f"engine '{use.model.engine}'", module)
                break
    for training in work.trainings:
        on_vllm = training.settings.get("engine") == "vllm"
        for module in (*TRAINING_MODULES, *(ENGINE_MODULES["vllm"] if on_vllm else ())):
            if not _is_installed(module):
                yield _not_installed(training.model, "train", "training", module)
                break


def _not_installed(model: Model, key: str, what: str, module: str) -> Obstacle:
    """Return the obstacle of a package that is missing."""
    message = f"{what} needs the package '{module}', which is not installed"
    return Obstacle(("models", model.entry, key), message, install_module(module))


def _is_installed(module: str) -> bool:
    """Tell whether a module can be found, without importing it."""
    try:
        return find_spec(module) is not None
    except (ValueError, ModuleNotFoundError):  # blocked, or its parent is missing
        return False


def _missing_keys(work: _Work) -> Iterator[Obstacle]:
    """Yield environment variables of API keys that are not set."""
    for use in work.uses:
        name = use.model.api_key_env
        if name and not os.environ.get(name):
            message = f"the environment variable {name} is not set"
            path = ("models", use.model.entry, "api_key_env")
            yield Obstacle(path, message, f"export {name}=..., with the key of the server")


def _missing_weights(work: _Work) -> Iterator[Obstacle]:
    """Yield local weights and adapters that do not exist, or lack a part."""
    for use in work.uses:
        model, weights = use.model, use.weights
        for index, name in enumerate(model.adapters):
            if is_local(name) and not Path(name).expanduser().exists():
                message, path = f"no such adapter: {name}", ("models", model.entry, "adapters")
                yield Obstacle((*path, index), message, "check the path")
        if not weights.load or model.endpoint or weights.markers or not is_local(weights.load):
            continue
        path = ("models", model.entry, "weights")
        if not Path(weights.load).expanduser().exists():
            fix = "check the path: it is relative to the spec"
            yield Obstacle(path, f"no such file or folder: {model.weights}", fix)
        elif model.engine in LOCAL_ENGINES:
            try:
                location(ModelSource(weights.load, engine_kwargs=model.engine_kwargs))
            except EngineError as error:
                yield Obstacle(path, f"{error.where}: {error.what}", error.fix)


def _weights_of_base(work: _Work) -> Iterator[Obstacle]:
    """Yield tuned models whose weights are those of their base, as of a checkpoint not merged."""
    for cell in work.cells:
        model, base = cell.model, base_of(cell, work.plan.cells.values())
        tuned = model.role in TUNED_ROLES and model.step != 0
        if tuned and base and are_same_weights(cell.weights, base.weights, work.plan.layout):
            message = f"the weights are those of its base '{base.model.name}'"
            fix = "name the tuned weights; to compare a model with itself, set `role: base`"
            yield Obstacle(("models", model.entry, "weights"), message, fix)


def _missing_templates(work: _Work) -> Iterator[Obstacle]:
    """Yield models without a chat template that are given a chat prompt."""
    for use in work.uses:
        if use.prompt is None or use.prompt.format != "chat":
            continue
        template = _chat_template(use) if use.model.engine in LOCAL_ENGINES else None
        if template and (unused := unused_variables(template, use.model.chat_template_kwargs)):
            yield Obstacle(
                ("models", use.model.entry, "chat_template_kwargs"),
                f"the model's chat template does not use {', '.join(unused)}",
                "correct it, or leave it out",
            )
        if template == "":
            yield Obstacle(
                ("models", use.model.entry),
                f"prompt '{use.prompt.name}' is a chat, and the model has no chat template",
                "use a prompt of `format: text`, or a model with a template (most base models "
                "have none)",
            )


def _chat_template(use: Use) -> str | None:
    """Return a model's chat template, "" if it has none, None if its files are not here to tell."""
    source = use.weights.start or use.weights
    name = str(use.model.engine_kwargs.get("tokenizer", source.load))
    folder = Path(name).expanduser()
    if not folder.is_dir():
        found = _cached(name, use.model.revision)
        if found is None:
            return None
        folder = found
    config = folder / "tokenizer_config.json"
    try:
        for name in TEMPLATE_FILES:
            if (folder / name).is_file():
                return (folder / name).read_text(encoding="utf-8")
        if config.is_file():
            found = json.loads(config.read_text(encoding="utf-8")).get("chat_template")
            return str(found or "")
    except (OSError, ValueError, AttributeError):
        return None
    return None


def _unknown_engine_kwargs(work: _Work) -> Iterator[Obstacle]:
    """Yield arguments that the vLLM of this environment does not know."""
    asking = {use.model.name: use.model for use in work.uses if use.model.engine_kwargs}
    known = vllm_arguments() if asking else frozenset()
    for model in asking.values() if known else ():
        for name in sorted(model.engine_kwargs.keys() - known):
            path = ("models", model.entry, "engine_kwargs", name)
            yield Obstacle(path, f"vLLM has no argument '{name}'", did_you_mean(name, known))


def vllm_arguments() -> frozenset[str]:
    """Return the arguments that vLLM's engine takes, read from its source; empty if not there.

    Importing vLLM takes ten seconds.
    """
    found = find_spec("vllm") if _is_installed("vllm") else None
    try:
        file = Path(str(found and found.origin)).with_name("engine") / "arg_utils.py"
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError):
        return frozenset()
    kinds = [one for one in body if isinstance(one, ast.ClassDef) and one.name == "EngineArgs"]
    return frozenset(
        line.target.id
        for kind in kinds
        for line in kind.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    )


def _cached(repository: str, revision: str | None) -> Path | None:
    """Return the folder of a repository in the hub's cache, if its tokenizer is there."""
    if is_local(repository) or not _is_installed("huggingface_hub"):
        return None
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(repository, "tokenizer_config.json", revision=revision)
    except ValueError:  # no valid id: loading says so
        return None
    return Path(found).parent if isinstance(found, str) else None


def _missing_gpus(work: _Work) -> Iterator[Obstacle]:
    """Yield models that ask for more GPUs than this machine has."""
    asking = {use.model.name: use.model for use in work.uses if use.model.engine in LOCAL_ENGINES}
    asking |= {training.model.name: training.model for training in work.trainings}
    wanted = {name: _stated_gpus(model.execution) for name, model in asking.items()}
    if not any(wanted.values()):
        return
    here = len(visible_gpus())
    for name, count in wanted.items():
        if count > here:
            key = "gpus" if "gpus" in asking[name].execution else "gpu_model"
            yield Obstacle(
                ("models", asking[name].entry, "execution", key),
                f"asks for {count} GPU{'s' if count > 1 else ''}; this machine has {here or 'none'}"
                + (" that are visible" if here else ""),
                "lower it, run with a cluster profile (docs/cluster.md), or see "
                "CUDA_VISIBLE_DEVICES",
            )


def _stated_gpus(execution: Mapping[str, Any]) -> int:
    """Return the GPUs that `execution` asks for outright."""
    return int(execution.get("gpus", 1 if "gpu_model" in execution else 0))


def _weak_isolation(work: _Work) -> Iterator[Obstacle]:
    """Yield benchmarks whose programs this machine cannot isolate."""
    ungraded = {
        cell.use.name: cell
        for cell in work.plan.cells.values()
        if not cell.counts_alone and not _all_there(work.plan.verdicts_of(cell))
    }
    for name, cell in ungraded.items():
        verifier = load("verifier", cell.benchmark.verifier, VERIFIERS)(**cell.benchmark.options)
        if isinstance(verifier, CustomPool):
            try:
                verifier.manifest()
            except VerifierError as error:
                yield Obstacle(("benchmarks", name), error.what, error.fix)


def _disk_too_small(work: _Work) -> Iterator[Obstacle]:
    """Yield the outputs folder if what is still to be written does not fit on its disk."""
    wanted = 0.0
    for cell in (cell for cell in work.cells if cell.id in work.plan.sized_cells):
        missing = [path for path in work.plan.samples_of(cell) if not Path(path).is_file()]
        responses = sum(cell.responses_in(Path(path).stem) for path in missing)
        wanted += responses * rates(work.plan, cell).bytes
    for training in work.trainings:
        left = [p for p in work.plan.checkpoints_of(training) if not Path(p).is_file()]
        wanted += len(left) * trained_bytes(training)
    free = _free_bytes(Path(work.plan.layout.root))
    if wanted > free:
        yield Obstacle(
            ("outputs",),
            f"{free / 1e9:.1f} GB are free; about {wanted / 1e9:.1f} GB are still to be written",
            "free some space, or set `outputs:` to a folder on a larger disk",
        )


def _free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that a folder is, or will be, on."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
