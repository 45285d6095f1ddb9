"""The same with all windows through the net in one batch: for a recording, not for a sensor.

The frozen net learns nothing, so who has the whole recording can run it ahead. What learns still
goes window by window; fine-tuning alone is left out here, its hidden layers being what is batched.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .contest import Answers, Peer, Work
from .jobs import INFERENCE, LEARNING, NetFacts, WindowJob
from .numpy_pipeline import SoftmaxLearner, channels_of, dequantise, quantise
from .tflite_runtime_peer import TfliteBatch, load_runtime, version


def _work(job: WindowJob, what: str) -> Work:
    """The job from the beginning."""
    facts = NetFacts.of(job.bundle)
    return partial(_run, job, facts, TfliteBatch(facts.model, job.n_windows), what)


def _run(job: WindowJob, facts: NetFacts, net: TfliteBatch, what: str) -> Answers:
    pipeline = facts.pipeline
    channels = channels_of(job.samples, pipeline)
    views = np.lib.stride_tricks.sliding_window_view(channels, pipeline.window_len, axis=0)
    windows = views[:: pipeline.hop].transpose(0, 2, 1)  # (n, length, channels)
    n_channels = pipeline.n_channels
    own_mean = pipeline.centring == "window"
    centre = windows.mean(axis=1, keepdims=True) if own_mean else pipeline.centre[:n_channels]
    scale = np.array(pipeline.scale[:n_channels], np.float32)
    scaled = (windows - np.asarray(centre, np.float32)) * scale + np.float32(pipeline.offset)
    x = scaled.reshape(len(scaled), -1)
    taps = net.run(quantise(x, facts.input))
    off = x - dequantise(taps[2], facts.reconstruction)
    errors = np.einsum("ij,ij->i", off, off) / off.shape[1]
    if what == INFERENCE:
        return Answers(error=errors.astype(np.float64))
    features = np.column_stack((dequantise(taps[0], facts.embedding), errors))
    learner = SoftmaxLearner.of(job, features.shape[1])
    steps = map(learner.step, features, job.window_labels().tolist())
    return Answers(predicted=np.fromiter(steps, np.int64, len(features)))


PEER: Peer[WindowJob] = Peer(
    "tflite-runtime, one batch",
    (INFERENCE, LEARNING),
    load_runtime,
    version,
    _work,
    "needs the whole recording before its first answer",
)
