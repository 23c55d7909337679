"""Snakemake, whose Slurm plugin looks at its jobs every second.

By itself it waits ten seconds longer after each look at which no job has ended, up to three
minutes. Commands of jobs are Snakemake's own.
"""

from __future__ import annotations

import asyncio
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def sleep(_: RemoteExecutor) -> None:
    """Wait a second before the next look."""
    await asyncio.sleep(1)


RemoteExecutor.sleep = sleep
sys.argv[0] = "snakemake"
sys.path.pop(0)  # this folder
main()
