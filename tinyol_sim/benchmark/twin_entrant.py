"""The twin: a whole device over a recording, and its softmax head alone over rows."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..bundle import Bundle
from ..online_classifier import SETTINGS_OF, OnlineClassifier
from ..settings import SETTINGS
from ..synth import MODES
from ..twin import Twin
from .contest import Answers, Entrant, Peer, Work
from .jobs import LEARNING, ROWS, TUNING, WINDOW_JOBS, RowJob, WindowJob
from .paper_bundle import at_hop, paper_bundle

PIECE = 1 << 19  # samples fed at once, so that results of many hours need no room


def row_job(job: WindowJob) -> RowJob:
    """The windows' features and labels, as a twin has them."""
    windows = _ready(job.bundle, LEARNING).feed(job.samples, job.labels)
    return RowJob(
        windows.features,
        windows.label,
        {**{name: info.initial for name, info in SETTINGS.items()}, **job.bundle.settings},
    )


def long_entrants(bundle: Bundle, job: WindowJob, longer: int) -> list[Entrant]:
    """The twin of the bundle and of its paper variant, over `longer` times the job's recording.

    After every sample, and at the bundle's own hop; the first of each three does inference alone.
    """
    samples, labels = np.tile(job.samples, (longer, 1)), np.tile(job.labels, longer)
    own = bundle.pipeline.hop
    entrants = []
    for name, variant in (
        ("bundle, hop 1", at_hop(bundle, 1)),
        (f"bundle, hop {own}", bundle),
        ("paper, hop 1", paper_bundle(bundle, hop=1)),
    ):
        long_job = WindowJob(variant, samples, labels)
        n = long_job.n_windows
        entrants += [
            Entrant(name, what, n, partial(_long_work, long_job, what)) for what in WINDOW_JOBS
        ]
    return entrants


def _ready(bundle: Bundle, what: str) -> Twin:
    """A twin that has learned nothing, told what the job is."""
    twin = Twin(bundle)
    if what == LEARNING:
        for name in MODES:
            twin.add_class(name)
    if what == TUNING:
        twin.fine_tune(None)
    return twin


def _window_work(job: WindowJob, what: str) -> Work:
    twin = _ready(job.bundle, what)

    def run() -> Answers:
        windows = twin.feed(job.samples, job.labels if what == LEARNING else None)
        predicted = windows.predicted.astype(np.int64) if what == LEARNING else None
        return Answers(predicted, windows.tuned_error.astype(np.float64))

    return run


def _long_work(job: WindowJob, what: str) -> Work:
    twin = _ready(job.bundle, what)

    def run() -> Answers:
        for first in range(0, len(job.samples), PIECE):
            piece = slice(first, first + PIECE)
            twin.feed(job.samples[piece], job.labels[piece] if what == LEARNING else None)
        return Answers()

    return run


def _whole_work(job: WindowJob, what: str) -> Work:
    twin = _ready(job.bundle, LEARNING)

    def run() -> Answers:
        windows = twin.feed(job.samples, job.labels)
        return Answers(windows.predicted.astype(np.int64))

    return run


def _head_work(job: RowJob, what: str) -> Work:
    head = OnlineClassifier(
        job.features.shape[1],
        len(job.classes),
        head="softmax",
        settings={name: job.settings[name] for name in SETTINGS_OF["softmax"]},
    )
    return lambda: Answers(head.learn(job.features, job.labels).predicted.astype(np.int64))


def _here() -> None:
    """It always is."""


def _this() -> str:
    """This one: no version to tell it by."""
    return ""


TWIN: Peer[WindowJob] = Peer("twin", WINDOW_JOBS, _here, _this, _window_work)
HEAD_ALONE: Peer[RowJob] = Peer("twin's softmax head", (ROWS,), _here, _this, _head_work)
WHOLE: Peer[WindowJob] = Peer(
    "twin, whole",
    (ROWS,),
    _here,
    _this,
    _whole_work,
    "from the samples on: it makes the features too",
)
