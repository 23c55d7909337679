# INPUT   counts of every cell, scores of every scoring task, what trainings measured
# OUTPUT  {name}/plan.json, {name}/tables/*.csv and *.parquet, {name}/figures/*, {name}/report.html
# A manifest's name holds the digest of what its files are made for.


rule resolve_experiment:
    output:
        plan=R.study.plan_file,
        manifest=R.study.manifest("plan"),
    log:
        R.paths.log("resolve", R.name),
    params:
        spec=R.spec,
    shell:
        "passk resolve {params.spec:q} --experiment --manifest {output.manifest}"
        " --log {log} -o {output.plan}"


rule aggregate_tables:
    input:
        unpack(R.inputs(R.study.curves)),
    output:
        tables=R.study.tables,
        manifest=R.study.manifest("tables"),
    log:
        R.paths.log("aggregate", R.name),
    shell:
        "passk aggregate --plan {input.plan} --manifest {output.manifest}"
        " --log {log} -o $(dirname {output.tables[0]})"


rule draw_figures:
    input:
        unpack(R.inputs(R.study.figures)),
    output:
        figures=report(
            directory(R.study.figures),
            patterns=["{figure}.svg"],
            caption="captions/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        manifest=R.study.manifest("figures"),
    log:
        R.paths.log("figures", R.name),
    shell:
        "passk figures --plan {input.plan} --tables $(dirname {input.tables[0]})"
        " --manifest {output.manifest} --log {log} -o {output.figures}"


rule tabulate_labels:
    input:
        unpack(R.inputs(R.study.reviewed[0])),
    output:
        tables=R.study.reviewed,
        manifest=R.study.manifest("reviewed"),
    log:
        R.paths.log("reviewed", R.name),
    shell:
        "passk label-tables --plan {input.plan} --labels {input.labels}"
        " --manifest {output.manifest} --log {log} -o $(dirname {output.tables[0]})"


rule write_report:
    input:
        unpack(R.inputs(R.study.report)),
    output:
        page=report(
            R.study.report,
            caption="captions/page.rst",
            category="Page",
            labels={"study": R.name},
        ),
        manifest=R.study.manifest("report"),
    log:
        R.paths.log("report", R.name),
    shell:
        "passk report --plan {input.plan} --tables $(dirname {input.tables[0]})"
        " --figures {input.figures} --reviewed {input.reviewed}"
        " --manifest {output.manifest} --log {log} -o {output.page}"
