# INPUT   store/cells/{cell}/cell.json of a cell and of its base, store/problems/{problems}/questions.parquet
# OUTPUT  store/cells/{cell}/temperature.json   the temperature at which its tokens have its base's entropy

TEMPERATURE = R.paths.temperature("{cell}")


rule match_entropy:
    input:
        unpack(R.inputs(TEMPERATURE)),
    output:
        TEMPERATURE,
    log:
        R.paths.log("entropy", "{cell}"),
    threads: R.threads
    resources:
        gpu=R.jobs.gpus,
        gpu_model=R.jobs.gpu_model,
        mem_mb=R.jobs.memory,
    shell:
        "passk match-entropy --cell {input.cell} --base {input.base} --problems {input.questions}"
        " --threads {threads} --gpus {resources.gpu} --log {log} -o {output}"
