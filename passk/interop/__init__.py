"""Results of other tools brought into passk, and passk's written as theirs.

`bring.import_results` reads foreign files into a folder that a spec can name (`imported: DIR`),
`adopt` takes a shard of it into the store, and `take.export_cells` writes cells in a foreign
format. A format is one module of `formats/` and one line in `passk.core.registry.FORMATS`.
"""
