"""Formats of other tools, one module each; docs/bring-your-results.md lists tested versions."""
