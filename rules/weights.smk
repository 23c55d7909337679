# INPUT   an installed package that holds weights
# OUTPUT  store/weights/{package}/manifest.json, written last


rule convert_weights:
    output:
        f"{R.paths.weights('{package}')}/manifest.json",
    log:
        R.paths.log("weights", "{package}"),
    params:
        source=R.package_weights,
    shell:
        "passk weights {params.source[0]} --revision {params.source[1]}"
        " --log {log} -o $(dirname {output})"
