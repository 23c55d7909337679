"""One module a stage of a study: files in, files out."""
