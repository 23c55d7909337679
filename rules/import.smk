# INPUT   a folder that `passk import` wrote
# OUTPUT  store/cells/{cell}/samples/{shard}.parquet   its responses, as if they had been drawn
#         store/cells/{cell}/counts/imported.parquet   or its counts, if there are no responses
# {imported} is the id of an imported cell: it is adopted and never drawn.

ADOPTED = R.paths.samples("{imported}", "{shard}")
ADOPTED_COUNTS = R.paths.imported_counts("{imported}")


ruleorder: adopt_responses > draw_samples


rule adopt_responses:
    input:
        unpack(R.inputs(ADOPTED)),
    output:
        ADOPTED,
    log:
        R.paths.log("adopt", "{imported}.{shard}"),
    shell:
        "passk adopt --cell {input.cell} --problems {input.questions}"
        " --samples {wildcards.shard} --log {log} -o {output}"


rule adopt_counts:
    input:
        unpack(R.inputs(ADOPTED_COUNTS)),
    output:
        ADOPTED_COUNTS,
    log:
        R.paths.log("adopt", "{imported}.counts"),
    shell:
        "passk adopt --cell {input.cell} --problems {input.problems} --log {log} -o {output}"
