"""How well a detector that knows only normal finds what is not, before and after a move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.bundle import Bundle
from tinyol_sim.evaluation.classification import windows_of
from tinyol_sim.evaluation.figures import Figure, window_text
from tinyol_sim.evaluation.models import Models
from tinyol_sim.evaluation.placement import carried, carry_map, turned, turns
from tinyol_sim.evaluation.roles import Plan
from tinyol_sim.evaluation.split import Split
from tinyol_sim.evaluation.states import Singles, State
from tinyol_sim.evaluation.streams import feed_windows, judge
from tinyol_sim.training.roc import roc_auc
from tinyol_sim.twin import Twin

HELD_OUT, TURNED, MOVED, CARRIED = (
    "anomalies, held-out files",
    "normal, the sensor turned by 2 degrees",
    "normal after the move",
    "anomalies carried to the new place",
)
TWO_SIDED, ERROR, PAPER_ERROR = "two-sided", "error", "the paper's error"
AUC = "AUC"
ABOVE, ALARMED, ALARMS = "windows above the limit", "windows under an alarm", "alarms"
MORE = "more windows above the limit"
CAUGHT = "anomalies above the limit"
POOLED = "all others together"


def detect(models: Models, split: Split, plan: Plan, seed: int) -> list[Figure]:
    """Held-out normal against all other states, nothing learned from either; and turned sensors."""
    figures = []
    report = split.report
    for bundle, column, case in (
        (models.ours, "score", TWO_SIDED),
        (models.ours, "error", ERROR),
        (models.paper, "error", PAPER_ERROR),
    ):
        seen = judge(Twin(bundle), windows_of(report, [plan.normal, *plan.others], bundle))
        window = window_text(bundle.pipeline)
        scores = [getattr(one, column) for one in seen]
        pooled = roc_auc(scores[0], np.concatenate(scores[1:]))
        figures.append(Figure(HELD_OUT, f"{case}: {POOLED}", AUC, pooled, seed, window))
        for name, score in zip(plan.others, scores[1:], strict=True):
            value = roc_auc(scores[0], score)
            figures.append(Figure(HELD_OUT, f"{case}: {name}", AUC, value, seed, window))
            if case == TWO_SIDED:
                caught = above(score)
                figures.append(Figure(HELD_OUT, f"{case}: {name}", CAUGHT, caught, seed, window))
    (normal,) = windows_of(report, [plan.normal], models.ours)
    window = window_text(models.ours.pipeline)
    straight = above(judge(Twin(models.ours), [normal])[0].score)
    figures.append(Figure(HELD_OUT, f"{TWO_SIDED}: {plan.normal}", ABOVE, straight, seed, window))
    for name, turn in turns():
        share = above(judge(Twin(models.ours), [turned(normal, turn)])[0].score)
        figures.append(Figure(TURNED, name, ABOVE, share, seed, window))
        figures.append(Figure(TURNED, name, MORE, share - straight, seed, window))
    return figures


def move(models: Models, split: Split, plan: Plan, seed: int) -> list[Figure]:
    """At the place of deployment: before, and behind a calibration begun at several places.

    A calibration takes `plan.calibrate_s` of recording from its start; judged are all the other
    windows, those behind it first, then those before its start, all once, learning as a device
    does. For the carried anomalies the detector stands still after the calibration.
    """
    assert plan.deploy is not None
    bundle = models.ours
    place = place_of(split, plan.deploy)
    (windows,) = windows_of({plan.deploy: place}, [plan.deploy], bundle)
    n_calibrate = calibration_windows(place, plan, bundle)
    before = judge(Twin(bundle), [windows])[0]
    window = window_text(bundle.pipeline)
    figures = [Figure(MOVED, "not calibrated", ABOVE, above(before.score), seed, window)]

    (here,) = windows_of(split.teach, [plan.normal], bundle)
    way, mean = carry_map(here, windows), windows.reshape(-1, 3).mean(axis=0, dtype=np.float64)
    others = windows_of(split.report, plan.others, bundle)
    anomalies = [carried(one, way, mean) for one in others]
    starts = np.unique(np.arange(plan.starts) * len(windows) // plan.starts)
    case = f"calibrated for {plan.calibrate_s:g} s"
    for start in starts.tolist():
        twin, rest = calibrated(bundle, windows, start, n_calibrate)
        seen = feed_windows(twin, rest)
        for name, value in (
            (ABOVE, above(seen.score)),
            (ALARMED, float(np.mean(seen.alarm))),
            (ALARMS, float(np.sum(np.diff(seen.alarm.astype(np.int8), prepend=0) == 1))),
        ):
            figures.append(Figure(MOVED, case, name, value, seed, window, f"window {start}"))
        figures += _carried_auc(bundle, windows, start, n_calibrate, anomalies, plan, seed)
    return figures


def _carried_auc(
    bundle: Bundle,
    windows: Singles,
    start: int,
    n_calibrate: int,
    anomalies: Sequence[Singles],
    plan: Plan,
    seed: int,
) -> list[Figure]:
    twin, rest = calibrated(bundle, windows, start, n_calibrate)
    seen = judge(twin, [rest, *anomalies])
    window, place = window_text(bundle.pipeline), f"window {start}"
    figures = []
    for column, case in (("score", TWO_SIDED), ("error", ERROR)):
        scores = [getattr(one, column) for one in seen]
        groups = [(POOLED, np.concatenate(scores[1:])), *zip(plan.others, scores[1:], strict=True)]
        for name, score in groups:
            found = {AUC: roc_auc(scores[0], score)}
            if case == TWO_SIDED:
                found[CAUGHT] = above(score)
            figures += [
                Figure(CARRIED, f"{case}: {name}", figure, value, seed, window, place)
                for figure, value in found.items()
            ]
    return figures


def calibrated(
    bundle: Bundle,
    windows: Singles,
    start: int,
    n_calibrate: int,
    fine_tune_steps: int = 0,
    settings: Mapping[str, float] | None = None,
) -> tuple[Twin, Singles]:
    """A twin calibrated on the windows from `start`, and all the windows that it has not seen.

    Those before `start` come last. Fine-tuning takes its steps before the calibration's windows.
    """
    ahead = np.roll(windows, -start, axis=0)
    twin = Twin(bundle)
    for name, value in (settings or {}).items():
        twin.set(name, value)
    twin.calibrate(n_calibrate, fine_tune_steps)
    used = n_calibrate + fine_tune_steps
    feed_windows(twin, ahead[:used])
    return twin, ahead[used:]


def calibration_windows(place: State, plan: Plan, bundle: Bundle) -> int:
    """How many windows `plan.calibrate_s` of this recording have."""
    pipeline = bundle.pipeline
    n = len(place.windows(pipeline.window_len, pipeline.hop))
    return round(n * plan.calibrate_s / place.duration_s)


def place_of(split: Split, name: str) -> State:
    """The place of deployment: both parts; where another folder reports, that one's alone."""
    first, second = split.teach[name], split.report[name]
    if split.apart:
        return second
    return State(name, first.rate_hz, first.pieces + second.pieces, first.source)


def above(score: NDArray[np.float32]) -> float:
    """The share of windows with a score above 1."""
    return float(np.mean(score > 1))
