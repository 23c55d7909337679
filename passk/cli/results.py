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
    """Print the path of a study's report or of a model's weights."""
    if model:
        print(_weights_of(spec, model))
        return
    print(f"\nreport: open {_report(spec).resolve()}")


def _report(spec: Path) -> Path:
    """Return the path of a study's report, or fail if it is not written yet."""
    from passk.spec.loading import load_experiment
    from passk.workflow.paths import Layout

    experiment = load_experiment(spec)
    report = Path(Layout(experiment.outputs).experiment(experiment.name, "report.html"))
    if not report.is_file():
        raise PasskError("not written yet", where=str(report), fix=_run(spec))
    return report


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

    from passk.report.web.local_server import LocalServer
    from passk.review.pages import ReviewPages
    from passk.review.queue import build_queue
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
        session = ReviewSession(study.title or study.name, items, labels)
        server = LocalServer(ReviewPages(session), port)
        print(f"{len(items)} responses to read; labels are saved in {labels.path}")
        print(f"open {server.url}", flush=True)
        with server:
            server.serve_forever()


@command(
    Group.RESULTS,
    "write the report as a static folder for any web host",
    "passk publish specs/quickstart.yaml -o site",
    SPEC,
    option("-o", "--output", type=Path, required=True, metavar="FOLDER", help="for the site"),
)
def publish(*, spec: Path, output: Path) -> None:
    """Write page, tables, figures, spec and manifest, without private paths and host names."""
    from passk.report.publish import publish as write_site

    files = write_site(_report(spec).parent, output)
    size = sum((output / path).stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB: open {(output / 'index.html').resolve()}")


def _run(spec: Path) -> str:
    """Return the command that runs a study."""
    return f"passk run {spec}"
