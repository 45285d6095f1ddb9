"""The core's parts as functions of arrays: a thin face of tests/native/unit_api.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from native_build import Native
from numpy.typing import ArrayLike, NDArray
from reference_learner import Rule, WindowPlan

F32 = np.float32
Array = NDArray[np.float32]


def f32(values: ArrayLike) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)


@dataclass
class Counts:
    """Steps taken, and skipped for two reasons."""

    applied: int = 0
    not_finite: int = 0
    over_limit: int = 0


@dataclass(frozen=True, eq=False)
class CutWindows:
    inputs: Array  # (n, inputs)
    log_variance: Array
    axis_log_variance: Array  # (n, 3), ln g^2
    mean: Array  # (n, 3), g
    last_sample: NDArray[np.uint64]


class Units:
    """Every call copies its arrays; results are new ones."""

    def __init__(self, native: Native) -> None:
        self.ffi, self.lib = native.ffi, native.lib

    def _in(self, array: NDArray[Any], kind: str = "float *") -> Any:
        return self.ffi.from_buffer(kind, array)

    def map(self, function: str, x: ArrayLike) -> Array:
        values = f32(x)
        out = np.empty_like(values)
        number = ("exp", "log", "sqrt", "sigmoid").index(function)
        self.lib.tinyol_unit_map(number, self._in(values), values.size, self._in(out))
        return out

    # --- statistics ---

    def statistics(
        self,
        rows: ArrayLike,
        horizon: int,
        start: tuple[int, ArrayLike, ArrayLike] | None = None,
    ) -> tuple[int, Array, Array]:
        """Count, mean (d,) and variance (d,) after rows (n, d)."""
        x = f32(rows)
        n, d = x.shape
        first = (0, np.zeros(d), np.zeros(d)) if start is None else start
        count = self.ffi.new("uint32_t *", first[0])
        mean, variance = f32(first[1]).copy(), f32(first[2]).copy()
        self.lib.tinyol_unit_statistics(
            self._in(x), n, d, horizon, count, self._in(mean), self._in(variance)
        )
        return int(count[0]), mean, variance

    def long_run(self, n: int, horizon: int, offset: float, spread: float) -> list[float]:
        """Mean and variance after n generated samples, then the same in double."""
        singles, doubles = self.ffi.new("float[2]"), self.ffi.new("double[2]")
        self.lib.tinyol_unit_long_run(
            n, horizon, offset, spread, singles, singles + 1, doubles, doubles + 1
        )
        return [*singles, *doubles]

    def standardise(self, mean: ArrayLike, variance: ArrayLike, features: ArrayLike) -> Array:
        m, v, x = f32(mean), f32(variance), f32(features)
        out = np.empty_like(x)
        self.lib.tinyol_unit_standardise(*map(self._in, (m, v, x)), len(x), self._in(out))
        return out

    def running_mean(self, x: ArrayLike, horizon: int) -> float:
        values, count, mean = f32(x), self.ffi.new("uint32_t *"), self.ffi.new("float *")
        self.lib.tinyol_unit_running_mean(self._in(values), len(values), horizon, count, mean)
        return float(mean[0])

    # --- steps ---

    def _rule(self, rule: Rule) -> Any:
        return self.ffi.new(
            "tinyol_unit_rule *",
            [
                rule.learning_rate,
                rule.schedule,
                rule.schedule_steps,
                rule.l2,
                rule.clip_norm,
                rule.weight_limit,
            ],
        )

    def _counts(self, counts: Counts) -> Any:
        return self.ffi.new(
            "tinyol_unit_counts *", [counts.applied, counts.not_finite, counts.over_limit]
        )

    def _store(self, raw: Any, counts: Counts) -> None:
        counts.applied, counts.not_finite = raw.applied, raw.not_finite
        counts.over_limit = raw.over_limit

    def rate(self, rule: Rule, t: int) -> float:
        return float(self.lib.tinyol_unit_rate(self._rule(rule), t))

    def sgd_step(
        self,
        weights: Array,
        bias: Array | None,
        inputs: ArrayLike,
        delta: ArrayLike,
        rule: Rule,
        counts: Counts,
    ) -> bool:
        """Changes weights, bias and counts where the step is taken."""
        x, d, raw = f32(inputs), f32(delta), self._counts(counts)
        applied = self.lib.tinyol_unit_sgd_step(
            self._in(weights),
            self.ffi.NULL if bias is None else self._in(bias),
            len(x),
            len(d),
            self._in(x),
            self._in(d),
            self._rule(rule),
            raw,
        )
        self._store(raw, counts)
        return bool(applied)

    # --- heads ---

    def softmax_predict(self, weights: ArrayLike, scaled: ArrayLike) -> tuple[int, Array]:
        w, x = f32(weights), f32(scaled)
        out = np.empty(len(w), F32)
        best = self.lib.tinyol_unit_softmax_predict(
            self._in(w), *w.shape, self._in(x), self._in(out)
        )
        return int(best), out

    def softmax_learn(
        self, weights: Array, scaled: ArrayLike, truth: int, rule: Rule, counts: Counts
    ) -> bool:
        """Changes weights and counts."""
        x, raw = f32(scaled), self._counts(counts)
        applied = self.lib.tinyol_unit_softmax_learn(
            self._in(weights), *weights.shape, self._in(x), truth, self._rule(rule), raw
        )
        self._store(raw, counts)
        return bool(applied)

    def cross_entropy(self, probabilities: ArrayLike, truth: int) -> float:
        return float(self.lib.tinyol_unit_cross_entropy(self._in(f32(probabilities)), truth))

    # --- windows ---

    def windows(self, plan: WindowPlan, samples: ArrayLike, gaps: ArrayLike = ()) -> CutWindows:
        xyz = f32(samples)
        restarts = np.zeros(len(xyz), np.uint8)
        restarts[np.asarray(gaps, int)] = 1
        raw = self.ffi.new(
            "tinyol_unit_pipeline *",
            [
                plan.window_len,
                plan.hop,
                int(plan.axes == "all"),
                int(plan.centring == "training"),
                plan.projection,
                plan.centre,
                plan.scale,
                plan.offset,
            ],
        )
        width = plan.window_len * (3 if plan.axes == "all" else 1)
        inputs, logs = np.zeros((len(xyz), width), F32), np.zeros(len(xyz), F32)
        axes, means = (np.zeros((len(xyz), 3), F32) for _ in range(2))
        last = np.zeros(len(xyz), np.uint64)
        n = self.lib.tinyol_unit_windows(
            raw,
            self._in(xyz),
            len(xyz),
            self._in(restarts, "uint8_t *"),
            self._in(inputs),
            self._in(logs),
            self._in(axes),
            self._in(means),
            self._in(last, "uint64_t *"),
            len(xyz),
        )
        return CutWindows(inputs[:n], logs[:n], axes[:n], means[:n], last[:n])


class Head:
    """A ReconstructionHead."""

    def __init__(self, units: Units, weights: ArrayLike, bias: ArrayLike | None) -> None:
        self._units = units
        w = f32(weights)
        b = None if bias is None else f32(bias)
        self.n_out, self.n_in = w.shape
        lib, ffi = units.lib, units.ffi
        handle = lib.tinyol_unit_head_new(
            units._in(w), ffi.NULL if b is None else units._in(b), self.n_in, self.n_out
        )
        self._handle = ffi.gc(handle, lib.tinyol_unit_head_free)

    def predict(self, hidden: ArrayLike, loss: int) -> Array:
        out = np.empty(self.n_out, F32)
        h = f32(hidden)
        self._units.lib.tinyol_unit_head_predict(
            self._handle, self._units._in(h), loss, self._units._in(out)
        )
        return out

    def learn(self, hidden: ArrayLike, target: ArrayLike, loss: int, rule: Rule) -> bool:
        h, x, units = f32(hidden), f32(target), self._units
        return bool(
            units.lib.tinyol_unit_head_learn(
                self._handle, units._in(h), units._in(x), loss, units._rule(rule)
            )
        )

    def read(self) -> tuple[Array, Array, Counts, int]:
        """Weights, bias, step counts, clamped targets."""
        units, counts = self._units, Counts()
        weights, bias = np.empty((self.n_out, self.n_in), F32), np.empty(self.n_out, F32)
        raw, clamped = units._counts(counts), units.ffi.new("uint32_t *")
        units.lib.tinyol_unit_head_read(
            self._handle, units._in(weights), units._in(bias), raw, clamped
        )
        units._store(raw, counts)
        return weights, bias, counts, int(clamped[0])


@dataclass(frozen=True, eq=False)
class Quantile:
    """A P-square estimator after its samples."""

    value: float
    count: int
    positions: list[int]
    heights: list[float]
    valid: bool  # its invariants held after every sample
    values: Array  # the estimate after each sample


def p2_quantile(units: Units, x: ArrayLike, probability: float) -> Quantile:
    samples = f32(x)
    values = np.empty_like(samples)
    raw = units.lib.tinyol_unit_p2(units._in(samples), len(samples), probability, units._in(values))
    heights, positions = list(raw.height), list(raw.position)
    return Quantile(raw.value, raw.count, positions, heights, bool(raw.valid), values)


class UnitMetrics:
    """A Metrics of the core."""

    def __init__(self, units: Units, n_classes: int) -> None:
        self._units, self.n_classes = units, n_classes
        handle = units.lib.tinyol_unit_metrics_new(n_classes)
        self._handle = units.ffi.gc(handle, units.lib.tinyol_unit_metrics_free)

    def add_class(self) -> None:
        self._units.lib.tinyol_unit_metrics_add_class(self._handle)
        self.n_classes += 1

    def remove_class(self, index: int) -> None:
        self._units.lib.tinyol_unit_metrics_remove_class(self._handle, index)
        self.n_classes -= 1

    def predictions(
        self, truths: ArrayLike, predicted: ArrayLike, losses: ArrayLike, horizon: int
    ) -> None:
        units = self._units
        t, p = (np.ascontiguousarray(a, np.uint16) for a in (truths, predicted))
        units.lib.tinyol_unit_metrics_predictions(
            self._handle,
            units._in(t, "uint16_t *"),
            units._in(p, "uint16_t *"),
            units._in(f32(losses)),
            len(t),
            horizon,
        )

    def read(self) -> tuple[NDArray[np.uint32], Array, Array]:
        """Confusion (k, k), F1 (k,), and accuracy, macro F1, mean loss."""
        units, k = self._units, self.n_classes
        confusion = np.zeros((k, k), np.uint32)
        f1, scores = np.zeros(k, F32), np.zeros(3, F32)
        units.lib.tinyol_unit_metrics_read(
            self._handle, units._in(confusion, "uint32_t *"), units._in(f1), units._in(scores)
        )
        return confusion, f1, scores
