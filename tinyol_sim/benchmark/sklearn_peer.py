"""scikit-learn: StandardScaler and SGDClassifier(loss="log_loss"), partial_fit for every row."""

from __future__ import annotations

import importlib.metadata
from functools import partial
from typing import Any

import numpy as np

from .contest import Answers, Peer, PeerMissingError, Work
from .jobs import ROWS, RowJob


def load_sklearn() -> Any:
    """The package, with what is used of it.

    Raises:
        PeerMissingError: it is not installed.
    """
    try:
        import sklearn.linear_model
        import sklearn.preprocessing
    except ImportError:
        raise PeerMissingError("not installed: pip install 'tinyol[bench]'") from None
    return sklearn


def _version() -> str:
    """Of the package."""
    return importlib.metadata.version("scikit-learn")


def _work(job: RowJob, what: str) -> Work:
    """The job from the beginning."""
    sklearn = load_sklearn()
    scaler = sklearn.preprocessing.StandardScaler()
    regression = sklearn.linear_model.SGDClassifier(
        loss="log_loss",
        penalty=None,
        fit_intercept=False,
        learning_rate="constant",
        eta0=job.rate,
    )
    return partial(_run, scaler, regression, job)


def _run(scaler: Any, regression: Any, job: RowJob) -> Answers:
    classes = np.arange(len(job.classes))
    predicted = np.full(len(job.features), -1, np.int64)
    for i in range(len(job.features)):
        row = job.features[i : i + 1]
        scaled = scaler.partial_fit(row).transform(row)
        if i > 0:  # before the first lesson it cannot predict
            predicted[i] = regression.predict(scaled)[0]
        if job.labels[i] >= 0:
            regression.partial_fit(scaled, job.labels[i : i + 1], classes)
    return Answers(predicted)


PEER: Peer[RowJob] = Peer(
    "scikit-learn",
    (ROWS,),
    load_sklearn,
    _version,
    _work,
    "one classifier a class against the rest, no softmax",
)
