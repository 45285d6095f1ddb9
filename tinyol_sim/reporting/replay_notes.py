"""What a person should know about a replay but would not see in its numbers."""

from __future__ import annotations

import numpy as np

from tinyol_sim.replay import ReplayResult


def replay_notes(result: ReplayResult) -> list[str]:
    """A sentence for each thing; empty if all went as planned."""
    return [*_about_fine_tuning(result), *_about_labels(result), *_about_refusals(result)]


def _about_fine_tuning(result: ReplayResult) -> list[str]:
    notes = []
    left = result.counters["fine_tune_left"]
    if left:
        asked = result.plan.fine_tune
        notes.append(f"The recordings ended {left} windows short of the {asked} to fine-tune on.")
    labels = result.truth[result.windows.fine_tuned]
    met = [result.class_names[i] for i in np.unique(labels[labels >= 0])]
    if len(met) > 1:
        notes.append(
            f"Fine-tuning also took windows of {_listed(met)}: what differs between them will"
            " no longer stand out. Fewer steps, or another place to begin, keep them out."
        )
    return notes


def _about_labels(result: ReplayResult) -> list[str]:
    known, used = result.metrics.classes, np.unique(result.truth[result.truth >= 0])
    notes = []
    if result.plan.learn:
        if not len(used):
            notes.append("There was nothing for the classifier to learn: no window has a label.")
    elif not known and len(used):
        notes.append(
            "The classifier stood still: it was neither to learn (--learn) nor loaded with"
            " classes (--state). Labels are shown, but nothing was predicted."
        )
    elif unknown := [result.class_names[i] for i in used if i >= len(known)]:
        notes.append(
            f"The loaded state has no class {_listed(unknown, 'or')}: such windows count as wrong."
        )
    return notes


def _about_refusals(result: ReplayResult) -> list[str]:
    counters, notes = result.counters, []
    for layer, section in (("classifier", "classifier"), ("fine-tuned layer", "reconstruction")):
        skipped = counters[f"{section}_not_finite"] + counters[f"{section}_over_limit"]
        if skipped:
            notes.append(
                f"The {layer} skipped {skipped} steps whose weights would have passed"
                f" {section}.weight_limit: {section}.learning_rate is too high."
            )
    if clamped := counters["clamped_targets"]:
        notes.append(
            f"{clamped} targets of the fine-tuned layer lay outside 0 to 1, where a sigmoid cannot"
            " follow, and were clamped."
        )
    for what in ("samples", "windows"):
        if refused := counters[f"refused_{what}"]:
            notes.append(f"The device refused {refused} {what} as not plausible.")
    return notes


def _listed(names: list[str], word: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
