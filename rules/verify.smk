# INPUT   store/cells/{cell}/samples/{shard}.parquet, store/problems/{problems}/problems-{answers}.parquet
# OUTPUT  store/cells/{cell}/verdicts/{verdicts}/{shard}.parquet    one verdict per response
#         store/cells/{cell}/counts/{verdicts}-n{n}.v*.parquet      one row per problem

VERDICTS = R.paths.verdicts("{cell}", "{verdicts}", "{shard}")
COUNTS = R.paths.counts("{cell}", "{verdicts}", "{n}")


rule verify_responses:
    input:
        problems=R.input(VERDICTS, "problems"),
        samples=R.input(VERDICTS, "samples"),
    output:
        VERDICTS,
    log:
        R.paths.log("verify", "{cell}.{verdicts}.{shard}"),
    params:
        verifier=R.verifier,
        options=R.verifier_options,
    shell:
        "passk verify --verifier {params.verifier} --options {params.options:q}"
        " --problems {input.problems} --samples {input.samples}"
        " --workers {threads} --log {log} -o {output}"


rule count_verdicts:
    input:
        problems=R.input(COUNTS, "problems"),
        samples=R.input(COUNTS, "samples"),
        verdicts=R.input(COUNTS, "verdicts"),
    output:
        COUNTS,
    log:
        R.paths.log("count", "{cell}.{verdicts}-n{n}"),
    params:
        verifier=R.verifier,
        options=R.verifier_options,
    shell:
        "passk count --n {wildcards.n} --problems {input.problems} --samples {input.samples}"
        " --verdicts {input.verdicts} --verifier {params.verifier}"
        " --options {params.options:q} --log {log} -o {output}"
