"""Recordings from files through a twin: small ones in memory, large ones as streams.

Which of the two it is changes no bit of what comes out.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tinyol_sim.bundle import Bundle
from tinyol_sim.feeder import Progress
from tinyol_sim.files import WINDOWS_CSV
from tinyol_sim.open_recordings import open_recording
from tinyol_sim.recording_stream import RecordingStream
from tinyol_sim.recordings import Recording, read_recording
from tinyol_sim.replay import Plan, ReplayResult, replay, replay_streams

STREAM_BYTES = 256 * 2**20  # of files, and from there on they are streamed

Opened = list[Recording] | list[RecordingStream]
_R = TypeVar("_R", Recording, RecordingStream)


def replay_files(
    bundle: Bundle,
    units: Sequence[Path],
    plan: Plan | None = None,
    *,
    rate_hz: float | None = None,
    labels: Sequence[str | None] | None = None,
    stream: bool | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> ReplayResult:
    """Replays the recordings at `units` one after the other; see `open_files`, `replay_opened`."""
    opened = open_files(units, rate_hz=rate_hz, labels=labels, stream=stream)
    return replay_opened(bundle, opened, plan, progress, folder)


def open_files(
    units: Sequence[Path],
    *,
    rate_hz: float | None = None,
    labels: Sequence[str | None] | None = None,
    stream: bool | None = None,
) -> Opened:
    """The recordings of a replay, read, or opened as streams.

    Args:
        units: files and folders that are one recording each, as `recording_units` finds them.
        rate_hz: as of `read_recording`.
        labels: a class for all samples of each recording, or None for no label; without `labels`,
            what the files say.
        stream: True, False, or None: where the files have STREAM_BYTES or more in all.

    Raises: RecordingError, as `read_recording` and `open_recording` do.
    """
    if stream is None:
        stream = sum(map(_n_bytes, units)) >= STREAM_BYTES
    if stream:
        return _relabelled([open_recording(unit, rate_hz=rate_hz) for unit in units], labels)
    return _relabelled([read_recording(unit, rate_hz=rate_hz) for unit in units], labels)


def replay_opened(
    bundle: Bundle,
    opened: Opened,
    plan: Plan | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> ReplayResult:
    """`replay` or `replay_streams` of what `open_files` gives.

    folder: where windows.csv goes while streams are replayed, since a result of them may have a
    part of the windows only; of recordings in memory, `write_report` writes it.
    """
    if not opened or isinstance(opened[0], Recording):
        return replay(bundle, [r for r in opened if isinstance(r, Recording)], plan, progress)
    streams = [stream for stream in opened if isinstance(stream, RecordingStream)]
    if folder is None:
        return replay_streams(bundle, streams, plan, progress)
    from tinyol_sim.reporting.windows_csv import WindowsCsv  # it needs what is in replay.py

    with WindowsCsv(folder / WINDOWS_CSV, streams[0].rate_hz) as windows:
        return replay_streams(bundle, streams, plan, progress, windows.add)


def _relabelled(recordings: list[_R], labels: Sequence[str | None] | None) -> list[_R]:
    if labels is None:
        return recordings
    return [r.with_label(name) for r, name in zip(recordings, labels, strict=True)]


def _n_bytes(unit: Path) -> int:
    """Of a recording's files, unpacked; 0 where that cannot be known beforehand."""
    try:
        if unit.is_dir():
            return sum(_n_bytes(path) for path in unit.iterdir() if path.is_file())
        if unit.suffix.lower() == ".npz" and unit.is_file():
            with zipfile.ZipFile(unit) as archive:
                return sum(member.file_size for member in archive.infolist())
        return unit.stat().st_size if unit.is_file() else 0
    except Exception:  # of a damaged archive all sorts: reading it says what is wrong
        return 0
