"""What is done, stale, running or failed, and why."""
