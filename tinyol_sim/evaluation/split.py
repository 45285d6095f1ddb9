"""Which recordings teach and choose, and which report: by time, never at random.

A state's first 60 % teaches; in it the first 80 % teaches and the rest chooses where a setting
is chosen. The last 40 % reports, and is used for nothing else. Neighbouring windows resemble
each other, so a split at random would report on what was taught.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tinyol_sim.errors import RecordingError
from tinyol_sim.evaluation.states import RATE_TOLERANCE, State

TEACHING_SHARE = 0.6
CHOOSING_SHARE = 0.8  # of the teaching part: what teaches while settings are chosen
FEWEST_PIECES = 10  # with fewer, the border lies inside a piece


@dataclass(frozen=True, eq=False)
class Split:
    """Two parts of each state, by name; no sample is in both. apart: they are two folders."""

    teach: dict[str, State]
    report: dict[str, State]
    apart: bool = False


def split_states(states: Mapping[str, State], share: float = TEACHING_SHARE) -> Split:
    """Splits each state in the order of time.

    share: of the pieces that teach, 0 < share < 1; of the samples where there are fewer than
        FEWEST_PIECES.
    """
    if not 0 < share < 1:
        raise RecordingError(f"the teaching share is {share}; it must be above 0, below 1")
    parts = {name: _split(state, share) for name, state in states.items()}
    return Split(
        {name: part[0] for name, part in parts.items()},
        {name: part[1] for name, part in parts.items()},
    )


def split_apart(
    teach: Mapping[str, State], report: Mapping[str, State], names: Iterable[str]
) -> Split:
    """A split of two folders: the states `names` of one teach, those of the other report.

    Raises RecordingError where one is not in both, or the rates differ.
    """
    names = list(names)
    missing = [name for name in names if name not in report]
    if missing:
        raise RecordingError(f"there is no recording of {', '.join(missing)} to report on")
    for name in names:
        state = teach[name]
        if abs(state.rate_hz - report[name].rate_hz) > RATE_TOLERANCE * state.rate_hz:
            raise RecordingError(
                f"{name} has {state.rate_hz:g} Hz to teach with and {report[name].rate_hz:g} Hz to"
                " report on"
            )
    return Split(
        {name: _whole(teach[name]) for name in names},
        {name: _whole(report[name]) for name in names},
        apart=True,
    )


def _whole(state: State) -> State:
    return replace(state, span=f"all {len(state.pieces)}")


def _split(state: State, share: float) -> tuple[State, State]:
    n = len(state.pieces)
    if n >= FEWEST_PIECES:
        border = int(n * share)
        first, second = state.pieces[:border], state.pieces[border:]
        spans = f"1-{border} of {n}", f"{border + 1}-{n} of {n}"
    else:
        left = int(sum(map(len, state.pieces)) * share)
        seconds = left / state.rate_hz
        before, behind = [], []
        for piece in state.pieces:
            before.append(piece[:left])
            behind.append(piece[min(left, len(piece)) :])
            left = max(0, left - len(piece))
        first, second = (tuple(p for p in part if len(p)) for part in (before, behind))
        spans = f"the first {seconds:.1f} s", f"the {state.duration_s - seconds:.1f} s behind them"
    return replace(state, pieces=first, span=spans[0]), replace(state, pieces=second, span=spans[1])
