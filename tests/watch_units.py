"""The watching parts as functions of arrays: a thin face of tests/native/watch_api.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from reference_watch import UNKNOWN_VECTORS, Normal, Rule, Verdict
from watch_library import F32, Array, Parts, f32


@dataclass(frozen=True)
class DriftRule:
    tilt_deg: float = 5.0
    level_g: float = 0.1
    windows: int = 20
    delta: float = 0.5
    lambda_: float = 50.0


@dataclass(frozen=True, eq=False)
class Drifted:
    moved_began: NDArray[np.bool_]
    moved_ended: NDArray[np.bool_]
    changed_began: NDArray[np.bool_]
    tilt_deg: Array
    sums: Array  # (n, 2)


@dataclass(frozen=True, eq=False)
class Kept:
    number: int
    first_sample: int
    last_sample: int
    windows: int
    peak_novelty: float
    named: bool
    stride: int
    vectors: Array  # (kept, d)


class Watch(Parts):
    """Every call copies its arrays; results are new ones."""

    # --- the detector ---

    def _normal(self, normal: Normal) -> Any:
        (ee, ev), (_, vv) = normal.covariance
        return self.ffi.new(
            "tinyol_watch_normal *", [normal.count, list(normal.mean), [ee, ev, vv]]
        )

    @staticmethod
    def _to_normal(normal: Any) -> Normal:
        ee, ev, vv = normal.covariance
        return Normal(normal.count, np.array(list(normal.mean)), np.array([[ee, ev], [ev, vv]]))

    def normal_after(self, rows: ArrayLike, horizon: int, start: Normal | None = None) -> Normal:
        x, stats = f32(rows), self._normal(start or Normal())
        self.lib.tinyol_watch_normal_update(stats, self._in(x), len(x), horizon)
        return self._to_normal(stats)

    def squared_distances(self, normal: Normal, rows: ArrayLike) -> Array:
        x = f32(rows)
        out = np.empty(len(x), F32)
        self.lib.tinyol_watch_squared_distances(
            self._normal(normal), self._in(x), len(x), self._in(out)
        )
        return out

    def standard_log_error(self, normal: Normal, log_error: float) -> float:
        return float(self.lib.tinyol_watch_standard_log_error(self._normal(normal), log_error))

    def hotelling_limit(self, n: int, false_rate: float) -> float:
        return float(self.lib.tinyol_watch_hotelling_limit(n, false_rate))

    def start_from(self, normal: Normal) -> None:
        self.lib.tinyol_watch_detector_reset(self.handle, self._normal(normal))

    def take_over(self, normal: Normal) -> None:
        self.lib.tinyol_watch_detector_take_over(self.handle, self._normal(normal))

    def restart_quantile(self) -> None:
        self.lib.tinyol_watch_detector_restart_quantile(self.handle)

    def limit(self, false_rate: float) -> float:
        return float(self.lib.tinyol_watch_detector_limit(self.handle, false_rate))

    @property
    def detector(self) -> Any:
        """C struct: normal, distances, over, under, alarm, alarms."""
        return self.lib.tinyol_watch_detector_state(self.handle)

    @property
    def normal(self) -> Normal:
        return self._to_normal(self.detector.normal)

    def judge(self, rows: ArrayLike, rule: Rule, errors: ArrayLike | None = None) -> list[Verdict]:
        """rows (n, 2): ln error, ln variance; errors (n,), from the rows unless given."""
        x = np.asarray(rows, float)
        error = np.exp(x[:, 0]) if errors is None else np.asarray(errors)
        values = f32(np.column_stack([error, x]))
        c_rule = self.ffi.new(
            "tinyol_watch_rule *",
            [
                rule.two_sided,
                rule.threshold,
                rule.false_rate,
                rule.horizon,
                rule.learn,
                rule.raise_windows,
                rule.clear_windows,
            ],
        )
        out = self.ffi.new("tinyol_watch_verdict[]", len(values))
        self.lib.tinyol_watch_detector_run(self.handle, self._in(values), len(values), c_rule, out)
        return [
            Verdict(v.score, bool(v.anomaly), bool(v.alarm), bool(v.began), bool(v.ended))
            for v in out
        ]

    # --- drift ---

    def drift(
        self, gravity: ArrayLike, z: ArrayLike, rule: DriftRule, judged: bool = True
    ) -> Drifted:
        """gravity (n, 3) in g; z (n,)."""
        rows = f32(np.column_stack([gravity, z]))
        n = len(rows)
        notices, tilts, sums = np.empty(n, np.uint8), np.empty(n, F32), np.empty((n, 2), F32)
        c_rule = self.ffi.new(
            "tinyol_watch_drift_rule *",
            [rule.tilt_deg, rule.level_g, rule.windows, rule.delta, rule.lambda_],
        )
        self.lib.tinyol_watch_drift_run(
            self.handle,
            self._in(rows),
            n,
            judged,
            c_rule,
            self._in(notices, "uint8_t *"),
            self._in(tilts),
            self._in(sums),
        )
        began, ended, changed = ((notices & bit) > 0 for bit in (1, 2, 4))
        return Drifted(began, ended, changed, tilts, sums)

    @property
    def drift_state(self) -> Any:
        """C struct: reference_count, reference, recent, recent_count, moved, up, down, changed."""
        return self.lib.tinyol_watch_drift_state(self.handle)

    def tilt_deg(self) -> float:
        return float(self.lib.tinyol_watch_drift_tilt(self.handle))

    def restart_reference(self) -> None:
        self.lib.tinyol_watch_drift_restart(self.handle)

    def acknowledge(self) -> None:
        self.lib.tinyol_watch_drift_acknowledge(self.handle)

    # --- unknown events ---

    def meet(
        self,
        unknown: ArrayLike,
        novelty: ArrayLike,
        samples: ArrayLike,
        vectors: ArrayLike,
        least: int,
    ) -> tuple[list[int], list[int]]:
        """Windows with which an event began, and with which one ended."""
        flags = np.ascontiguousarray(unknown, np.uint8)
        sizes, rows = f32(novelty), f32(vectors)
        at = np.ascontiguousarray(samples, np.uint64)
        notices = np.empty(len(flags), np.uint8)
        self.lib.tinyol_watch_unknown_run(
            self.handle,
            self._in(flags, "uint8_t *"),
            self._in(sizes),
            self._in(at, "uint64_t *"),
            self._in(rows),
            len(flags),
            least,
            self._in(notices, "uint8_t *"),
        )
        return np.flatnonzero(notices & 1).tolist(), np.flatnonzero(notices & 2).tolist()

    def event(self, number: int) -> Kept | None:
        e = self.ffi.new("tinyol_watch_event *")
        vectors = np.empty((UNKNOWN_VECTORS, self.n_features), F32)
        if not self.lib.tinyol_watch_unknown_find(self.handle, number, e, self._in(vectors)):
            return None
        head = (e.number, e.first_sample, e.last_sample, e.windows, e.peak_novelty, bool(e.named))
        return Kept(*head, e.stride, vectors[: e.kept])

    def name_event(self, number: int) -> None:
        self.lib.tinyol_watch_unknown_named(self.handle, number)

    def close_event(self) -> None:
        self.lib.tinyol_watch_unknown_close(self.handle)

    # --- fine-tuning ---

    def least_squares_step(
        self,
        weights: Array,
        bias: Array | None,
        inputs: Array,
        residual: Array,
        forgetting: float = 1.0,
        weight_limit: float = 1e6,
    ) -> bool:
        """Changes weights (n_out, n_in) and bias (n_out,) in place."""
        n_out, n_in = weights.shape
        return bool(
            self.lib.tinyol_watch_rls_step(
                self.handle,
                self._in(weights),
                self.ffi.NULL if bias is None else self._in(bias),
                n_in,
                n_out,
                self._in(inputs),
                self._in(residual),
                forgetting,
                weight_limit,
                self.counts,
            )
        )

    def inverse(self) -> tuple[Array, int]:
        """P (n, n) of least squares, and its restarts."""
        restarts, p = self.ffi.new("uint32_t *"), np.empty(129 * 65, F32)
        n = self.lib.tinyol_watch_rls_state(self.handle, restarts, self._in(p))
        full = np.zeros((n, n), F32)
        full[np.tril_indices(n)] = p[: n * (n + 1) // 2]
        return full + np.tril(full, -1).T, restarts[0]

    def nlms_rate(self, rate: float, inputs: ArrayLike, bias: bool) -> float:
        a = f32(inputs)
        return float(self.lib.tinyol_watch_nlms_rate(rate, self._in(a), len(a), bias))

    def rehearsal_reset(self, inputs: int, limit: int) -> None:
        self.lib.tinyol_watch_rehearsal_reset(self.handle, inputs, limit)
        self.inputs = inputs

    def rehearsal_add(self, rows: NDArray[np.int8]) -> None:
        rows = np.ascontiguousarray(rows, np.int8)
        self.lib.tinyol_watch_rehearsal_add(self.handle, self._in(rows, "int8_t *"), len(rows))

    def rehearsal_kept(self) -> NDArray[np.int8]:
        rows = np.empty((4096, self.inputs), np.int8)
        n = self.lib.tinyol_watch_rehearsal_kept(self.handle, self._in(rows, "int8_t *"))
        return rows[:n]

    def rehearsal_draw(self) -> int:
        return int(self.lib.tinyol_watch_rehearsal_draw(self.handle))
