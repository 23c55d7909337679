"""Import and export: results of other tools as passk's, and passk's as theirs.

`import_results.import_results` reads files of another tool into a folder that a spec names
(`imported: DIR`); the stage `adopt` copies shards of it into the store.
`export_results.export_cells` writes cells in the format of another tool. A format is one module
of `formats/` and one line in `passk.core.registry.FORMATS`.
"""
