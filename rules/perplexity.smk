# INPUT   store/cells/{cell}/samples/{shard}.parquet; {cell} is a cell or a reference
# OUTPUT  store/cells/{cell}/scores/{scorer}/score.json         what decides the scores
#         store/cells/{cell}/scores/{scorer}/{shard}.parquet    one score per response


rule write_references:
    input:
        ancient(R.reference_problems),
    output:
        R.paths.samples("{reference}", "all"),
    log:
        R.paths.log("reference", "{reference}"),
    params:
        template=R.reference_template,
        file=R.reference_file,
    shell:
        "passk reference --problems {input} --template={params.template:q}"
        " --responses={params.file:q} --log {log} -o {output}"


rule resolve_score:
    input:
        spec=ancient(R.spec),
    output:
        R.paths.score_task("{cell}", "{scorer}"),
    log:
        R.paths.log("resolve", "{cell}.{scorer}"),
    params:
        digest=R.score_digest,
    shell:
        "passk resolve {input.spec:q} --score {wildcards.cell} {wildcards.scorer} --log {log} -o {output}"


rule score_responses:
    input:
        task=ancient(R.paths.score_task("{cell}", "{scorer}")),
        questions=ancient(R.score_questions),
        weights=ancient(R.scorer_weights),
        samples=R.paths.samples("{cell}", "{shard}"),
    output:
        R.paths.scores("{cell}", "{scorer}", "{shard}"),
    log:
        R.paths.log("perplexity", "{cell}.{scorer}.{shard}"),
    wildcard_constraints:
        shard=r"\d+-\d+|all",
    threads: R.score_threads
    resources:
        gpu=R.jobs.score_gpus,
        gpu_model=R.jobs.score_gpu_model,
        mem_mb=R.jobs.score_memory,
        runtime=R.jobs.score_minutes,
    shell:
        "passk perplexity --task {input.task} --problems {input.questions}"
        " --samples {input.samples} --threads {threads}"
        " --gpus {resources.gpu} --wait --log {log} -o {output}"


# The same for the missing files of one scorer, whose weights load once.
for run in R.scoring_runs:

    rule:
        name:
            run.name
        input:
            tasks=ancient(run.tasks),
            questions=ancient(run.questions),
            weights=ancient(run.weights),
            samples=run.samples,
        output:
            run.outputs,
        log:
            run.log,
        threads: R.run_threads(run)
        resources:
            gpu=R.jobs.run_gpus(run),
            gpu_model=R.jobs.run_gpu_model(run),
            mem_mb=R.jobs.run_memory(run),
            runtime=R.jobs.run_minutes(run),
        shell:
            "passk perplexity --task {input.tasks} --problems {input.questions}"
            " --samples {input.samples} --threads {threads}"
            " --gpus {resources.gpu} --wait --log {log} -o {output}"
