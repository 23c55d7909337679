"""Types of arrays in the signatures of the estimators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
IntsLike = npt.ArrayLike
KValues = Sequence[int] | Ints
