"""What every package builds on: errors, row schemas, artifacts, the journal, progress."""
