"""Review: people label rare correct responses, and their labels become tables.

`queue` selects the responses, `labels` stores the labels, `session` and `pages` serve the page,
`tables` counts. The pages and the tables share only the label files.
"""
