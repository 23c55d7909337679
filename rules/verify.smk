# INPUT   store/cells/{cell}/samples/{shard}.parquet, store/problems/{problems}/problems-{answers}.parquet
# OUTPUT  store/cells/{cell}/verdicts/{verdicts}/{shard}.parquet    one verdict per response
#         store/cells/{cell}/counts/{verdicts}-n{n}.parquet         one row per problem


rule verify_responses:
    input:
        problems=ancient(R.problems),
        samples=R.paths.samples("{cell}", "{shard}"),
    output:
        R.paths.verdicts("{cell}", "{verdicts}", "{shard}"),
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
        problems=ancient(R.problems),
        samples=R.counted_samples,
        verdicts=R.counted_verdicts,
    output:
        R.paths.counts("{cell}", "{verdicts}", "{n}"),
    log:
        R.paths.log("count", "{cell}.{verdicts}-n{n}"),
    params:
        verifier=R.verifier,
        options=R.verifier_options,
        version=R.count_version,
    shell:
        "passk count --n {wildcards.n} --problems {input.problems} --samples {input.samples}"
        " --verdicts {input.verdicts} --verifier {params.verifier}"
        " --options {params.options:q} --log {log} -o {output}"
