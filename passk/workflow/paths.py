"""Paths of all files below the outputs folder.

Every function takes names and returns a path, and so makes a pattern of a Snakemake rule when it
is given wildcards in their stead. Paths of the store hold a digest of what decides their content.
"""

from __future__ import annotations

from dataclasses import dataclass

from passk.core import versions


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below `root`: the store that experiments share, and a folder per experiment."""

    root: str

    @property
    def store(self) -> str:
        """The folder that experiments share."""
        return f"{self.root}/store"

    def weights(self, package: str) -> str:
        """Return the folder of weights converted from a package; its manifest is written last."""
        return f"{self.store}/weights/{package}"

    def training(self, training: str) -> str:
        """Return what decides a training and how it is run."""
        return f"{self.store}/trainings/{training}/training.json"

    def checkpoint(self, training: str, step: str) -> str:
        """Return the folder of a trained checkpoint; its manifest is written last."""
        return f"{self.store}/trainings/{training}/step-{step}"

    def trained(self, training: str, step: str) -> str:
        """Return what says that a checkpoint is whole."""
        return f"{self.checkpoint(training, step)}/manifest.json"

    def training_steps(self, training: str, step: str) -> str:
        """Return what was measured at each step up to a checkpoint."""
        return f"{self.checkpoint(training, step)}/steps.parquet"

    def questions(self, problems: str) -> str:
        """Return a benchmark's problems without gold answers, for models."""
        return f"{self.store}/problems/{problems}/questions.parquet"

    def problems(self, problems: str, answers: str) -> str:
        """Return a benchmark's problems with golds and worked solutions (`Identity.answers`)."""
        return f"{self.store}/problems/{problems}/problems-{answers}.parquet"

    def cell(self, cell: str) -> str:
        """Return what decides a cell and how it is run."""
        return f"{self.store}/cells/{cell}/cell.json"

    def temperature(self, cell: str) -> str:
        """Return the temperature of a cell that is matched by entropy."""
        return f"{self.store}/cells/{cell}/temperature.json"

    def clusters(self, problems: str, clusters: str) -> str:
        """Return a benchmark's problems with the clusters that its file declares."""
        return f"{self.store}/problems/{problems}/clusters-{clusters}.parquet"

    def samples(self, cell: str, shard: str) -> str:
        """Return the responses of one shard."""
        return f"{self.store}/cells/{cell}/samples/{shard}.parquet"

    def verdicts(self, cell: str, verdicts: str, shard: str) -> str:
        """Return the verdicts on one shard."""
        return f"{self.store}/cells/{cell}/verdicts/{verdicts}/{shard}.parquet"

    def counts(self, cell: str, verdicts: str, n: str) -> str:
        """Return the counts per problem over the first n responses."""
        return f"{self.store}/cells/{cell}/counts/{verdicts}-n{n}.v{versions.COUNT}.parquet"

    def imported_counts(self, cell: str) -> str:
        """Return the counts per problem that were imported where there are no responses."""
        return f"{self.store}/cells/{cell}/counts/imported.parquet"

    def decisions(self, confirmation: str, rounds: str) -> str:
        """Return what some rounds of fresh draws decide; 0 rounds select the problems."""
        return f"{self.store}/confirmations/{confirmation}/decisions-{rounds}.parquet"

    def chains(self, judging: str) -> str:
        """Return what a judge is asked of a cell's responses."""
        return f"{self.store}/judgings/{judging}/chains.parquet"

    def judgements(self, judging: str) -> str:
        """Return what a judge says of a cell's responses."""
        return f"{self.store}/judgings/{judging}/judgements.parquet"

    def score_task(self, cell: str, scorer: str) -> str:
        """Return what decides the scores of a cell under a scorer."""
        return f"{self.store}/cells/{cell}/scores/{scorer}/score.json"

    def scores(self, cell: str, scorer: str, shard: str) -> str:
        """Return the scores of one shard's responses."""
        return f"{self.store}/cells/{cell}/scores/{scorer}/{shard}.parquet"

    def log(self, stage: str, name: str) -> str:
        """Return the log of one job."""
        return f"{self.store}/logs/{stage}/{name}.log"

    def experiment(self, name: str, file: str) -> str:
        """Return a file of an experiment's own folder."""
        return f"{self.root}/{name}/{file}"
