"""What came of a calibration, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyol_host.events import Prediction
from tinyol_host.replies import Info
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError

_ALARMING = 3  # windows in a row
_DRIFT = 1.3  # ratio of two halves' mean errors
_WORSE = 1.25  # a layer's error over the frozen net's: above it, something went wrong
_DIVERGED = 10.0  # ratio of the fine-tuned layer's mean error to the frozen net's
_LEAST_HALF = 20  # windows


@dataclass(frozen=True)
class Stretch:
    """Errors of some windows against a threshold."""

    windows: int
    mean_error: float
    threshold: float
    above: int  # windows whose error is larger

    @property
    def share_above(self) -> float:
        """0 to 1."""
        return self.above / self.windows


@dataclass(frozen=True)
class Calibration:
    """What came of it.

    at: index of the first sample that the threshold holds for.
    steps, skipped: of fine-tuning, taken and skipped.
    before: as the board was before fine-tuning: where its layer never was, what the frozen net
        makes of the windows watched (`frozen`), else its first windows; None without fine-tuning.
    tuned: the windows watched, against the old threshold. after: against the new one.
    expected: share of the next normal windows above the threshold; likely: where it lies in 9
        cases of 10, if windows depend on each other by the samples that they share, and only so.
    notes: what a person should know, a sentence each.
    """

    at: int
    steps: int
    skipped: int
    frozen: bool
    before: Stretch | None
    tuned: Stretch
    after: Stretch
    expected: float
    likely: tuple[float, float]
    notes: tuple[str, ...]


def stretch_of(errors: Sequence[float], threshold: float) -> Stretch:
    """Of one error or more."""
    above = sum(error > threshold for error in errors)
    return Stretch(len(errors), sum(errors) / len(errors), threshold, above)


def skipped_steps(info: Info) -> int:
    """Fine-tuning steps that were not taken, since the state began."""
    steps = info.reconstruction
    return steps.skipped_not_finite + steps.skipped_over_limit


def refuse_if_tuning(begun: Info) -> None:
    """DeviceError where a fine-tuning run is under way that this is no part of."""
    if begun.fine_tune_left != 0:
        raise DeviceError(
            "the board is being fine-tuned, which moves its errors: end that with `tinyol"
            " fine-tune off`, or have this command do it"
        )


def refuse_if_diverged(windows: Sequence[Prediction], skipped: int) -> None:
    """DeviceError if fine-tuning has made the layer useless: no threshold would mean anything.

    windows: those watched. skipped: fine-tuning steps that were not taken since the state began,
        which those after a divergence are not, since their gradients are too large.
    """
    frozen = sum(window.error for window in windows) / len(windows)
    tuned = sum(window.tuned_error for window in windows) / len(windows)
    if skipped and not tuned <= _DIVERGED * frozen:  # NaN is no success
        raise DeviceError(
            f"fine-tuning has diverged: the fine-tuned layer's mean error is {tuned:.4g}, the"
            f" frozen net's {frozen:.4g}, with {counted(skipped, 'step')} skipped; go back by"
            " `tinyol reset`, or by `tinyol state push` of a state from before, and begin again"
            " with a smaller reconstruction.learning_rate"
        )


def notes_on(
    windows: Sequence[Prediction],
    errors: Sequence[float],
    threshold: float,
    skipped: int,
    begun: Info,
    ended: Info,
) -> list[str]:
    """What stands out: of the windows watched and their errors in force, and of `begun` to `ended`.

    skipped: fine-tuning steps that were not taken on the way.
    """
    notes = []
    half = len(errors) // 2
    if half >= _LEAST_HALF:
        first, second = sum(errors[:half]) / half, sum(errors[-half:]) / half
        if not first / _DRIFT < second < first * _DRIFT:
            notes.append(
                f"the mean error went from {first:.4g} to {second:.4g} while the windows were"
                " watched: if the machine does not run evenly, watch more of them"
            )
    frozen = sum(window.error for window in windows) / len(windows)
    mean = sum(errors) / len(errors)
    if ended.reconstruction.applied and frozen < mean <= _WORSE * frozen:
        notes.append(
            f"fine-tuning gained nothing, {mean:.4g} against the frozen net's {frozen:.4g}: the net"
            " fits this machine as it was trained"
        )
    elif ended.reconstruction.applied and mean > frozen:
        notes.append(
            f"the fine-tuned layer's mean error, {mean:.4g}, is above the frozen net's,"
            f" {frozen:.4g}: try a smaller reconstruction.learning_rate after `tinyol reset`"
        )
    if skipped:
        notes.append(f"{counted(skipped, 'fine-tuning step')} skipped: see `tinyol info`")
    if ended.gaps > begun.gaps:
        notes.append(f"{counted(ended.gaps - begun.gaps, 'gap')} in the samples on the way")
    if ended.refused_samples > begun.refused_samples:
        refused = ended.refused_samples - begun.refused_samples
        notes.append(f"{counted(refused, 'sample')} refused on the way")
    if min(errors[-_ALARMING:]) > threshold:
        notes.append("the last windows lie above the new threshold: the board is in alarm now")
    return notes
