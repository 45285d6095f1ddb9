"""TFLite's QUANTIZE in numpy, and numbers on which it goes wrong easily."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e38, 3.4e38], np.float32)
SCALES = (1.0, 0.1, 0.0235, 1e-30, 1e30)
LENGTHS = (1, 2, 3, 4, 5, 7, 8, 40, 41, 403)


def quantized(x: NDArray[np.float32], scale: np.float32, zero_point: int) -> NDArray[np.int8]:
    """Halves away from zero, a NaN as the least."""
    with np.errstate(all="ignore"):
        steps = (x / scale).astype(np.float64)
        steps = np.clip(np.where(np.isnan(steps), -1e3, steps), -1e3, 1e3)
    whole = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
    return np.clip(whole + zero_point, -128, 127).astype(np.int8)


def dequantized(q: NDArray[np.int8], scale: np.float32, zero_point: int) -> NDArray[np.float32]:
    """(q - zero_point) * scale."""
    return (q.astype(np.float32) - np.float32(zero_point)) * scale


def awkward_numbers(
    rng: np.random.Generator, n: int, scale: np.float32, special: bool
) -> NDArray[np.float32]:
    """Ties, the numbers next to them, far outside; with `special` what is no number too."""
    ties = (rng.integers(-300, 300, n) * 0.5).astype(np.float32)
    x = np.nextafter(ties, rng.choice([-9e9, 0, 9e9], n).astype(np.float32))
    x = np.where(rng.random(n) < 0.3, ties, x) * scale
    x = np.where(rng.random(n) < 0.2, rng.normal(0, 90, n) * scale, x)
    if special:
        x = np.where(rng.random(n) < 0.2, rng.choice(SPECIAL, n), x)
    return x.astype(np.float32)


def random_zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))
