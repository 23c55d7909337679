# INPUT   a benchmark's YAML file (and the source it names)
# OUTPUT  store/problems/{problems}/questions.parquet          for models
#         store/problems/{problems}/problems-{answers}.parquet   for verifiers
#         store/problems/{problems}/clusters-{clusters}.parquet   for intervals, where declared


rule load_questions:
    output:
        R.paths.questions("{problems}"),
    log:
        R.paths.log("problems", "{problems}.questions"),
    params:
        benchmark=R.benchmark_file,
        limit=R.problem_limit,
        only=R.problem_ids,
        expect=R.questions_digest,
    shell:
        "passk problems {params.benchmark} --limit {params.limit} --only {params.only:q} --questions-only"
        " --expect {params.expect} --log {log} -o {output}"


rule load_problems:
    output:
        R.paths.problems("{problems}", "{answers}"),
    log:
        R.paths.log("problems", "{problems}.{answers}"),
    params:
        benchmark=R.benchmark_file,
        limit=R.problem_limit,
        only=R.problem_ids,
    shell:
        "passk problems {params.benchmark} --limit {params.limit} --only {params.only:q}"
        " --expect {wildcards.answers} --log {log} -o {output}"


rule load_clusters:
    output:
        R.paths.clusters("{problems}", "{clusters}"),
    log:
        R.paths.log("problems", "{problems}.clusters-{clusters}"),
    params:
        benchmark=R.benchmark_file,
        limit=R.problem_limit,
        only=R.problem_ids,
        expect=R.questions_digest,
    shell:
        "passk problems {params.benchmark} --limit {params.limit} --only {params.only:q} --questions-only"
        " --expect {params.expect} --log {log} -o {output}"
