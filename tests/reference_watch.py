"""What the watching parts compute, from their equations, in float64 and with no eye on speed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SETTLING = 30
FEWEST_TAILS = 5.0
LEAST_VARIANCE = 1e-4
LEAST_LIMIT = 1e-3
CORRELATION_LEFT = 1e-3  # of the determinant, as a share of the diagonal's product
UNKNOWN_VECTORS = 24


# --- normal or not ---------------------------------------------------------------------------


@dataclass
class Normal:
    """Running mean (2,) and population covariance (2, 2) of (ln error, ln variance)."""

    count: int = 0
    mean: Array = field(default_factory=lambda: np.zeros(2))
    covariance: Array = field(default_factory=lambda: np.zeros((2, 2)))

    def update(self, v: ArrayLike, horizon: int) -> None:
        self.count += 1
        n = min(self.count, horizon)
        before = np.asarray(v, float) - self.mean
        self.mean = self.mean + before / n
        after = np.asarray(v, float) - self.mean
        self.covariance = self.covariance + (np.outer(before, after) - self.covariance) / n

    def squared_distance(self, v: ArrayLike) -> float:
        ee, vv = np.maximum(np.diag(self.covariance), LEAST_VARIANCE)
        most = np.sqrt((1 - CORRELATION_LEFT) * ee * vv)
        ev = np.clip(self.covariance[0, 1], -most, most)
        d = np.asarray(v, float) - self.mean
        return float(d @ np.linalg.solve([[ee, ev], [ev, vv]], d))


def hotelling_limit(n: int, r: float) -> float:
    """What d2 of a new bivariate normal value exceeds with probability r, from n others."""
    return float((n + 1) * np.expm1(-2 * np.log(r) / (n - 2)))


class PSquare:
    """The quantile estimate of Jain and Chlamtac (1985), one sample at a time."""

    def __init__(self, p: float) -> None:
        self.p = p
        self.count = 0
        self.height: list[float] = []
        self.position = [0, 1, 2, 3, 4]

    def update(self, x: float) -> None:
        self.count += 1
        height, position = self.height, self.position
        if self.count <= 5:
            height.append(x)
            height.sort()
            return
        height[0], height[4] = min(height[0], x), max(height[4], x)
        cell = next((i for i in range(3) if x < height[i + 1]), 3)
        for i in range(cell + 1, 5):
            position[i] += 1
        for i, share in ((1, self.p / 2), (2, self.p), (3, (1 + self.p) / 2)):
            behind = (self.count - 1) * share - position[i]
            below, above = position[i] - position[i - 1], position[i + 1] - position[i]
            if not (behind >= 1 and above > 1) and not (behind <= -1 and below > 1):
                continue
            d = 1 if behind > 0 else -1
            slopes = (height[i + 1] - height[i]) / above, (height[i] - height[i - 1]) / below
            moved = height[i] + d * ((below + d) * slopes[0] + (above - d) * slopes[1]) / (
                below + above
            )
            if not height[i - 1] < moved < height[i + 1]:
                moved = height[i] + (slopes[0] if d > 0 else -slopes[1])
            height[i] = moved
            position[i] += d

    @property
    def value(self) -> float:
        return self.height[2]


@dataclass(frozen=True)
class Rule:
    two_sided: bool = True
    threshold: float = 1e6
    false_rate: float = 0.005
    horizon: int = 4096
    learn: bool = True
    raise_windows: int = 3
    clear_windows: int = 5


@dataclass(frozen=True)
class Verdict:
    score: float
    anomaly: bool
    alarm: bool
    began: bool
    ended: bool


class Detector:
    """AnomalyDetector; `rule.false_rate` must be the same at every call."""

    def __init__(self, start: Normal | None = None) -> None:
        self.alarms = 0
        self.take_over(start or Normal())

    def take_over(self, fresh: Normal) -> None:
        self.normal = fresh
        self.distances: PSquare | None = None
        self.over = self.under = 0
        self.alarm = False

    def limit(self, r: float) -> float:
        if self.normal.count < SETTLING:
            return 0.0
        if self.distances is None or self.distances.count < FEWEST_TAILS / r:
            return hotelling_limit(self.normal.count, r)
        return max(self.distances.value, LEAST_LIMIT)

    def update(self, error: float, v: ArrayLike, rule: Rule) -> Verdict:
        score = distance = 0.0
        settled = self.normal.count >= SETTLING
        if not rule.two_sided:
            score = 0.0 if error == 0 else error / rule.threshold if rule.threshold else np.inf
        elif settled:
            distance = self.normal.squared_distance(v)
            score = distance / self.limit(rule.false_rate)
        anomaly = score > 1
        self.over, self.under = (self.over + 1, 0) if anomaly else (0, self.under + 1)
        began = not self.alarm and self.over >= rule.raise_windows
        ended = self.alarm and self.under >= rule.clear_windows
        self.alarm = (self.alarm or began) and not ended
        self.alarms += began
        if rule.two_sided and rule.learn and self.over <= 1 and (not self.alarm or began):
            if settled:
                if self.distances is None:
                    self.distances = PSquare(1 - rule.false_rate)
                self.distances.update(distance)
            away = np.asarray(v, float) - self.normal.mean
            self.normal.update(self.normal.mean + away / np.sqrt(max(score, 1.0)), rule.horizon)
        return Verdict(score, anomaly, self.alarm, began, ended)


# --- what moves slowly -----------------------------------------------------------------------


def cusum(z: ArrayLike, delta: float) -> Array:
    """Page's two sums after each value, (n, 2): up and down."""
    sums = np.zeros(2)
    out = []
    for value in np.clip(np.asarray(z, float), -5, 5):
        sums = np.maximum(0, sums + np.array([value, -value]) - delta)
        out.append(sums)
    return np.array(out)


