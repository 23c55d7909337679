"""A version per stage: raise one when the stage's code would make its outputs differ.

It is part of what makes that stage's outputs stale, and so of all that is downstream; outputs of
other stages stay. Rewording, renaming and speeding up raise nothing.
"""

from __future__ import annotations

__version__ = "0.1.0"

TRAIN = 1
SAMPLE = 2
VERIFY = 3
ENTROPY = 1
SCORE = 3
COUNT = 3
CONFIRM = 1
JUDGE = 1
AGGREGATE = 6
REPORT = 6
