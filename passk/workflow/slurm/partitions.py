"""What the partitions of a cluster have to give, and whether a job fits into one of them."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.core.errors import PasskError
from passk.spec.yaml_lines import read_yaml

PATIENCE = 20.0
"""Seconds that the scheduler may take to answer."""

SINFO = ("sinfo", "--noheader", "--format=%R|%G|%m|%l")
"""Partition, generic resources, memory (MB) and longest time of every kind of node."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Nodes that take jobs up to a size; a limit that is not set is infinite.

    Attributes:
        name: what Slurm calls it.
        gpus: GPUs of one node.
        memory_mb: main memory of one node.
        minutes: longest time of a job.
    """

    name: str
    gpus: int = 0
    memory_mb: float = math.inf
    minutes: float = math.inf


@dataclass(frozen=True, slots=True)
class Need:
    """What a job asks for: GPUs of one node, megabytes and minutes."""

    gpus: int
    memory_mb: int
    minutes: int


def misfit(need: Need, partitions: Sequence[Partition]) -> str:
    """Say which part of a job fits into no partition; empty where the job fits into one."""
    if not partitions or any(_fits(need, partition) for partition in partitions):
        return ""
    able = [one for one in partitions if one.gpus >= need.gpus]
    if not able:
        most = max(partitions, key=lambda one: one.gpus)
        return (
            f"{need.gpus} GPUs on one node; the partition with most, '{most.name}', has {most.gpus}"
        )
    roomy = [one for one in able if one.memory_mb >= need.memory_mb]
    if not roomy:
        most = max(able, key=lambda one: one.memory_mb)
        return f"{need.memory_mb:,} MB; '{most.name}' has {most.memory_mb:,.0f} MB a node"
    most = max(roomy, key=lambda one: one.minutes)
    return f"{need.minutes:,} minutes; '{most.name}' ends jobs after {most.minutes:,.0f}"


def _fits(need: Need, partition: Partition) -> bool:
    """Tell whether a job fits into a partition."""
    return (
        need.gpus <= partition.gpus
        and need.memory_mb <= partition.memory_mb
        and need.minutes <= partition.minutes
    )


def longest(need_gpus: int, partitions: Sequence[Partition]) -> float:
    """Return the minutes after which any partition with so many GPUs ends a job."""
    return max((one.minutes for one in partitions if one.gpus >= need_gpus), default=math.inf)


def read_partitions(file: Path) -> tuple[Partition, ...]:
    """Read the partitions that the Slurm plugin reads from the same file.

    Raises:
        PasskError: the file cannot be read, or is not of that form.
    """
    data = read_yaml(file).data
    entries = data.get("partitions") if isinstance(data, Mapping) else None
    if not isinstance(entries, Mapping):
        raise PasskError("no `partitions` in it", where=str(file), fix="see docs/cluster.md")
    return tuple(_partition(str(name), entry or {}) for name, entry in entries.items())


def _partition(name: str, entry: Mapping[str, Any]) -> Partition:
    """Return one partition of the file."""
    return Partition(
        name,
        gpus=int(entry.get("max_gpu", 0)),
        memory_mb=float(entry.get("max_mem_mb", math.inf)),
        minutes=minutes_of(str(entry.get("max_runtime", "infinite"))),
    )


def ask_slurm() -> tuple[Partition, ...]:
    """Return the partitions that `sinfo` names; none where there is no Slurm, or no answer."""
    if shutil.which(SINFO[0]) is None:
        return ()
    try:
        done = subprocess.run(SINFO, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    found = []
    for line in done.stdout.splitlines():
        name, gres, memory, time = line.split("|")
        counts = re.findall(r"\bgpu(?::[^:,()]+)?:(\d+)", gres)
        gpus = sum(int(count) for count in counts)
        found.append(Partition(name, gpus, float(memory.rstrip("+")), minutes_of(time)))
    return tuple(found)


def minutes_of(text: str) -> float:
    """Return a time as Slurm and its plugin write it, in minutes.

    >>> minutes_of("1-12:00:00"), minutes_of("90"), minutes_of("2d12h"), minutes_of("infinite")
    (2160.0, 90.0, 3600.0, inf)
    """
    if match := re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text):
        days, *rest = (int(part or 0) for part in match.groups())
        first, second, third = rest
        long = match[1] is not None or match[4] is not None
        hours, minutes, seconds = (first, second, third) if long else (0, first, second)
        return days * 1440 + hours * 60 + minutes + seconds / 60
    units = {"d": 1440, "h": 60, "m": 1, "s": 1 / 60}
    parts = re.findall(r"(\d+)([dhms])", text)
    return float(sum(int(count) * units[unit] for count, unit in parts)) if parts else math.inf
