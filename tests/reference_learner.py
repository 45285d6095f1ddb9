"""Every equation of the learner a second time, in float64 and as plainly as numpy can say it.

Written from the paper (Ren, Anicic, Runkler 2021), from the textbooks that the core's headers
name, and from what those headers promise; not from the core's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LINEAR_SQUARED, SIGMOID_CROSS_ENTROPY, SIGMOID_SQUARED, PAPER_EQUATION_5 = range(4)
CONSTANT, INVERSE_TIME, INVERSE_SQUARE_ROOT = range(3)


# --- running statistics ----------------------------------------------------------------------


@dataclass
class RunningStats:
    """Mean and population variance; beyond `horizon` samples, exponential forgetting."""

    horizon: int
    count: int = 0
    mean: Array = field(default_factory=lambda: np.zeros(1))
    variance: Array = field(default_factory=lambda: np.zeros(1))

    def update(self, x: ArrayLike) -> None:
        value = np.asarray(x, float)
        self.count += 1
        weight = 1 / min(self.count, self.horizon)
        deviation = value - self.mean
        self.mean = self.mean + weight * deviation
        self.variance = (1 - weight) * self.variance + weight * deviation * (value - self.mean)


def standardise(mean: ArrayLike, variance: ArrayLike, x: ArrayLike) -> Array:
    """(x - mean) / sigma; zero where nothing varied."""
    mean, variance, x = (np.asarray(a, float) for a in (mean, variance, x))
    constant = variance <= 1e-30
    sigma = np.sqrt(np.where(constant, 1, variance))
    return np.where(constant, 0, (x - mean) / sigma)


# --- softmax head, eq. (6) to (8) ------------------------------------------------------------


def softmax(logits: ArrayLike) -> Array:
    """Eq. (6)."""
    powers = np.exp(np.asarray(logits, float) - np.max(logits))
    return powers / powers.sum()


def softmax_loss(weights: Array, features: Array, truth: int) -> float:
    """Eq. (7): the cross-entropy."""
    logits = weights @ features
    highest = logits.max()
    return float(highest + np.log(np.exp(logits - highest).sum()) - logits[truth])


def softmax_gradient(weights: Array, features: Array, truth: int) -> Array:
    """Eq. (8): dL/dW."""
    return np.outer(softmax(weights @ features) - np.eye(len(weights))[truth], features)


# --- reconstruction head, eq. (2) to (5) -----------------------------------------------------


def sigmoid(x: ArrayLike) -> Array:
    return 1 / (1 + np.exp(-np.asarray(x, float)))


def reconstruction(weights: Array, bias: Array, hidden: Array, loss: int) -> Array:
    """The head's output: linear, or behind a sigmoid."""
    z = weights @ hidden + bias
    return z if loss == LINEAR_SQUARED else sigmoid(z)


def clamped_target(target: ArrayLike, loss: int) -> Array:
    """A sigmoid reaches only what lies in [0, 1]."""
    x = np.asarray(target, float)
    return x if loss == LINEAR_SQUARED else np.clip(x, 0, 1)


def reconstruction_loss(
    weights: Array, bias: Array, hidden: Array, target: Array, loss: int
) -> float:
    """What each choice minimises; eq. (5) is the gradient of no loss."""
    y = reconstruction(weights, bias, hidden, loss)
    x = clamped_target(target, loss)
    if loss == SIGMOID_CROSS_ENTROPY:
        return float(-np.sum(x * np.log(y) + (1 - x) * np.log(1 - y)))
    assert loss != PAPER_EQUATION_5
    return float(0.5 * np.sum((y - x) ** 2))


def reconstruction_delta(output: Array, target: ArrayLike, loss: int) -> Array:
    """dL/dz, z = W h + b; for eq. (5) its literal formula, the sigmoid applied twice."""
    error = output - clamped_target(target, loss)
    if loss == SIGMOID_SQUARED:
        return error * output * (1 - output)
    if loss == PAPER_EQUATION_5:
        return error * sigmoid(output) * (1 - sigmoid(output))
    return error


# --- stochastic gradient descent -------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """The settings of one head."""

    learning_rate: float = 0.05
    schedule: int = CONSTANT
    schedule_steps: float = 1000.0
    l2: float = 0.0
    clip_norm: float = 0.0
    weight_limit: float = 1000.0

    def rate(self, t: int) -> float:
        """The rate at step t, from 0."""
        slowed = 1 + t / self.schedule_steps
        return self.learning_rate / (1, slowed, np.sqrt(slowed))[self.schedule]


