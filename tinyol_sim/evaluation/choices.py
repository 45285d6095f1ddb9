"""Settings chosen on the teaching part alone: its first 80 % teaches, the rest compares.

A start value stays unless another is better by a margin: choosing among noise is no gain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyol_sim.bundle import Bundle
from tinyol_sim.evaluation.classification import (
    DIAGONAL,
    HEADS,
    HeadUnderTest,
    classify,
    windows_of,
)
from tinyol_sim.evaluation.models import Models, train_models
from tinyol_sim.evaluation.roles import Plan
from tinyol_sim.evaluation.split import CHOOSING_SHARE, Split, split_states
from tinyol_sim.evaluation.tuning import CENTRINGS, RULE, RULES, case_name, tuned_errors
from tinyol_sim.settings import SETTINGS

F1_MARGIN = 0.005
ERROR_MARGIN = 0.02  # of the error
CHOICE_SEED = 0
# By rule: its setting, and what is tried besides the start value: shares of that, or values.
_TUNING: dict[str, tuple[str, tuple[float, ...]]] = {
    "SGD": ("reconstruction.learning_rate", (0.3, 3.0)),
    "NLMS": ("reconstruction.nlms_rate", (0.3, 3.0)),
    "RLS": ("reconstruction.forgetting", (0.99, 1.0)),
}


@dataclass(frozen=True)
class Choice:
    """One setting that was chosen, and by what.

    tried: values and their figures, the start value first; figure: "macro F1" (more is better)
    or "mean error" (less is).
    """

    of: str  # a head or a rule
    setting: str
    chosen: float
    tried: tuple[tuple[float, float], ...]
    figure: str


def choose(split: Split, plan: Plan) -> list[Choice]:
    """Tries a few values of one setting for each head and each rule; seed 0, one draw."""
    inner = split_states(split.teach, CHOOSING_SHARE)
    models = train_models(inner.teach, plan, CHOICE_SEED)
    least = min(
        len(windows)
        for which in ("ours", "paper")
        for windows in windows_of(inner.teach, plan.states, models.of(which))
    )
    small = replace(plan, draws=1, lessons=min(plan.lessons, least))
    found = []
    for head in HEADS:
        gaussian = head.name.startswith("gaussian")
        name = "gaussian.prior_count" if gaussian else "classifier.learning_rate"
        values: tuple[float, ...] = (1.0, 4.0) if gaussian else (0.01, 0.2)
        score = _f1_scorer(models, inner, small, head, name)
        found.append(_choice(head.name, name, _start(models, head.bundle, name), values, score))
    if plan.deploy is not None:
        for which, centring in CENTRINGS.items():
            for rule, (name, values) in _TUNING.items():
                start = _start(models, which, name)
                if rule != "RLS":
                    values = tuple(start * factor for factor in values)
                error = _error_scorer(models.of(which), inner, plan.deploy, rule, name)
                case = case_name(rule, centring)
                found.append(_choice(case, name, start, values, error, less=True))
    return found


def chosen_settings(choices: Sequence[Choice]) -> dict[str, dict[str, float]]:
    """By head or rule: the settings that differ from where they start."""
    found: dict[str, dict[str, float]] = {}
    for choice in choices:
        if choice.chosen != choice.tried[0][0]:
            found.setdefault(choice.of, {})[choice.setting] = choice.chosen
    if DIAGONAL in found:
        found["unknown"] = found[DIAGONAL]
    return found


def _start(models: Models, which: str, name: str) -> float:
    return float(models.of(which).settings.get(name, SETTINGS[name].initial))


def _f1_scorer(
    models: Models, inner: Split, plan: Plan, head: HeadUnderTest, setting: str
) -> Callable[[float], float]:
    def score(value: float) -> float:
        return float(
            np.mean(
                [
                    figure.value
                    for names in (plan.classes, plan.states)
                    for lessons in (plan.few, plan.lessons)
                    for figure in classify(
                        models,
                        inner,
                        plan,
                        names,
                        lessons,
                        CHOICE_SEED,
                        heads=[head],
                        chosen={head.name: {setting: value}},
                    )
                ]
            )
        )

    return score


def _error_scorer(
    bundle: Bundle, inner: Split, place: str, rule: str, setting: str
) -> Callable[[float], float]:
    (taught,) = windows_of(inner.teach, [place], bundle)
    (judged,) = windows_of(inner.report, [place], bundle)

    def score(value: float) -> float:
        settings = {RULE: RULES[rule], setting: value}
        return float(tuned_errors(bundle, settings, taught, judged)[1].mean())

    return score


def _choice(
    of: str,
    setting: str,
    start: float,
    values: Sequence[float],
    score: Callable[[float], float],
    *,
    less: bool = False,
) -> Choice:
    tried = [(value, score(value)) for value in (start, *values)]
    best = (min if less else max)(tried, key=lambda pair: pair[1])
    first = tried[0][1]
    better = best[1] < first * (1 - ERROR_MARGIN) if less else best[1] > first + F1_MARGIN
    figure = "mean error" if less else "macro F1"
    return Choice(of, setting, best[0] if better else start, tuple(tried), figure)
