"""What the machine's matrix products reach: the yardstick of the engines' benchmarks.

    python perf/matrix_peak.py

prints the bfloat16 peak (a square product of 2,048) and the products of SmolLM2-135M's layers for
some numbers of tokens, in GFLOP/s (multiply-adds, doubled).
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch


def product_rate(tokens: int, inputs: int, outputs: int, rounds: int = 9) -> float:
    """FLOP/s of one linear layer in bfloat16."""
    x, layer = torch.randn(tokens, inputs).bfloat16(), torch.nn.Linear(inputs, outputs, bias=False)
    layer = layer.bfloat16().requires_grad_(requires_grad=False)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        layer(x)
        times.append(time.perf_counter() - start)
    return 2 * tokens * inputs * outputs / statistics.median(times)


def matrix_peak() -> float:
    """FLOP/s of a large square product in bfloat16."""
    return product_rate(2048, 2048, 2048)


def layer_flops(model: Any) -> float:
    """FLOP per token in the layers' matrix products, without attention and vocabulary."""
    layers = model.get_decoder().layers
    return 2.0 * sum(p.numel() for p in layers.parameters() if p.dim() == 2)


def head_flops(model: Any) -> float:
    """FLOP per token whose next-token logits are computed."""
    return 2.0 * model.get_output_embeddings().weight.numel()


def main() -> None:
    print(f"peak {matrix_peak() / 1e9:.0f} GFLOP/s")
    for tokens in (64, 256, 512, 2048):
        shapes = {"up": (576, 1536), "down": (1536, 576), "vocabulary": (576, 49_152)}
        rates = ", ".join(
            f"{name} {product_rate(tokens, *shape) / 1e9:.0f}" for name, shape in shapes.items()
        )
        print(f"{tokens} tokens: {rates} GFLOP/s")


if __name__ == "__main__":
    main()
