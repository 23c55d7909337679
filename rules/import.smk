# INPUT   a folder that `passk import` wrote
# OUTPUT  store/cells/{cell}/samples/{shard}.parquet   its responses, as if they had been drawn
#         store/cells/{cell}/counts/imported.parquet   or its counts, where there are no responses
# {imported} is the id of a cell that was imported: it is adopted and never drawn.


ruleorder: adopt_responses > draw_samples


rule adopt_responses:
    input:
        cell=ancient(R.paths.cell("{imported}")),
        questions=ancient(R.imported_questions),
        folder=ancient(R.import_manifest),
    output:
        R.paths.samples("{imported}", "{shard}"),
    log:
        R.paths.log("adopt", "{imported}.{shard}"),
    shell:
        "passk adopt --cell {input.cell} --problems {input.questions}"
        " --samples {wildcards.shard} --log {log} -o {output}"


rule adopt_counts:
    input:
        cell=ancient(R.paths.cell("{imported}")),
        problems=ancient(R.imported_problems),
        folder=ancient(R.import_manifest),
    output:
        R.paths.imported_counts("{imported}"),
    log:
        R.paths.log("adopt", "{imported}.counts"),
    shell:
        "passk adopt --cell {input.cell} --problems {input.problems} --log {log} -o {output}"
