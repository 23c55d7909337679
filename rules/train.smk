# INPUT   store/problems/{problems}/problems-{golds}.parquet, the weights that training starts from
# OUTPUT  store/trainings/{training}/training.json                 what decides the weights
#         store/trainings/{training}/step-{step}/manifest.json     a checkpoint, written last
#         store/trainings/{training}/step-{step}/steps.parquet     what was measured at its steps
# A job makes one checkpoint. It continues from the state beside the checkpoint before.

CHECKPOINT = R.paths.trained("{training}", "{step}")


rule resolve_training:
    output:
        R.paths.training("{training}"),
    log:
        R.paths.log("resolve", "{training}"),
    params:
        spec=R.spec,
    shell:
        "passk resolve {params.spec:q} --training {wildcards.training} --log {log} -o {output}"


rule train_model:
    input:
        unpack(R.inputs(CHECKPOINT)),
    output:
        manifest=CHECKPOINT,
        steps=R.paths.training_steps("{training}", "{step}"),
    log:
        R.paths.log("train", "{training}.{step}"),
    threads: R.threads
    resources:
        gpu=R.jobs.gpus,
        gpu_model=R.jobs.gpu_model,
        mem_mb=R.jobs.memory,
        runtime=R.jobs.minutes,
    shell:
        "passk train --task {input.task} --problems {input.problems} --step {wildcards.step}"
        " --threads {threads} --gpus {resources.gpu} --log {log} -o {output.manifest}"