def sgd_step(
    weights: Array, bias: Array | None, inputs: Array, delta: Array, rule: Rule, t: int
) -> tuple[Array, Array | None] | None:
    """New weights and bias; None where the step is not taken."""
    gradient = np.outer(delta, inputs)
    bias_gradient = delta if bias is not None else np.zeros(0)
    norm = np.sqrt(np.sum(gradient**2) + np.sum(bias_gradient**2))
    shrink = rule.clip_norm / norm if 0 < rule.clip_norm < norm else 1.0
    rate = rule.rate(t)
    stepped = weights - rate * (shrink * gradient + rule.l2 * weights)
    stepped_bias = None if bias is None else bias - rate * shrink * bias_gradient
    everything = np.append(stepped, [] if stepped_bias is None else stepped_bias)
    if not np.all(np.abs(everything) <= rule.weight_limit):
        return None
    return stepped, stepped_bias


# --- windows ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class WindowPlan:
    """From samples to the net's input, as in a bundle's pipeline."""

    window_len: int
    hop: int
    axes: str = "projection"
    centring: str = "window"
    projection: tuple[float, float, float] = (0.0, 0.0, 1.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: float = 0.0


@dataclass(frozen=True, eq=False)
class ReferenceWindow:
    last_sample: int
    inputs: Array  # (window_len * channels,), channels interleaved
    log_variance: float
    axis_log_variance: Array  # of x, y and z
    mean: Array  # of x, y and z, g


def cut_windows(plan: WindowPlan, samples: ArrayLike, gaps: Sequence[int]) -> list[ReferenceWindow]:
    """Every window of the recording: each stretch between gaps is cut on its own."""
    xyz = np.asarray(samples, float).reshape(-1, 3)
    borders = [0, *gaps, len(xyz)]
    windows = []
    for start, stop in zip(borders[:-1], borders[1:], strict=True):
        for first in range(start, stop - plan.window_len + 1, plan.hop):
            last = first + plan.window_len - 1
            windows.append(_window(plan, xyz[first : last + 1], last))
    return windows


def _window(plan: WindowPlan, xyz: Array, last: int) -> ReferenceWindow:
    channels = xyz if plan.axes == "all" else (xyz @ np.array(plan.projection))[:, None]
    n = channels.shape[1]
    own_mean = channels.mean(axis=0)
    centre = own_mean if plan.centring == "window" else np.array(plan.centre[:n])
    inputs = (channels - centre) * np.array(plan.scale[:n]) + plan.offset
    variance = np.sum((channels - own_mean) ** 2) / len(channels)
    axes = np.log(np.maximum(xyz.var(axis=0), 1e-12))
    log_variance = float(np.log(max(variance, 1e-12)))
    return ReferenceWindow(last, inputs.reshape(-1), log_variance, axes, xyz.mean(axis=0))


# --- metrics ---------------------------------------------------------------------------------


def f1_scores(confusion: ArrayLike) -> Array:
    """F1 a class, from the confusion matrix [truth, predicted]; nan for a class never met."""
    matrix = np.asarray(confusion, float)
    hits = np.diag(matrix)
    met = matrix.sum(axis=0) + matrix.sum(axis=1)
    return np.array([2 * h / m if m else np.nan for h, m in zip(hits, met, strict=True)])


def p_square(samples: Sequence[float], p: float) -> float:
    """The quantile estimate of Jain and Chlamtac (1985), five samples or more."""
    height = sorted(samples[:5])
    position = [0, 1, 2, 3, 4]
    for seen, x in enumerate(samples[5:], 5):
        height[0], height[4] = min(height[0], x), max(height[4], x)
        cell = next((i for i in range(3) if x < height[i + 1]), 3)
        position = [n + (i > cell) for i, n in enumerate(position)]
        for i, share in ((1, p / 2), (2, p), (3, (1 + p) / 2)):
            behind = seen * share - position[i]
            below, above = position[i] - position[i - 1], position[i + 1] - position[i]
            if not (behind >= 1 and above > 1) and not (behind <= -1 and below > 1):
                continue
            d = 1 if behind > 0 else -1
            slopes = (height[i + 1] - height[i]) / above, (height[i] - height[i - 1]) / below
            curve = ((below + d) * slopes[0] + (above - d) * slopes[1]) / (below + above)
            moved = height[i] + d * curve
            if not height[i - 1] < moved < height[i + 1]:
                moved = height[i] + (slopes[0] if d > 0 else -slopes[1])
            height[i] = moved
            position[i] += d
    return height[2]


# --- the frozen net --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TapValues:
    """What the frozen net makes of one window, in real numbers."""

    embedding: Array
    hidden: Array
    reconstruction: Array
