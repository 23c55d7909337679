# INPUT   counts of every cell, scores of every scoring task, what trainings measured
# OUTPUT  {name}/plan.json, {name}/tables/*.csv and *.parquet, {name}/figures/*, {name}/report.html


rule resolve_experiment:
    input:
        spec=ancient(R.spec),
    output:
        R.plan_file,
    log:
        R.paths.log("resolve", R.name),
    params:
        digest=R.experiment_digest,
    shell:
        "passk resolve {input.spec:q} --experiment --log {log} -o {output}"


rule aggregate_tables:
    input:
        counts=R.counts,
        scores=R.scores,
        foreign=R.foreign,
        analysed=ancient(R.analysed),
        trained=ancient(R.training.steps),
        plan=R.plan_file,
    output:
        curves=R.curves,
        others=R.other_tables,
    log:
        R.paths.log("aggregate", R.name),
    shell:
        "passk aggregate --plan {input.plan} --log {log} -o $(dirname {output.curves})"


rule draw_figures:
    input:
        curves=R.curves,
        others=R.other_tables,
        plan=R.plan_file,
    output:
        report(
            directory(R.figures),
            patterns=["{figure}.svg"],
            caption="captions/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        R.paths.log("figures", R.name),
    shell:
        "passk figures --plan {input.plan} --tables $(dirname {input.curves})"
        " --log {log} -o {output}"


rule tabulate_labels:
    input:
        counts=R.counts,
        labels=R.labels,
        plan=R.plan_file,
    output:
        first=R.reviewed[0],
        others=R.reviewed[1:],
    log:
        R.paths.log("reviewed", R.name),
    shell:
        "passk label-tables --plan {input.plan} --labels {input.labels}"
        " --log {log} -o $(dirname {output.first})"


rule write_report:
    input:
        curves=R.curves,
        others=R.other_tables,
        figures=R.figures,
        plan=R.plan_file,
        reviewed=R.wanted_reviewed,
    output:
        report(
            R.report,
            caption="captions/page.rst",
            category="Page",
            labels={"study": R.name},
        ),
    log:
        R.paths.log("report", R.name),
    shell:
        "passk report --plan {input.plan} --tables $(dirname {input.curves})"
        " --figures {input.figures} --reviewed {input.reviewed} --log {log} -o {output}"
