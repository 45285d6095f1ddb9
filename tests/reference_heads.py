"""The classifier's heads in float64, from their equations: what the core is held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LEAST_SPREAD = 1e-4
YOUNG, TRUSTED, UNTRIED = 10, 20, 4.0


def from_triangle(rows: ArrayLike, d: int) -> Array:
    """The lower triangular (d, d) matrix of rows up to the diagonal, one after the other."""
    lower = np.zeros((d, d))
    lower[np.tril_indices(d)] = np.asarray(rows, float)
    return lower


class GaussianClass:
    """Running mean and covariance of one class, with a prior that counts as n0 lessons."""

    def __init__(self, prior: ArrayLike, *, full: bool) -> None:
        self.prior, self.full = np.asarray(prior, float), full
        self.lessons = 0
        self.mean = np.zeros(len(self.prior))
        self.covariance = np.diag(self.prior)

    def learn(self, row: ArrayLike, horizon: int, prior_count: float) -> None:
        """b = x - m; m += b / n; S += (b (x - m)' - S) / (n + n0), n held at the horizon."""
        x = np.asarray(row, float)
        self.lessons += 1
        n = min(self.lessons, horizon)
        b = x - self.mean
        self.mean = self.mean + b / n
        outer = np.outer(b, x - self.mean)
        self.covariance = self.covariance + (outer - self.covariance) / (n + prior_count)
        if self.full:
            self._hold_triangle()
        else:
            held = np.maximum(np.diag(self.covariance), LEAST_SPREAD * self.prior)
            self.covariance = np.diag(held)

    def _hold_triangle(self) -> None:
        """No L_jj below its floor; the covariance itself stays where none is."""
        lower, floors = np.linalg.cholesky(self.covariance), np.sqrt(LEAST_SPREAD * self.prior)
        diagonal = np.diag(lower)
        if (diagonal < floors).any():
            np.fill_diagonal(lower, np.maximum(diagonal, floors))
            self.covariance = lower @ lower.T

    def squared_distance(self, row: ArrayLike) -> float:
        b = np.asarray(row, float) - self.mean
        return float(b @ np.linalg.solve(self.covariance, b))

    @property
    def log_det(self) -> float:
        return float(np.linalg.slogdet(self.covariance)[1])


def batch_covariance(rows: ArrayLike, prior: ArrayLike, prior_count: float) -> Array:
    """(n S_sample + n0 P) / (n + n0): what the recursion gives while n is within the horizon."""
    x = np.asarray(rows, float)
    return (len(x) * np.cov(x.T, bias=True) + prior_count * np.diag(np.asarray(prior, float))) / (
        len(x) + prior_count
    )


def probabilities(
    row: ArrayLike, classes: list[GaussianClass], weights: ArrayLike
) -> tuple[Array, Array]:
    """p(k | x) of the classes with a lesson, 0 for the others; and every d2_k."""
    d2 = np.array([c.squared_distance(row) for c in classes])
    log_p = np.log(np.asarray(weights, float)) - (np.array([c.log_det for c in classes]) + d2) / 2
    taught = np.array([c.lessons > 0 for c in classes])
    log_p[~taught] = -np.inf
    p = np.exp(log_p - log_p.max())
    return p / p.sum(), d2


def softmax(scores: ArrayLike) -> Array:
    z = np.asarray(scores, float)
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


class SoftmaxHead:
    """z = W a + b; a step moves both by -rate * weight * (p - [k = truth]) (a, 1)."""

    def __init__(self, classes: int, features: int) -> None:
        self.weights, self.bias = np.zeros((classes, features)), np.zeros(classes)
        self.lessons = np.zeros(classes)

    def learn(
        self, scaled: ArrayLike, truth: int, rate: float, *, bias: bool, balanced: bool, new: bool
    ) -> None:
        a = np.asarray(scaled, float)
        delta = softmax(self.weights @ a + self.bias)
        delta[truth] -= 1
        self.lessons[truth] += new
        if balanced and new:
            wanted = self.lessons.sum() / (len(self.lessons) * self.lessons[truth])
            delta *= np.clip(wanted, 0.1, 10)
        self.weights -= rate * np.outer(delta, a)
        if bias:
            self.bias -= rate * delta
