"""How well a score tells two groups apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def roc_auc(negatives: ArrayLike, positives: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive's score is above a negative's.

    Equal scores count half. This is the Mann-Whitney U statistic over its maximum, from average
    ranks. NaN where either group is empty.
    """
    low, high = (np.asarray(x, np.float64).ravel() for x in (negatives, positives))
    if not len(low) or not len(high):
        return float("nan")
    _, place, counts = np.unique(
        np.concatenate([low, high]), return_inverse=True, return_counts=True
    )
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    u = ranks[len(low) :].sum() - len(high) * (len(high) + 1) / 2
    return float(u / (len(low) * len(high)))
