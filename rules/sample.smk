# INPUT   store/problems/{problems}/questions.parquet, converted weights if there are any
# OUTPUT  store/cells/{cell}/cell.json                   what decides the cell
#         store/cells/{cell}/samples/{shard}.parquet     its responses
# R.inputs gives inputs, by name, to jobs whose output must be made, and nothing to any other job.

SAMPLES = R.paths.samples("{cell}", "{shard}")


rule resolve_cell:
    output:
        R.paths.cell("{cell}"),
    log:
        R.paths.log("resolve", "{cell}"),
    params:
        spec=R.spec,
    shell:
        "passk resolve {params.spec:q} --cell {wildcards.cell} --log {log} -o {output}"


rule draw_samples:
    input:
        unpack(R.inputs(SAMPLES)),
    output:
        SAMPLES,
    log:
        R.paths.log("sample", "{cell}.{shard}"),
    threads: R.threads
    resources:
        gpu=R.jobs.gpus,
        gpu_model=R.jobs.gpu_model,
        mem_mb=R.jobs.memory,
        runtime=R.jobs.minutes,
    shell:
        "passk sample --cell {input.cell} --problems {input.questions}"
        " --samples {wildcards.shard} --selection={input.selection:q} --threads {threads}"
        " --gpus {resources.gpu} --wait --log {log} -o {output}"


# The same for a batch of shards. Snakemake prefers it because no wildcard is in it.
for batch in R.sampling_batches:

    rule:
        name:
            batch.name
        input:
            unpack(R.inputs(batch.outputs[0])),
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
        params:
            samples=R.samples_of_batch,
        shell:
            "passk sample --cell {input.cell} --problems {input.questions}"
            " --samples {params.samples} --threads {threads}"
            " --gpus {resources.gpu} --wait --log {log} -o {output}"
