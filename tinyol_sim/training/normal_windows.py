"""What normal was in training, measured through the device's own code: the bundle's NormalStart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.bundle import Bundle
from tinyol_sim.normal_start import NormalStart, feature_len
from tinyol_sim.training.training_set import TrainingSet
from tinyol_sim.twin import Twin

MIN_ERROR = 1e-12  # as in the core
# Of a feature's default prior: one that stood still in training may still move in the field.
LEAST_SHARE = 1e-3


def normal_start(bundle: Bundle, found: TrainingSet) -> NormalStart:
    """Mean and covariance of (ln error, ln variance), and each feature's variance in one state.

    From the windows that the device itself cuts, at the bundle's hop, which lie in the training
    part and are normal. The error is the one in force before any fine-tuning. Where several
    labels are normal, a feature's variance is the mean of theirs. Nothing is known, and the
    priors are those of NormalStart.unknown, where fewer than two windows are left.
    """
    seen = Twin(bundle).feed(found.recording.samples, gaps=found.recording.gaps)
    chosen = _inside(seen.sample_index, found, bundle.pipeline.window_len)
    pipeline = bundle.pipeline
    d = seen.features.shape[1]
    lengths = {name: feature_len(name, 0) for name in pipeline.features}
    if "embedding" in lengths:
        lengths["embedding"] = d - sum(lengths.values())
    default = NormalStart.unknown(pipeline.features, lengths.get("embedding", 0))
    if np.sum(chosen) < 2:
        return default
    error = np.log(np.maximum(seen.tuned_error[chosen].astype(np.float64), MIN_ERROR))
    pairs = np.stack([error, seen.log_variance[chosen].astype(np.float64)])
    (ee, ev), (_, vv) = np.cov(pairs, bias=True)
    features = seen.features[chosen].astype(np.float64)
    labels = found.recording.labels[seen.sample_index[chosen]]
    return NormalStart(
        count=int(chosen.sum()),
        mean=pairs.mean(axis=1).astype(np.float32),
        covariance=np.array([ee, ev, vv], np.float32),
        prior=np.maximum(_within(features, labels), LEAST_SHARE * default.prior),
    )


def _inside(last: NDArray[np.int64], found: TrainingSet, window_len: int) -> NDArray[np.bool_]:
    """Windows (w,), by their last sample, that lie in normal training windows altogether."""
    inside = np.zeros(found.recording.n_samples + 1, np.int64)
    for start in found.starts[found.normal & found.training]:
        inside[start + 1 : start + 1 + window_len] = 1
    upto = np.cumsum(inside)
    return np.asarray(upto[last + 1] - upto[last + 1 - window_len] == window_len)


def _within(features: NDArray[np.float64], labels: NDArray[np.int16]) -> NDArray[np.float32]:
    squares = np.zeros(features.shape[1])
    for label in np.unique(labels):
        of_label = features[labels == label]
        squares += len(of_label) * of_label.var(axis=0)
    return np.asarray(squares / len(features), np.float32)
