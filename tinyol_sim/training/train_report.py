"""How good a trained model is on held-out windows: float net against int8 net on the core."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import TinyOLError
from tinyol_sim.training.roc import roc_auc
from tinyol_sim.training.training_set import TrainingSet
from tinyol_sim.twin import Twin

Floats = NDArray[np.float64]
ALL_NORMAL = "(unlabelled)"


@dataclass(frozen=True)
class StateFigures:
    """Held-out windows of one label.

    Errors are mean squared errors in squared units of the normalised input. auc_float and
    auc_int8 say how well the error tells this state from normal (area under the ROC curve);
    None for normal itself.
    """

    label: str
    normal: bool
    windows: int
    error_float: float
    error_int8: float
    auc_float: float | None
    auc_int8: float | None
    above_threshold: float  # share of the windows
    auc_score: float | None  # as auc_int8, of the two-sided detector's score
    anomalies: float  # share of the windows whose score is above 1


@dataclass(frozen=True)
class TrainReport:
    """What `tinyol train` prints, and what a bundle keeps as its figures."""

    model_id: str
    rate_hz: float
    training_windows: int  # normal
    held_out_windows: int  # normal
    explained_variance: float | None  # by the projection; None with all axes
    training_loss: float  # of the last epoch
    tflite_bytes: int
    threshold: float
    reconstruction_learning_rate: float
    auc_float: float | None  # normal against all other labels together
    auc_int8: float | None
    auc_score: float | None  # the same of the two-sided detector's score
    states: tuple[StateFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able values, numbers to six significant digits."""
        figures: dict[str, Any] = round_figures(asdict(self))
        return figures


@dataclass(frozen=True, eq=False)
class WindowErrors:
    """Reconstruction errors of every window of a training set, (w,) each."""

    float_net: Floats
    int8_net: Floats  # of the frozen net, run by the core
    in_force: Floats  # what the device holds against its threshold
    score: Floats  # of the two-sided detector, which has learned training's normal windows only


def window_errors(bundle: Bundle, found: TrainingSet, float_net: Floats) -> WindowErrors:
    """Runs the core over all windows of a training set; the bundle must have its hop."""
    twin = Twin(bundle)
    twin.set("anomaly.learn", 0.0)
    twin.set("anomaly.detector", 1.0)
    seen = twin.feed(found.recording.samples, gaps=found.recording.gaps)
    starts = seen.sample_index - (bundle.pipeline.window_len - 1)
    if not np.array_equal(starts, found.starts):
        raise TinyOLError("the core refused windows of these recordings: their errors overflow")
    columns = (seen.error, seen.tuned_error, seen.score)
    return WindowErrors(float_net, *(column.astype(np.float64) for column in columns))


def state_figures(
    found: TrainingSet, errors: WindowErrors, threshold: float
) -> tuple[StateFigures, ...]:
    """One entry for normal, then one for each other label with held-out windows."""
    groups = [(", ".join(found.normal_names) or ALL_NORMAL, True, found.normal)]
    groups += [(name, False, found.of(name)) for name in found.other_names]
    normal = found.normal & found.held_out
    figures = []
    for label, is_normal, members in groups:
        mask = members & found.held_out
        if not np.any(mask):
            continue
        figures.append(
            StateFigures(
                label=label,
                normal=is_normal,
                windows=int(mask.sum()),
                error_float=float(errors.float_net[mask].mean()),
                error_int8=float(errors.int8_net[mask].mean()),
                auc_float=None if is_normal else _auc(errors.float_net, normal, mask),
                auc_int8=None if is_normal else _auc(errors.int8_net, normal, mask),
                above_threshold=float(np.mean(errors.in_force[mask] > threshold)),
                auc_score=None if is_normal else _auc(errors.score, normal, mask),
                anomalies=float(np.mean(errors.score[mask] > 1)),
            )
        )
    return tuple(figures)


def pooled_auc(found: TrainingSet, errors: Floats) -> float | None:
    """Normal against all other labels together; None where there are none."""
    others = found.held_out & (found.labels >= 0) & ~found.normal
    return _auc(errors, found.normal & found.held_out, others) if np.any(others) else None


def round_figures(value: Any) -> Any:
    """Floats to six significant digits, in dicts and lists too."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: round_figures(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [round_figures(item) for item in value]
    return value


def _auc(errors: Floats, negatives: NDArray[np.bool_], positives: NDArray[np.bool_]) -> float:
    return roc_auc(errors[negatives], errors[positives])
