"""MLflow: a run whose steps are k, with tables, figures and all files as artifacts.

`MLFLOW_TRACKING_URI` names the server, or a folder (`file:///...`; MLflow 3 asks for
`MLFLOW_ALLOW_FILE_STORE=true` then).
"""

from __future__ import annotations

import os
import re

import mlflow

from passk.core.errors import PasskError
from passk.interop.push.core import Bundle, flat_spec

DIGEST = "passk.digest"
"""Tag that holds the tables' digest."""


class MLflow:
    """Pushes to an experiment."""

    def check(self) -> None:
        """Raise if no server is named."""
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            raise PasskError(
                "no MLflow server is named",
                fix="set MLFLOW_TRACKING_URI to its address, or to a folder: file:///path",
            )

    def push(self, bundle: Bundle) -> str:
        """Log a run, unless there is one of the same tables; an unfinished one is replaced."""
        experiment = mlflow.set_experiment(bundle.project)
        client = mlflow.MlflowClient()
        for earlier in client.search_runs(
            [experiment.experiment_id], f"tags.`{DIGEST}` = '{bundle.digest}'"
        ):
            if earlier.info.status == "FINISHED":
                return _location(earlier)
            client.delete_run(earlier.info.run_id)
        with mlflow.start_run(run_name=bundle.run, tags={DIGEST: bundle.digest}) as run:
            mlflow.log_params(flat_spec(bundle.spec))
            for k, values in bundle.curves():
                mlflow.log_metrics({_metric(name): value for name, value in values.items()}, step=k)
            mlflow.log_artifacts(str(bundle.folder))
        return _location(run)


def _metric(name: str) -> str:
    """Return a name that MLflow takes for a metric."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _location(run: mlflow.entities.Run) -> str:
    """Return where a run is."""
    return f"{mlflow.get_tracking_uri()} run {run.info.run_id}"
