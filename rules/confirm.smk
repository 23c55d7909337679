# INPUT   counts of a cell and of its base, verdicts on the fresh draws of the rounds so far
# OUTPUT  store/confirmations/{confirmation}/decisions-{rounds}.parquet
# decisions-0 selects the problems; the cells of fresh draws (sample.smk) draw those that are open.

DECISIONS = R.paths.decisions("{confirmation}", "{rounds}")


rule decide_problems:
    input:
        unpack(R.inputs(DECISIONS)),
    output:
        DECISIONS,
    log:
        R.paths.log("confirm", "{confirmation}.{rounds}"),
    params:
        options=R.confirm_options,
    shell:
        "passk confirm --counts {input.counts} --base-counts {input.base_counts}"
        " --verdicts {input.verdicts} --base-verdicts {input.base_verdicts}"
        " {params.options} --log {log} -o {output}"
