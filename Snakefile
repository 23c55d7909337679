# passk: a spec becomes a report. One spec per run: snakemake --cores N --configfile specs/x.yaml
# Everything about names, paths and staleness is in passk/workflow; a rule is one `passk` command.
from snakemake.utils import min_version

from passk.workflow import for_snakemake

min_version("9.0")

if not workflow.configfiles:

    configfile: "specs/quickstart.yaml"


R = for_snakemake(workflow.configfiles, config, workflow)


wildcard_constraints:
    cell=r"[^/]+",
    shard=r"\d+-\d+",
    step=r"\d+",
    training=r"[^/]+",
    n=r"\d+",
    rounds=r"\d+",
    imported=R.imported_cells,


# Seconds of work: not worth a job of their own on a cluster.
localrules:
    resolve_training,
    resolve_cell,
    resolve_score,
    resolve_experiment,
    load_questions,
    load_problems,
    write_references,
    decide_problems,
    select_chains,
    count_votes,


onstart:
    R.start_run(workflow)


onsuccess:
    R.check_targets()


rule all:
    default_target: True
    input:
        R.targets,


include: "rules/problems.smk"
include: "rules/weights.smk"
include: "rules/train.smk"
include: "rules/entropy.smk"
include: "rules/sample.smk"
include: "rules/import.smk"
include: "rules/verify.smk"
include: "rules/confirm.smk"
include: "rules/judge.smk"
include: "rules/perplexity.smk"
include: "rules/report.smk"
