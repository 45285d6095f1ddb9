"""The paper's pipeline around an interpreter, as one who knows numpy writes it.

Vectorised within a window; one window after the other, since each is predicted with what the ones
before it taught. What does not depend on learning and costs numpy least in one go is done ahead:
the axes' projection of the whole recording, and the windows' labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..frozen_net.tflite_model import Tensor
from ..model_image import Pipeline
from .contest import Answers, Work
from .jobs import INFERENCE, LEARNING, TUNING, NetFacts, Singles, WindowJob

EMBEDDING, HIDDEN, RECONSTRUCTION = range(3)


class Interpreter(Protocol):
    """A loaded model whose outputs are EMBEDDING, HIDDEN and RECONSTRUCTION."""

    def run(self, values: NDArray[Any], wanted: Sequence[int]) -> list[NDArray[Any]]:
        """One window in the input's own type, (n,), and the outputs asked for, (n,) each."""


def numpy_work(job: WindowJob, what: str, load: Callable[[bytes], Interpreter]) -> Work:
    """The job from the beginning, with the model loaded by `load`."""
    facts = NetFacts.of(job.bundle)
    pipeline = _NumpyPipeline(job, facts, load(facts.model))
    return {
        INFERENCE: pipeline.infer,
        LEARNING: pipeline.learn,
        TUNING: pipeline.fine_tune,
    }[what]


def quantise(x: Singles, tensor: Tensor) -> NDArray[Any]:
    """In the tensor's own numbers: int8, or as they are."""
    if tensor.type == "FLOAT32":
        return x
    scaled = np.rint(x / np.float32(tensor.scale)) + tensor.zero_point
    whole: NDArray[Any] = np.clip(scaled, -128, 127).astype(np.int8)
    return whole


def dequantise(q: NDArray[Any], tensor: Tensor) -> Singles:
    """In real ones."""
    if tensor.type == "FLOAT32":
        return q
    return (q.astype(np.float32) - np.float32(tensor.zero_point)) * np.float32(tensor.scale)


def channels_of(samples: Singles, pipeline: Pipeline) -> Singles:
    """(n, channels): the samples themselves, or their projection."""
    if pipeline.axes == "all":
        return samples
    return (samples @ np.array(pipeline.projection, np.float32))[:, None]


class SoftmaxLearner:
    """Running mean and variance, and softmax regression by SGD: eq. (6) to (8) of the paper."""

    def __init__(self, n_features: int, n_classes: int, rate: float, horizon: float) -> None:
        self.count, self.horizon, self.rate = 0, horizon, np.float32(rate)
        self.mean, self.variance = np.zeros((2, n_features), np.float32)
        self.weights = np.zeros((n_classes, n_features), np.float32)

    @classmethod
    def of(cls, job: WindowJob, n_features: int) -> SoftmaxLearner:
        """With the twin's rate and horizon."""
        rate, horizon = job.setting("classifier.learning_rate"), job.setting("statistics.horizon")
        return cls(n_features, job.n_classes, rate, horizon)

    def step(self, features: Singles, truth: int) -> int:
        """One row: predicted, then learned if truth >= 0; returns the class predicted."""
        self.count += 1
        share = np.float32(1 / min(self.count, self.horizon))
        before = features - self.mean
        self.mean += before * share
        self.variance += (before * (features - self.mean) - self.variance) * share
        deviation = np.sqrt(self.variance)
        deviation[deviation == 0] = np.inf
        scaled = (features - self.mean) / deviation
        scores = self.weights @ scaled
        p = np.exp(scores - scores.max())
        p /= p.sum()
        predicted = int(p.argmax())
        if truth >= 0:
            p[truth] -= 1
            self.weights -= np.outer(self.rate * p, scaled)
        return predicted


class _NumpyPipeline:
    def __init__(self, job: WindowJob, facts: NetFacts, net: Interpreter) -> None:
        self.job, self.facts, self.net = job, facts, net
        self.truths = job.window_labels().tolist()
        pipeline = facts.pipeline
        self.length, self.hop = pipeline.window_len, pipeline.hop
        channels = pipeline.n_channels
        self.centre = np.array(pipeline.centre[:channels], np.float32)
        self.scale = np.array(pipeline.scale[:channels], np.float32)
        self.own_mean = pipeline.centring == "window"
        self.offset = np.float32(pipeline.offset)

    def _window(self, channels: Singles, i: int) -> Singles:
        window = channels[i * self.hop : i * self.hop + self.length]
        centre = window.mean(axis=0) if self.own_mean else self.centre
        return ((window - centre) * self.scale + self.offset).ravel()

    def _taps(self, x: Singles, *wanted: int) -> list[NDArray[Any]]:
        return self.net.run(quantise(x, self.facts.input), wanted)

    def infer(self) -> Answers:
        facts = self.facts
        channels = channels_of(self.job.samples, facts.pipeline)
        errors = np.empty(self.job.n_windows)
        for i in range(len(errors)):
            x = self._window(channels, i)
            _, reconstruction = self._taps(x, EMBEDDING, RECONSTRUCTION)
            off = x - dequantise(reconstruction, facts.reconstruction)
            errors[i] = off @ off / len(off)
        return Answers(error=errors)

    def learn(self) -> Answers:
        facts, job = self.facts, self.job
        channels = channels_of(job.samples, facts.pipeline)
        d = facts.embedding.length + 1
        learner = SoftmaxLearner.of(job, d)
        features = np.empty(d, np.float32)
        predicted = np.empty(job.n_windows, np.int64)
        for i, truth in enumerate(self.truths):
            x = self._window(channels, i)
            embedding, reconstruction = self._taps(x, EMBEDDING, RECONSTRUCTION)
            off = x - dequantise(reconstruction, facts.reconstruction)
            features[:-1] = dequantise(embedding, facts.embedding)
            features[-1] = off @ off / len(off)
            predicted[i] = learner.step(features, truth)
        return Answers(predicted=predicted)

    def fine_tune(self) -> Answers:
        """The last layer in float32, by squared error, the window being its own truth."""
        facts = self.facts
        channels = channels_of(self.job.samples, facts.pipeline)
        weights, bias = facts.weights.copy(), facts.bias.copy()
        rate = np.float32(self.job.setting("reconstruction.learning_rate"))
        errors = np.empty(self.job.n_windows)
        for i in range(len(errors)):
            x = self._window(channels, i)
            hidden = dequantise(self._taps(x, HIDDEN)[0], facts.hidden)
            off = weights @ hidden + bias - x
            errors[i] = off @ off / len(off)
            weights -= np.outer(rate * off, hidden)
            bias -= rate * off
        return Answers(error=errors)
