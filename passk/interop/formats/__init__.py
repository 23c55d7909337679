"""Foreign formats, one module each; docs/exchange.md says which versions were read."""
