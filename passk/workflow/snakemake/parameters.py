"""Functions that Snakemake calls for each job, with their parameter names attached.

Snakemake looks up a function's parameters at every call: a seventh of a dry run of 1,000 shards. It
does not where a function has them as an attribute (`snakemake.common.overwrite_function_params`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

ATTRIBUTE = "_overwrite_params"
"""Where Snakemake looks first."""


def known_parameters(function: Function) -> Function:
    """Note a function's parameters, all but `self`, for Snakemake."""
    found = dict(inspect.signature(function).parameters)
    found.pop("self", None)
    vars(function)[ATTRIBUTE] = found
    return function
