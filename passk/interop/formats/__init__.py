"""Foreign formats, one module each; docs/bring-your-results.md says which versions were read."""
