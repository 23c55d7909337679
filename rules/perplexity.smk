# INPUT   store/cells/{cell}/samples/{shard}.parquet; {cell} is a cell or a reference
# OUTPUT  store/cells/{cell}/scores/{scorer}/score.json         what decides the scores
#         store/cells/{cell}/scores/{scorer}/{shard}.parquet    one score per response


REFERENCES = R.paths.samples("{reference}", "all")
SCORES = R.paths.scores("{cell}", "{scorer}", "{shard}")


rule write_references:
    input:
        unpack(R.inputs(REFERENCES)),
    output:
        REFERENCES,
    log:
        R.paths.log("reference", "{reference}"),
    params:
        template=R.reference_template,
        file=R.reference_file,
    shell:
        "passk reference --problems {input} --template={params.template:q}"
        " --responses={params.file:q} --log {log} -o {output}"


rule resolve_score:
    output:
        R.paths.score_task("{cell}", "{scorer}"),
    log:
        R.paths.log("resolve", "{cell}.{scorer}"),
    params:
        spec=R.spec,
    shell:
        "passk resolve {params.spec:q} --score {wildcards.cell} {wildcards.scorer} --log {log} -o {output}"


rule score_responses:
    input:
        unpack(R.inputs(SCORES)),
    output:
        SCORES,
    log:
        R.paths.log("perplexity", "{cell}.{scorer}.{shard}"),
    wildcard_constraints:
        shard=r"\d+-\d+|all",
    threads: R.threads
    resources:
        gpu=R.jobs.gpus,
        gpu_model=R.jobs.gpu_model,
        mem_mb=R.jobs.memory,
        runtime=R.jobs.minutes,
    shell:
        "passk perplexity --task {input.task} --problems {input.questions}"
        " --samples {input.samples} --threads {threads}"
        " --gpus {resources.gpu} --wait --log {log} -o {output}"


# The same for several files of one scorer: its weights load once.
for batch in R.scoring_batches:

    rule:
        name:
            batch.name
        input:
            unpack(R.batch_inputs(batch)),
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
            "passk perplexity --task {input.task} --problems {input.questions}"
            " --samples {input.samples} --threads {threads}"
            " --gpus {resources.gpu} --wait --log {log} -o {output}"
