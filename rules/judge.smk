# INPUT   problems with golds, counts, samples and verdicts of a cell; a judge's replies (sample.smk)
# OUTPUT  store/judgings/{judging}/chains.parquet        what the judge is asked, a row per response
#         store/judgings/{judging}/judgements.parquet    what it says of each response

CHAINS = R.paths.chains("{judging}")
JUDGEMENTS = R.paths.judgements("{judging}")


rule select_chains:
    input:
        unpack(R.inputs(CHAINS)),
    output:
        CHAINS,
    log:
        R.paths.log("judge", "{judging}.chains"),
    params:
        options=R.judge_options,
    shell:
        "passk select-chains --problems {input.problems} --counts {input.counts}"
        " --samples {input.samples} --verdicts {input.verdicts}"
        " {params.options} --log {log} -o {output}"


rule count_votes:
    input:
        unpack(R.inputs(JUDGEMENTS)),
    output:
        JUDGEMENTS,
    log:
        R.paths.log("judge", "{judging}.votes"),
    shell:
        "passk count-votes --chains {input.chains} --votes {input.votes} --log {log} -o {output}"
