"""Is a state that nobody has taught called unknown? Each class is left out once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyol_sim.evaluation.classification import windows_of
from tinyol_sim.evaluation.figures import Figure, window_text
from tinyol_sim.evaluation.models import Models
from tinyol_sim.evaluation.roles import Plan
from tinyol_sim.evaluation.split import Split
from tinyol_sim.evaluation.streams import draw_stretches, judge, lesson_order, teach
from tinyol_sim.twin import Twin

LEFT_OUT = "one class left out"
FOUND, FALSE = "called unknown", "false unknowns"
FALSE_RATE = 0.05  # unknown.false_rate


def leave_one_out(
    models: Models,
    split: Split,
    plan: Plan,
    seed: int,
    chosen: Mapping[str, float] | None = None,
) -> list[Figure]:
    """For each class: the share of its windows called unknown by a device taught all the others.

    Both shares are of the reporting part: of the class left out, and of the classes taught, where
    every unknown is false. The order of lessons is drawn anew for each draw.
    """
    bundle = models.ours
    window = window_text(bundle.pipeline)
    figures = []
    for left_out in plan.states:
        names = [name for name in plan.states if name != left_out]
        taught = windows_of(split.teach, names, bundle)
        judged = windows_of(split.report, [left_out, *names], bundle)
        for draw in range(plan.draws):
            stretches = draw_stretches(taught, plan.lessons, 1000 * seed + draw)
            order = lesson_order("shuffled classes", len(names), plan.lessons, 1000 * seed + draw)
            twin = Twin(bundle)
            for name, value in {**(chosen or {}), "unknown.false_rate": FALSE_RATE}.items():
                twin.set(name, value)
            teach(twin, names, stretches, order)
            unknown = [one.unknown for one in judge(twin, judged)]
            for name, value in (
                (FOUND, float(np.mean(unknown[0]))),
                (FALSE, float(np.mean(np.concatenate(unknown[1:])))),
            ):
                figures.append(Figure(LEFT_OUT, left_out, name, value, seed, window, "", draw))
    return figures
