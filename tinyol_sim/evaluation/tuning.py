"""What fine-tuning brings at the place of deployment, with each rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyol_sim.bundle import Bundle
from tinyol_sim.evaluation.anomaly import (
    ABOVE,
    ALARMED,
    above,
    calibrated,
    calibration_windows,
    place_of,
)
from tinyol_sim.evaluation.classification import windows_of
from tinyol_sim.evaluation.figures import Figure, window_text
from tinyol_sim.evaluation.models import Models
from tinyol_sim.evaluation.roles import Plan
from tinyol_sim.evaluation.split import Split
from tinyol_sim.evaluation.states import Singles
from tinyol_sim.evaluation.streams import feed_windows
from tinyol_sim.twin import Twin

RULES = {"SGD": 0.0, "NLMS": 1.0, "RLS": 2.0}
RULE = "reconstruction.rule"
TUNING = "fine-tuning at the new place"
STEPS = "steps"
BEFORE, AFTER = "mean error before", "mean error after"
FIXED_BEFORE, FIXED_AFTER = "above the old threshold before", "above the old threshold after"
CALIBRATED_ABOVE, CALIBRATED_ALARMED = f"{ABOVE}, calibrated", f"{ALARMED}, calibrated"
CENTRINGS = {"ours": "window centring", "paper": "the paper's centring"}


def fine_tune(
    models: Models,
    split: Split,
    plan: Plan,
    seed: int,
    chosen: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Figure]:
    """Errors on the reporting part, before and after one step a window of the teaching part.

    Before is the frozen net, after is the fine-tuned layer, on the same windows. Then a new
    device: as many steps as a calibration has windows, the calibration, and all that follows,
    judged by the two-sided detector.
    """
    assert plan.deploy is not None
    figures = []
    for which, centring in CENTRINGS.items():
        bundle = models.of(which)
        (taught,) = windows_of(split.teach, [plan.deploy], bundle)
        (judged,) = windows_of(split.report, [plan.deploy], bundle)
        place = place_of(split, plan.deploy)
        (windows,) = windows_of({plan.deploy: place}, [plan.deploy], bundle)
        n_calibrate = calibration_windows(place, plan, bundle)
        window = window_text(bundle.pipeline)
        threshold = Twin(bundle).get("anomaly.threshold")
        for rule in RULES:
            case = case_name(rule, centring)
            settings = {RULE: RULES[rule], **(chosen or {}).get(case, {})}
            before, after = tuned_errors(bundle, settings, taught, judged)
            found = {
                STEPS: float(len(taught)),
                BEFORE: float(before.mean()),
                AFTER: float(after.mean()),
                FIXED_BEFORE: float(np.mean(before > threshold)),
                FIXED_AFTER: float(np.mean(after > threshold)),
            }
            if len(windows) > 3 * n_calibrate:
                two_sided = {**settings, "anomaly.detector": 1.0}
                twin, rest = calibrated(bundle, windows, 0, n_calibrate, n_calibrate, two_sided)
                seen = feed_windows(twin, rest)
                found[CALIBRATED_ABOVE] = above(seen.score)
                found[CALIBRATED_ALARMED] = float(np.mean(seen.alarm))
            figures += [
                Figure(TUNING, case, name, value, seed, window) for name, value in found.items()
            ]
    return figures


def case_name(rule: str, centring: str) -> str:
    """What a rule with a centring is called."""
    return f"{rule}, {centring}"


def tuned_errors(
    bundle: Bundle, settings: Mapping[str, float], taught: Singles, judged: Singles
) -> tuple[Singles, Singles]:
    """Mean squared errors of each judged window, frozen and fine-tuned: (w,) both."""
    twin = Twin(bundle)
    for name, value in settings.items():
        twin.set(name, value)
    twin.fine_tune(len(taught))
    feed_windows(twin, taught)
    seen = feed_windows(twin, judged)
    return seen.error, seen.tuned_error
