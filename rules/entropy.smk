# INPUT   store/cells/{cell}/cell.json of a cell and of its base, store/problems/{problems}/questions.parquet
# OUTPUT  store/cells/{cell}/temperature.json   at which the cell's tokens have its base's entropy


rule match_entropy:
    input:
        cell=ancient(R.paths.cell("{cell}")),
        base=ancient(R.base_cell),
        questions=ancient(R.questions),
        weights=ancient(R.matching_weights),
    output:
        R.paths.temperature("{cell}"),
    log:
        R.paths.log("entropy", "{cell}"),
    threads: R.sample_threads
    resources:
        gpu=R.jobs.sample_gpus,
        gpu_model=R.jobs.sample_gpu_model,
        mem_mb=R.jobs.sample_memory,
    shell:
        "passk match-entropy --cell {input.cell} --base {input.base} --problems {input.questions}"
        " --threads {threads} --gpus {resources.gpu} --log {log} -o {output}"
