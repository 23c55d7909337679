# INPUT   store/cells/{cell}/samples/{shard}.parquet, store/problems/{problems}/problems-{answers}.parquet
# OUTPUT  store/cells/{cell}/verdicts/{verdicts}/{shard}.parquet    one verdict per response
#         store/cells/{cell}/counts/{verdicts}-n{n}.v*.parquet      one row per problem

VERDICTS = R.paths.verdicts("{cell}", "{verdicts}", "{shard}")
COUNTS = R.paths.counts("{cell}", "{verdicts}", "{n}")


rule verify_responses:
    input:
        unpack(R.inputs(VERDICTS)),
    output:
        VERDICTS,
    log:
        R.paths.log("verify", "{cell}.{verdicts}.{shard}"),
    params:
        grading=R.grading,
    shell:
        "passk verify {params.grading} --problems {input.problems} --samples {input.samples}"
        " --workers {threads} --log {log} -o {output}"


rule count_verdicts:
    input:
        unpack(R.inputs(COUNTS)),
    output:
        COUNTS,
    log:
        R.paths.log("count", "{cell}.{verdicts}-n{n}"),
    params:
        grading=R.grading,
    shell:
        "passk count --n {wildcards.n} --problems {input.problems} --samples {input.samples}"
        " --verdicts {input.verdicts} {params.grading} --log {log} -o {output}"
