"""What the system must show, held against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinyol_sim.evaluation.anomaly import (
    ABOVE,
    ALARMED,
    AUC,
    CARRIED,
    HELD_OUT,
    MORE,
    MOVED,
    POOLED,
    TURNED,
    TWO_SIDED,
)
from tinyol_sim.evaluation.classification import DIAGONAL, MACRO_F1, part_name
from tinyol_sim.evaluation.figures import Figure, find, order_gap, summarise
from tinyol_sim.evaluation.roles import Plan
from tinyol_sim.evaluation.unknown import FOUND, LEFT_OUT

ORDER_GAP = 0.005
KNOWN_F1 = {"classes": (0.985, 0.95), "states": (0.90, 0.82)}  # with all lessons, with few
UNKNOWN_SHARE, UNKNOWN_CLASSES = 0.90, 5 / 7  # of a class's windows, of the classes left out


@dataclass(frozen=True)
class Floor:
    """A figure that is promised. at_least says which way; kind: number, share or count."""

    what: str
    bound: float
    measured: float
    at_least: bool
    kind: str = "number"

    @property
    def held(self) -> bool:
        """Whether the measured mean keeps the bound."""
        slack = 1e-9
        if self.at_least:
            return self.measured >= self.bound - slack
        return self.measured <= self.bound + slack


def floors(figures: Sequence[Figure], plan: Plan) -> list[Floor]:
    """Every promise that these figures can be held against; means over seeds, orders, starts."""
    summaries = summarise(figures)
    found: list[Floor] = []

    def add(what: str, bound: float, key: tuple[str, str, str], least: bool, kind: str) -> None:
        summary = find(summaries, *key)
        if summary is not None:
            found.append(Floor(what, bound, summary.mean, least, kind))

    parts = [(plan.classes, "classes")]
    if set(plan.states) != set(plan.classes):
        parts.append((plan.states, "states"))
    for names, bounds in parts:
        for lessons, bound in zip((plan.lessons, plan.few), KNOWN_F1[bounds], strict=True):
            part = part_name(len(names), lessons)
            add(f"macro F1, {part}", bound, (part, DIAGONAL, MACRO_F1), True, "number")
            gap = order_gap(figures, part, DIAGONAL, MACRO_F1)
            if gap is not None and lessons == plan.lessons and bounds == "classes":
                found.append(Floor(f"order gap, {part}", ORDER_GAP, gap, False))
    case = f"{TWO_SIDED}: {POOLED}"
    add(
        "AUC, two-sided, held-out files",
        0.995,
        (HELD_OUT, case, AUC),
        True,
        "number",
    )
    turned = [s for s in summaries if s.part == TURNED and s.name == MORE]
    if turned:
        worst = max(one.mean for one in turned)
        found.append(
            Floor("more false alarms, sensor turned by 2 degrees", 0.01, worst, False, "share")
        )
    calibrated = f"calibrated for {plan.calibrate_s:g} s"
    for what in (ABOVE, ALARMED):
        add(f"{what}, {calibrated}", 0.02, (MOVED, calibrated, what), False, "share")
    add("AUC, anomalies carried to the new place", 0.97, (CARRIED, case, AUC), True, "number")
    left_out = [s for s in summaries if s.part == LEFT_OUT and s.name == FOUND]
    if left_out:
        n = sum(one.mean >= UNKNOWN_SHARE for one in left_out)
        what = f"classes of {len(left_out)}, {UNKNOWN_SHARE:.0%} called unknown"
        found.append(Floor(what, math.ceil(UNKNOWN_CLASSES * len(left_out)), n, True, "count"))
    return found
