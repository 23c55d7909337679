"""`python -m passk`."""

from passk.cli import entry

entry()
