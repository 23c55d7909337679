# INPUT   store/problems/{problems}/questions.parquet, converted weights where there are any
# OUTPUT  store/cells/{cell}/cell.json                   what decides the cell
#         store/cells/{cell}/samples/{shard}.parquet     its responses
# Inputs are ancient: paths hold digests of what decides a sample, so a file made again is the same.


rule resolve_cell:
    input:
        spec=ancient(R.spec),
    output:
        R.paths.cell("{cell}"),
    log:
        R.paths.log("resolve", "{cell}"),
    params:
        digest=R.cell_digest,
    shell:
        "passk resolve {input.spec:q} --cell {wildcards.cell} --log {log} -o {output}"


rule draw_samples:
    input:
        cell=ancient(R.paths.cell("{cell}")),
        questions=ancient(R.questions),
        weights=ancient(R.weights),
    output:
        R.paths.samples("{cell}", "{shard}"),
    log:
        R.paths.log("sample", "{cell}.{shard}"),
    threads: R.sample_threads
    resources:
        gpu=R.jobs.sample_gpus,
        gpu_model=R.jobs.sample_gpu_model,
        mem_mb=R.jobs.sample_memory,
        runtime=R.jobs.sample_minutes,
    shell:
        "passk sample --cell {input.cell} --problems {input.questions}"
        " --samples {wildcards.shard} --threads {threads}"
        " --gpus {resources.gpu} --wait --log {log} -o {output}"


# The same for a run of missing shards, which Snakemake prefers since no wildcard is in it. Its
# param follows from the output and so is none that is compared: what one rule draws is up to date
# for the other.
for batch in R.sampling_batches:

    rule:
        name:
            batch.name
        input:
            cell=ancient(batch.cell),
            questions=ancient(batch.questions),
            weights=ancient(batch.weights),
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
