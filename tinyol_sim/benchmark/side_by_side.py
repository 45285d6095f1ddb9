"""Everyone who is here, at the same jobs; and the twin by itself over sixty times as much."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Bundle
from . import batch_peer, river_peer, sklearn_peer, tflite_micro_peer, tflite_runtime_peer
from .contest import Entrant, Peer, Place, enter, hold, one_core
from .jobs import ROWS, WINDOW_JOBS, RowJob, WindowJob, window_job
from .twin_entrant import HEAD_ALONE, TWIN, WHOLE, long_entrants, row_job

WINDOW_PEERS: tuple[Peer[WindowJob], ...] = (
    tflite_micro_peer.PEER,
    tflite_runtime_peer.PEER,
    batch_peer.PEER,
)
ROW_PEERS: tuple[Peer[RowJob], ...] = (river_peer.PEER, sklearn_peer.PEER)
LONGER = 60  # times the peers' recording: where theirs is a minute, the twin's own is an hour
SECONDS, REPEATS = 60.0, 3

Progress = Callable[[int, int, str], None]  # runs done, runs in all, who is next


@dataclass(frozen=True)
class SideBySide:
    """What `tinyol bench` tells of the host."""

    processor: str
    python: str
    numpy: str
    one_core: bool  # everything was held to one processor
    repeats: int
    rate_hz: float
    seconds: float  # of the recording; a window after each of its samples
    windows: list[Place]  # the paper's pipeline, from samples on
    rows: list[Place]  # features only
    twin_seconds: float  # of the recording for the twin alone
    twin: list[Place]  # job: which bundle and hop; times_slower: than inference alone

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def side_by_side(
    bundle: Bundle,
    *,
    seconds: float = SECONDS,
    repeats: int = REPEATS,
    progress: Progress | None = None,
) -> SideBySide:
    """Runs all of it, on one processor where the system can do that.

    Args:
        bundle: its net and windows are everyone's.
        seconds: of the recording that everybody works on.
        repeats: of each entrant, at least 1; the least time counts.

    Raises:
        DeviceError: so few seconds hold no window.
    """
    job = window_job(bundle, seconds)
    rows = row_job(job)
    slots = [*_window_slots(job), *_row_slots(job, rows), *long_entrants(bundle, job, LONGER)]
    total = repeats * sum(isinstance(slot, Entrant) for slot in slots)

    def moved(done: int, who: str) -> None:
        if progress is not None:
            progress(done, total, who)

    with one_core() as held:
        places = hold(slots, repeats=repeats, progress=moved)
    moved(total, "")
    return SideBySide(
        processor=_processor(),
        python=platform.python_version(),
        numpy=np.__version__,
        one_core=held,
        repeats=repeats,
        rate_hz=bundle.pipeline.rate_hz,
        seconds=seconds,
        windows=[place for place in places if place.job in WINDOW_JOBS],
        rows=[place for place in places if place.job == ROWS],
        twin_seconds=seconds * LONGER,
        twin=[place for place in places if place.job not in (*WINDOW_JOBS, ROWS)],
    )


def _window_slots(job: WindowJob) -> list[Entrant | Place]:
    return [
        enter(peer, job, what, job.n_windows)
        for what in WINDOW_JOBS
        for peer in (TWIN, *WINDOW_PEERS)
        if what in peer.jobs
    ]


def _row_slots(job: WindowJob, rows: RowJob) -> list[Entrant | Place]:
    n = len(rows.features)
    return [
        enter(HEAD_ALONE, rows, ROWS, n),
        *(enter(peer, rows, ROWS, n) for peer in ROW_PEERS),
        enter(WHOLE, job, ROWS, n),
    ]


def _processor() -> str:
    """As the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
