"""Slurm: partitions, the queue, a watchdog."""
