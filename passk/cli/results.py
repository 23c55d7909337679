"""Commands that read the results of a study."""

from __future__ import annotations

from pathlib import Path

from passk.cli.command import Group, command, option
from passk.cli.options import SPEC, whole_number
from passk.core.errors import PasskError, did_you_mean


@command(
    Group.RESULTS,
    "print the path of the report, or of a trained model",
    "passk where specs/quickstart.yaml",
    SPEC,
    option("--model", metavar="NAME", help="print the folder of this model's weights instead"),
)
def where(*, spec: Path, model: str | None) -> None:
    """Print the path of a study's report, or fail if it is not written yet."""
    from passk.spec.loading import load_experiment
    from passk.workflow.paths import Layout

    if model:
        print(_weights_of(spec, model))
        return
    experiment = load_experiment(spec)
    report = Path(Layout(experiment.outputs).experiment(experiment.name, "report.html"))
    if not report.is_file():
        raise PasskError("not written yet", where=str(report), fix=_run(spec))
    print(f"\nreport: open {report.resolve()}")


def _weights_of(spec: Path, name: str) -> str:
    """Return the path of a model's weights, or fail if they do not exist yet."""
    from passk.workflow import build_plan

    weights = build_plan(spec).weights
    if name not in weights:
        hint = did_you_mean(name, weights)
        raise PasskError(f"no model '{name}' in this spec; {hint}", where=str(spec))
    found = weights[name]
    missing = [marker for marker in found.markers if not Path(marker).is_file()]
    if missing:
        raise PasskError(
            f"the weights of '{name}' do not exist yet", where=missing[0], fix=_run(spec)
        )
    return found.load


@command(
    Group.RESULTS,
    "open a local page for reading and labelling responses",
    "passk review specs/quickstart.yaml --reviewer ada",
    SPEC,
    option("--reviewer", metavar="NAME", help="whose labels (default: your login)"),
    option("--port", type=whole_number, default=0, help="default: a free one"),
)
def review(*, spec: Path, reviewer: str | None, port: int) -> None:
    """Serve the review page until it is interrupted."""
    import getpass

    from passk.review.queue import build_queue
    from passk.review.server import Server
    from passk.review.session import ReviewSession, open_labels
    from passk.workflow import build_plan
    from passk.workflow.task_files import plan_study

    plan = build_plan(spec)
    study = plan_study(plan)
    missing = [cell for cell in study.cells if not cell.counts.is_file()]
    if missing:
        raise PasskError(
            "not all responses are sampled and graded yet",
            where=str(missing[0].counts),
            fix=_run(spec),
        )
    items = build_queue(study)
    folder = Path(plan.layout.experiment(study.name, "labels"))
    with open_labels(folder, reviewer or getpass.getuser()) as labels:
        server = Server(ReviewSession(study.title or study.name, items, labels), port)
        print(f"{len(items)} responses to read; labels are saved in {labels.path}")
        print(f"open {server.url}", flush=True)
        with server:
            server.serve_forever()


def _run(spec: Path) -> str:
    """Return the command that runs a study."""
    return f"passk run {spec}"
