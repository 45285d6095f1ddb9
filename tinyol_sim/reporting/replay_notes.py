"""What a person should know about a replay but would not see in its numbers."""

from __future__ import annotations

import numpy as np

from tinyol_sim.counted import counted
from tinyol_sim.fine_tune_end import NORMAL
from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting.error_groups import AFTER, END, THRESHOLD, error_figures, threshold_of
from tinyol_sim.reporting.notices import MOVED

MAX_ABOVE_THRESHOLD = 0.05  # share of normal windows; training leaves one in a hundred


def replay_notes(result: ReplayResult) -> list[str]:
    """A sentence for each thing; empty if all went as planned."""
    return [
        *_about_fine_tuning(result),
        *_about_calibration(result),
        *_about_advice(result),
        *_about_threshold(result),
        *_about_labels(result),
        *_about_showings(result),
        *_about_refusals(result),
    ]


def _about_fine_tuning(result: ReplayResult) -> list[str]:
    left, asked = result.fine_tune_left, result.plan.fine_tune
    if not left or asked is None:
        return []
    end = result.fine_tune_end
    if end is None:
        return [
            f"The recordings ended {counted(left, 'window')} short of the {asked:,} to fine-tune"
            " on."
        ]
    return [
        f"Fine-tuning took {asked - left:,} of {counted(asked, 'window')}: it ended where"
        f" {end.label} begins, at {end.sample / result.stream.rate_hz:.1f} s, so as not to get"
        f" used to {end.label}."
    ]


def _about_calibration(result: ReplayResult) -> list[str]:
    left, asked = result.calibrate_left, result.plan.calibrate
    if not left or asked is None:
        return []
    return [
        f"The calibration saw {asked - left:,} of {counted(asked, 'window')}: what was normal"
        " before stands."
    ]


def _about_advice(result: ReplayResult) -> list[str]:
    """A move that nobody dealt with."""
    moved = [notice for notice in result.tally.notices.standing if notice.kind == MOVED]
    if not moved or result.plan.calibrate:
        return []
    at_s = moved[0].first_sample / result.stream.rate_hz
    return [
        f"From {at_s:.1f} s on the sensor hangs otherwise than it did, and what counts as normal"
        " is still what it was before: `--calibrate 200` here, `tinyol calibrate` on a board, takes"
        " it anew."
    ]


def _about_threshold(result: ReplayResult) -> list[str]:
    """After fine-tuning errors are of another size than when the threshold was set."""
    if threshold_of(result) is None or not result.tally.errors.n_steps:
        return []
    groups = {(group.phase, group.label): group for group in error_figures(result)}
    group = groups.get((AFTER, NORMAL)) or groups[END, None]
    above = group.above_tuned
    if above is None or above <= MAX_ABOVE_THRESHOLD:
        return []
    quantile = f"{group.tuned_quantiles.quantile(0.99):.3g}"
    which = f"{NORMAL} windows after" if group.label else "windows at the end of"
    return [
        f"{100 * above:.0f} % of the {which} fine-tuning lie above the threshold, which was set"
        f" at training time: set it anew. 99 % of them lie below {quantile}:"
        f" `tinyol replay --set {THRESHOLD}={quantile}` here, `tinyol calibrate` on a"
        " board"
    ]


def _about_showings(result: ReplayResult) -> list[str]:
    """Once a class is shown, saying the same again and again is right until the label changes."""
    classes = result.tally.classes
    if not classes.learned or np.count_nonzero(classes.labelled) < 2:
        return []
    if classes.last_showing is not None:
        return []
    return [
        "Each class was shown once, in one block, which flatters F1: to repeat the last label is"
        " right nearly always. Show the classes in turns, several times."
    ]


def _about_labels(result: ReplayResult) -> list[str]:
    known, used = result.metrics.classes, np.flatnonzero(result.tally.classes.labelled)
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
                f"The {layer} skipped {counted(skipped, 'step')} whose weights would have passed"
                f" {section}.weight_limit: {section}.learning_rate is too high."
            )
    if clamped := counters["clamped_targets"]:
        notes.append(
            f"Of the fine-tuned layer's targets {clamped:,} lay outside 0 to 1, where a sigmoid"
            " cannot follow, and were clamped."
        )
    for what in ("sample", "window"):
        if refused := counters[f"refused_{what}s"]:
            notes.append(f"The device refused {counted(refused, what)} as not plausible.")
    return notes


def _listed(names: list[str], word: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
