"""Windows in numpy float64: what the core's Windower cuts, for whole recordings at once.

The core (firmware/lib/tinyol/src/tinyol/windower.cpp) computes in float32, sample by sample; the
two agree to float32's precision. Training and plots use this one; the twin uses the core itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.model_image import Pipeline
from tinyol_sim.recordings import Recording

Floats = NDArray[np.float64]
MIN_WINDOW_VARIANCE = 1e-12  # g^2, as in the core


def window_starts(recording: Recording, window_len: int, hop: int) -> NDArray[np.int64]:
    """The first sample of each window, (w,); windows begin anew behind every gap."""
    borders = [0, *recording.gaps.tolist(), recording.n_samples]
    pieces = [np.arange(a, b - window_len + 1, hop) for a, b in pairwise(borders)]
    return np.concatenate(pieces).astype(np.int64)


def window_labels(
    recording: Recording, starts: NDArray[np.int64], window_len: int
) -> NDArray[np.int16]:
    """The label that all samples of a window share, (w,); -1 where there is none."""
    labels = recording.labels
    if not len(starts):
        return np.empty(0, np.int16)
    run = np.cumsum(np.diff(labels, prepend=labels[:1]) != 0)  # number of each sample's stretch
    pure = run[starts] == run[starts + window_len - 1]
    return np.where(pure, labels[starts], np.int16(-1))


def cut(values: NDArray[np.floating[Any]], starts: NDArray[np.int64], window_len: int) -> Floats:
    """Windows of (n, c) values, (w, window_len, c)."""
    windows: Floats = values.astype(np.float64)[starts[:, None] + np.arange(window_len)]
    return windows


def channels(samples: NDArray[np.float32], pipeline: Pipeline) -> Floats:
    """What the net sees of each sample, in g: (n, 1) projected, or (n, 3)."""
    xyz = samples.astype(np.float64)
    if pipeline.axes == "all":
        return xyz
    return xyz @ np.asarray(pipeline.projection, np.float64)[:, None]


def net_inputs(
    samples: NDArray[np.float32], starts: NDArray[np.int64], pipeline: Pipeline
) -> Floats:
    """Normalised windows, (w, n_inputs), channels interleaved: (channel - centre) scale + offset.

    The centre is the window's own mean or the pipeline's, as `pipeline.centring` says.
    """
    windows = cut(channels(samples, pipeline), starts, pipeline.window_len)
    n = pipeline.n_channels
    if pipeline.centring == "window":
        centred = windows - windows.mean(axis=1, keepdims=True)
    else:
        centred = windows - np.asarray(pipeline.centre[:n])
    scaled = centred * np.asarray(pipeline.scale[:n]) + pipeline.offset
    return np.asarray(scaled).reshape(len(starts), pipeline.n_inputs)


def log_variances(
    samples: NDArray[np.float32], starts: NDArray[np.int64], pipeline: Pipeline
) -> Floats:
    """ln of each window's variance about its own mean, g^2, summed over the channels: (w,)."""
    windows = cut(channels(samples, pipeline), starts, pipeline.window_len)
    variance = windows.var(axis=1).sum(axis=1)
    return np.asarray(np.log(np.maximum(variance, MIN_WINDOW_VARIANCE)))
