"""Plans: a spec expanded into cells, shards, paths and costs.

The Snakefile imports this package alone. It imports no torch, pandas or matplotlib.
"""

from passk.workflow.plan import Plan, build_plan
from passk.workflow.snakemake.rules import Rules, for_snakemake

__all__ = ["Plan", "Rules", "build_plan", "for_snakemake"]
