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
for batch in R.scoring_batches:

    rule:
        name:
            batch.name
        input:
            tasks=ancient(batch.tasks),
            questions=ancient(batch.questions),
            weights=ancient(batch.weights),
            samples=batch.samples,
        output:
            batch.outputs,
        log:
            batch.log,
        threads: R.batch_threads(batch)
        resources:
            gpu=R.jobs.batch_gpus(batch),
            gpu_model=R.jobs.batch_gpu_model(batch),
            mem_mb=R.jobs.batch_memory(batch),
            runtime=R.jobs.batch_minutes(batch),
        shell:
            "passk perplexity --task {input.tasks} --problems {input.questions}"
            " --samples {input.samples} --threads {threads}"
            " --gpus {resources.gpu} --wait --log {log} -o {output}"
