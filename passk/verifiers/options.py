"""Options that a benchmark's YAML hands to a verifier, checked before any grading starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from passk.core.errors import VerifierError, did_you_mean

Options = TypeVar("Options")


def read_options(kind: type[Options], verifier: str, given: Mapping[str, Any]) -> Options:
    """Return the options dataclass `kind` filled from what was given.

    Raises:
        VerifierError: an option has an unknown name; its `__post_init__` judges the values.
    """
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise VerifierError(
                f"verifier '{verifier}' has no option '{name}'", fix=did_you_mean(name, known)
            )
    return kind(**given)


def require_one_of(verifier: str, option: str, value: object, allowed: Sequence[str]) -> None:
    """Raise where a choice is none of those allowed."""
    if value not in allowed:
        raise VerifierError(
            f"verifier '{verifier}': option '{option}' is {value!r}",
            fix=did_you_mean(str(value), allowed),
        )