def moving_means(x: ArrayLike, windows: int) -> Array:
    """The plain mean of up to `windows` rows, then an exponential one with weight 1 / windows."""
    mean = np.zeros(np.shape(x)[1])
    out = []
    for n, row in enumerate(np.asarray(x, float), 1):
        mean = mean + (row - mean) / min(n, windows)
        out.append(mean)
    return np.array(out)


def angle_deg(a: Array, b: Array) -> float:
    """Between two directions: by atan2, which is accurate for small and large angles alike."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), np.dot(a, b))))


# --- something new ---------------------------------------------------------------------------


@dataclass
class Event:
    number: int
    windows: list[int]  # of the unknown ones, their place in the stream
    peak: float


def unknown_events(
    unknown: NDArray[np.bool_], novelty: NDArray[np.float32], least: int
) -> tuple[list[Event], list[int]]:
    """Every event of a stream, and the windows with which one ended."""
    events: list[Event] = []
    ended: list[int] = []
    run: list[int] = []
    quiet: int | None = None  # known windows in a row, while an event is open
    for i, is_unknown in enumerate(unknown):
        if quiet is not None:
            quiet = 0 if is_unknown else quiet + 1
            if is_unknown:
                events[-1].windows.append(i)
                events[-1].peak = max(events[-1].peak, float(novelty[i]))
            elif quiet == least:
                ended.append(i)
                quiet, run = None, []
            continue
        run = [*run, i] if is_unknown else []
        if len(run) == least:
            events.append(Event(len(events) + 1, run, max(float(novelty[j]) for j in run)))
            quiet = 0
    return events, ended


# --- fine-tuning -----------------------------------------------------------------------------


class LeastSquares:
    """Recursive least squares (Haykin, table 10.1), all outputs at once; weights (n_out, n)."""

    def __init__(self, weights: ArrayLike, gain: float) -> None:
        self.weights = np.array(weights, float)
        self.p = gain * np.eye(self.weights.shape[1])

    def step(self, a: ArrayLike, target: ArrayLike, forgetting: float) -> None:
        a = np.asarray(a, float)
        pa = self.p @ a
        g = pa / (forgetting + a @ pa)
        self.weights += np.outer(np.asarray(target, float) - self.weights @ a, g)
        self.p = (self.p - np.outer(g, pa)) / forgetting


def ridge(
    inputs: ArrayLike, targets: ArrayLike, start: ArrayLike, gain: float, forgetting: float
) -> Array:
    """The weights (n_out, n) that recursive least squares must arrive at after these N steps:
    the minimum of sum_i l^(N - i) |t_i - W a_i|^2 + l^N / gain |W - start|^2.
    """
    a, t, w0 = (np.asarray(x, float) for x in (inputs, targets, start))
    n, d = a.shape
    weights = forgetting ** np.arange(n - 1, -1, -1)
    prior = forgetting**n / gain * np.eye(d)
    normal = (a * weights[:, None]).T @ a + prior
    return np.linalg.solve(normal, (a * weights[:, None]).T @ t + prior @ w0.T).T


XORSHIFT_SEED = 2463534242


def xorshift32(state: int) -> int:
    """Marsaglia (2003)."""
    state ^= state << 13 & 0xFFFFFFFF
    state ^= state >> 17
    return state ^ (state << 5 & 0xFFFFFFFF)


class Reservoir:
    """Vitter's algorithm R over the numbers of what was offered."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rows: list[int] = []
        self.seen = 0
        self.random = XORSHIFT_SEED

    def _below(self, n: int) -> int:
        self.random = xorshift32(self.random)
        return self.random * n >> 32

    def add(self) -> None:
        number = self.seen
        self.seen += 1
        if len(self.rows) < self.limit:
            self.rows.append(number)
        elif (row := self._below(self.seen)) < self.limit:
            self.rows[row] = number

    def draw(self) -> int:
        return self._below(len(self.rows))
