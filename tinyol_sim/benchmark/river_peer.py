"""river: StandardScaler | SoftmaxRegression, predict_one and learn_one for every row."""

from __future__ import annotations

import importlib.metadata
from functools import partial
from typing import Any

import numpy as np

from .contest import Answers, Peer, PeerMissingError, Work
from .jobs import ROWS, RowJob


def load_river() -> Any:
    """The package, with what is used of it.

    Raises:
        PeerMissingError: it is not installed.
    """
    try:
        import river.compose
        import river.linear_model
        import river.optim
        import river.preprocessing
    except ImportError:
        raise PeerMissingError("not installed: pip install 'tinyol[bench]'") from None
    return river


def _version() -> str:
    """Of the package."""
    return importlib.metadata.version("river")


def _work(job: RowJob, what: str) -> Work:
    """The job from the beginning; the rows are dicts already, as a stream of river's has them.

    It knows the classes from the beginning, as the twin does: by itself it meets them one by one.
    While it predicts, the scaler learns: the statistics then have each row once, before it is
    predicted, as in the paper's Algorithm 1.
    """
    river = load_river()
    rows = [dict(enumerate(row)) for row in job.features.tolist()]
    regression = river.linear_model.SoftmaxRegression(river.optim.SGD(job.rate))
    for label in range(len(job.classes)):
        regression.weights[label].update(dict.fromkeys(rows[0], 0.0))
    model = river.preprocessing.StandardScaler() | regression
    return partial(_run, river, model, rows, job.labels.tolist())


def _run(river: Any, model: Any, rows: list[dict[int, float]], labels: list[int]) -> Answers:
    predicted = []
    with river.compose.learn_during_predict():
        for row, label in zip(rows, labels, strict=True):
            predicted.append(model.predict_one(row))
            if label >= 0:
                model.learn_one(row, label)
    return Answers(np.array(predicted))


PEER: Peer[RowJob] = Peer(
    "river",
    (ROWS,),
    load_river,
    _version,
    _work,
)
