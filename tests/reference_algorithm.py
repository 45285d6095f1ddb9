"""The whole learner, window by window, in float64: the parts' references put together.

Algorithm 1 of the paper, with both heads (reference_heads.py), the anomaly detector and the drift
monitor (reference_watch.py). Rehearsal and the two quicker fine-tuning rules are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from reference_heads import TRUSTED, UNTRIED, YOUNG, GaussianClass
from reference_learner import (
    LINEAR_SQUARED,
    ReferenceWindow,
    Rule,
    RunningStats,
    TapValues,
    reconstruction,
    reconstruction_delta,
    sgd_step,
    softmax,
    standardise,
)
from reference_watch import LEAST_VARIANCE, SETTLING, Detector, PSquare, Verdict, angle_deg
from reference_watch import Rule as WatchRule

Array = NDArray[np.float64]
LEAST_LIMIT = 1e-3
LEAST_PROBABILITY = 1e-7
MOST_Z = 5.0
RELEASE = 0.7


@dataclass(frozen=True, eq=False)
class Lesson:
    """What became of one window; predicted is None where nothing was learned yet."""

    error: float
    tuned_error: float
    features: Array
    probabilities: Array
    loss: float
    novelty: float
    verdict: Verdict
    moved: bool
    changed: bool


class TaughtClass:
    """A class of both heads."""

    def __init__(self, prior: Array, full: bool, false_rate: float) -> None:
        self.gaussian = GaussianClass(prior, full=full)
        self.quantile = PSquare(1 - false_rate)
        self.weight = 1.0
        self.softmax = np.zeros(len(prior))
        self.bias = 0.0
        self.softmax_lessons = 0

    def limit(self) -> float:
        """The largest squared distance that counts as this class; 0 while it is young."""
        if self.gaussian.lessons < YOUNG:
            return 0.0
        if self.quantile.count < TRUSTED:
            return UNTRIED * len(self.gaussian.prior)
        return max(self.quantile.value, LEAST_LIMIT)


@dataclass
class Drift:
    """DriftMonitor with its settings as they start, save those given."""

    windows: int = 20
    tilt_deg: float = 5.0
    level_g: float = 0.1
    delta: float = 0.5
    most: float = 50.0
    count: int = 0
    reference: Array = field(default_factory=lambda: np.zeros(3))
    recent: Array = field(default_factory=lambda: np.zeros(3))
    moved: bool = False
    sums: Array = field(default_factory=lambda: np.zeros(2))
    changed: bool = False

    def update(self, gravity: Array, z: float | None) -> None:
        self.count += 1
        self.recent = self.recent + (gravity - self.recent) / min(self.count, self.windows)
        if self.count <= self.windows:
            self.reference = self.recent
        else:
            share = RELEASE if self.moved else 1.0
            longer = abs(np.linalg.norm(self.recent) - np.linalg.norm(self.reference))
            turned = angle_deg(self.reference, self.recent)
            self.moved = bool(turned > share * self.tilt_deg or longer > share * self.level_g)
        if z is not None:
            cut = np.clip(z, -MOST_Z, MOST_Z)
            steps = np.array([cut, -cut]) - self.delta
            self.sums = np.maximum(0, self.sums + steps)
            self.changed = self.changed or bool(self.sums.max() > self.most)


@dataclass
class Learner:
    """All that a device learns; features: names, as a bundle's pipeline has them."""

    net: Callable[[Array], TapValues]
    weights: Array  # of the decoder's last layer, where fine-tuning starts
    bias: Array
    prior: Array  # (d,)
    features: Sequence[str]
    horizon: int = 16384
    reconstruction_rule: Rule = field(default_factory=lambda: Rule(learning_rate=0.01))
    classifier_rule: Rule = field(default_factory=Rule)
    loss: int = LINEAR_SQUARED
    tuned_feature: bool = False
    gaussian_head: bool = True
    full: bool = False
    biased: bool = True
    balanced: bool = True
    gaussian_horizon: int = 4096
    prior_count: float = 2.0
    unknown_rate: float = 0.05
    watch: WatchRule = field(default_factory=WatchRule)
    tuning_steps: int = 0
    classifier_steps: int = 0
    statistics: RunningStats | None = None
    classes: list[TaughtClass] = field(default_factory=list)
    detector: Detector = field(default_factory=Detector)
    drift: Drift = field(default_factory=Drift)

    def add_class(self) -> None:
        self.classes.append(self._new_class())

    def remove_class(self, index: int) -> None:
        del self.classes[index]

    def restart_class(self, index: int) -> None:
        weight = self.classes[index].weight
        self.classes[index] = self._new_class()
        self.classes[index].weight = weight

    def _new_class(self) -> TaughtClass:
        return TaughtClass(self.prior, self.full, self.unknown_rate)

    def process(self, window: ReferenceWindow, truth: int, fine_tune: bool) -> Lesson:
        error, tuned_error, embedding = self._reconstruct(window, fine_tune)
        seen = tuned_error if self.tuned_feature else error
        values = {
            "embedding": embedding,
            "error": [seen],
            "log_error": [np.log(max(seen, 1e-12))],
            "log_variance": [window.log_variance],
            "axis_log_variance": window.axis_log_variance,
        }
        features = np.concatenate([values[n] for n in values if n in self.features])
        if self.statistics is None:
            zeros = np.zeros(len(features))
            self.statistics = RunningStats(self.horizon, mean=zeros, variance=zeros)
        self.statistics.update(features)
        probabilities, loss, novelty = self.predict(features), 0.0, self.novelty(features)
        if truth >= 0:
            if probabilities.any():
                loss = float(-np.log(max(probabilities[truth], LEAST_PROBABILITY)))
            self.learn(features, truth)
        verdict = self._watch(window, tuned_error)
        moved, changed = self.drift.moved, self.drift.changed
        return Lesson(
            error, tuned_error, features, probabilities, loss, novelty, verdict, moved, changed
        )

    def _reconstruct(self, window: ReferenceWindow, fine_tune: bool) -> tuple[float, float, Array]:
        taps = self.net(window.inputs)
        error = tuned_error = float(np.mean((window.inputs - taps.reconstruction) ** 2))
        if fine_tune or self.tuning_steps or self.tuned_feature:
            output = reconstruction(self.weights, self.bias, taps.hidden, self.loss)
            tuned_error = float(np.mean((window.inputs - output) ** 2))
        if fine_tune:
            delta = reconstruction_delta(output, window.inputs, self.loss)
            rule, t = self.reconstruction_rule, self.tuning_steps
            stepped = sgd_step(self.weights, self.bias, taps.hidden, delta, rule, t)
            if stepped is not None and stepped[1] is not None:
                self.weights, self.bias = stepped[0], stepped[1]
                self.tuning_steps += 1
        return error, tuned_error, taps.embedding

    def _watch(self, window: ReferenceWindow, error: float) -> Verdict:
        v = np.array([np.log(max(error, 1e-12)), window.log_variance])
        normal, z = self.detector.normal, None
        if normal.count >= SETTLING:
            z = (v[0] - normal.mean[0]) / np.sqrt(max(normal.covariance[0, 0], LEAST_VARIANCE))
        learn = self.watch.learn and not self.drift.changed
        verdict = self.detector.update(error, v, replace(self.watch, learn=learn))
        self.drift.update(window.mean, None if verdict.alarm else z)
        return verdict

    def predict(self, features: Array) -> Array:
        """Probabilities of the head in use, (k,); zeros where it knows nothing."""
        if not self.gaussian_head:
            return self._softmax(features)
        p = np.zeros(len(self.classes))
        taught = [i for i, c in enumerate(self.classes) if c.gaussian.lessons]
        if taught:
            p[taught] = softmax([self._log_likelihood(self.classes[i], features) for i in taught])
        return p

    @staticmethod
    def _log_likelihood(of: TaughtClass, features: Array) -> float:
        d2 = of.gaussian.squared_distance(features)
        return float(np.log(of.weight) - (of.gaussian.log_det + d2) / 2)

    def _softmax(self, features: Array) -> Array:
        if not self.classes:
            return np.zeros(0)
        scaled = self._scaled(features)
        return softmax([c.softmax @ scaled + c.bias for c in self.classes])

    def novelty(self, features: Array) -> float:
        """The least share that a distance is of its class's limit."""
        taught = [c for c in self.classes if c.gaussian.lessons]
        if not taught or any(c.gaussian.lessons < YOUNG for c in taught):
            return 0.0
        return min(c.gaussian.squared_distance(features) / c.limit() for c in taught)

    def learn(self, features: Array, truth: int) -> None:
        """One lesson for both heads."""
        self._learn_gaussian(self.classes[truth], features)
        taught = self.classes[truth]
        taught.softmax_lessons += 1
        delta = self._softmax(features) - np.eye(len(self.classes))[truth]
        if self.balanced:
            mean = np.mean([c.softmax_lessons for c in self.classes])
            delta = delta * np.clip(mean / taught.softmax_lessons, 0.1, 10)
        weights = np.array([c.softmax for c in self.classes])
        bias = np.array([c.bias for c in self.classes]) if self.biased else None
        rule, t = self.classifier_rule, self.classifier_steps
        stepped = sgd_step(weights, bias, self._scaled(features), delta, rule, t)
        if stepped is None:
            return
        self.classifier_steps += 1
        for k, of in enumerate(self.classes):
            of.softmax = stepped[0][k]
            if stepped[1] is not None:
                of.bias = stepped[1][k]

    def _learn_gaussian(self, taught: TaughtClass, features: Array) -> None:
        if taught.gaussian.lessons >= YOUNG:
            taught.quantile.update(taught.gaussian.squared_distance(features))
        taught.gaussian.learn(features, self.gaussian_horizon, self.prior_count)

    def _scaled(self, features: Array) -> Array:
        assert self.statistics is not None
        return standardise(self.statistics.mean, self.statistics.variance, features)
