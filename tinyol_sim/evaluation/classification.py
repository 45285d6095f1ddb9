"""How well the heads classify, whatever the order in which the classes were shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyol_sim.bundle import Bundle
from tinyol_sim.evaluation.figures import Figure, window_text
from tinyol_sim.evaluation.models import Models
from tinyol_sim.evaluation.roles import Plan
from tinyol_sim.evaluation.split import Split
from tinyol_sim.evaluation.states import Singles, State
from tinyol_sim.evaluation.streams import ORDERS, draw_stretches, judge, lesson_order, teach
from tinyol_sim.reporting.scores import confusion, macro_f1
from tinyol_sim.twin import Twin

MACRO_F1 = "macro F1"


@dataclass(frozen=True)
class HeadUnderTest:
    """A head: the bundle it runs in, a field of Models, and the settings that make it so.

    Each softmax head has what the one before it has, and one thing more.
    """

    name: str
    bundle: str
    settings: Mapping[str, float] = field(default_factory=dict)


_SOFTMAX = {
    "classifier.head": 0,
    "classifier.bias": 1,
    "classifier.balanced": 0,
    "classifier.rehearsal": 0,
}
DIAGONAL, FULL, PAPER = "gaussian, diagonal", "gaussian, full", "softmax, the paper's"
REHEARSED = "softmax + rehearsal"
HEADS = (
    HeadUnderTest(PAPER, "paper"),
    HeadUnderTest("softmax + bias", "ours", _SOFTMAX),
    HeadUnderTest("softmax + balance", "ours", {**_SOFTMAX, "classifier.balanced": 1}),
    HeadUnderTest(
        REHEARSED, "ours", {**_SOFTMAX, "classifier.balanced": 1, "classifier.rehearsal": 4}
    ),
    HeadUnderTest(DIAGONAL, "ours"),
    HeadUnderTest(FULL, "full"),
)


def part_name(n_classes: int, lessons: int) -> str:
    """What a part of the evaluation is called."""
    return f"{n_classes} classes, {lessons} lessons each"


def classify(
    models: Models,
    split: Split,
    plan: Plan,
    names: Sequence[str],
    lessons: int,
    seed: int,
    *,
    heads: Sequence[HeadUnderTest] = HEADS,
    chosen: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Figure]:
    """Macro F1 on the reporting part of each head, order and draw.

    names: the classes; lessons: windows of each that teach, from the teaching part.
    chosen: settings by head that go before its own.
    """
    figures = []
    part = part_name(len(names), lessons)
    for head in heads:
        bundle = models.of(head.bundle)
        settings = {**head.settings, **(chosen or {}).get(head.name, {})}
        window = window_text(bundle.pipeline)
        taught, judged = (windows_of(where, names, bundle) for where in (split.teach, split.report))
        for draw in range(plan.draws):
            stretches = draw_stretches(taught, lessons, 1000 * seed + draw)
            for order in ORDERS:
                score = taught_f1(bundle, settings, names, stretches, judged, order, seed + draw)
                figures.append(Figure(part, head.name, MACRO_F1, score, seed, window, order, draw))
    return figures


def windows_of(states: Mapping[str, State], names: Sequence[str], bundle: Bundle) -> list[Singles]:
    """Each state's windows, as this bundle cuts them."""
    pipeline = bundle.pipeline
    return [states[name].windows(pipeline.window_len, pipeline.hop) for name in names]


def taught_f1(
    bundle: Bundle,
    settings: Mapping[str, float],
    names: Sequence[str],
    stretches: Sequence[Singles],
    judged: Sequence[Singles],
    order: str,
    seed: int,
) -> float:
    """Macro F1 on `judged` windows of a new twin that was taught `stretches` in this order."""
    twin = Twin(bundle)
    for name, value in settings.items():
        twin.set(name, value)
    lessons = min(map(len, stretches))
    teach(twin, names, stretches, lesson_order(order, len(names), lessons, seed))
    seen = judge(twin, judged)
    truth = np.repeat(np.arange(len(names)), [len(one) for one in seen]).astype(np.int16)
    predicted = np.concatenate([one.predicted for one in seen])
    return float(macro_f1(confusion(truth, predicted, len(names))))
