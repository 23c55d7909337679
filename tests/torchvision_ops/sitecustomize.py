"""On PYTHONPATH: declares the operators that torchvision's Python code names when it is imported.

The CPU build of torch has no torchvision of its own, and the compiled part of the usual one needs
CUDA. Preparing images takes none of its operators, but registering their shapes wants them there.
vLLM imports torchvision in processes of its own, so this has to reach all of them.
"""

import sys
from importlib.abc import MetaPathFinder

OPERATORS = ("nms", "qnms")


class _Declaring(MetaPathFinder):
    """Finds nothing, but sees the first import of torchvision."""

    def find_spec(self, name, path=None, target=None):  # noqa: ANN001, ANN202, ARG002
        if name == "torchvision":
            sys.meta_path.remove(self)
            _declare()


def _declare() -> None:
    """Declare the operators; they stay for as long as the library that holds them does."""
    import torch

    library = sys.modules[__name__].library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in OPERATORS:
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


sys.meta_path.insert(0, _Declaring())
