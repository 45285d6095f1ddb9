"""A first pass over a CSV recording of any length: labels, gaps and times, but no samples kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.recording_formats.parsed import Parsed
from tinyol_sim.recording_formats.row_builders import GapsBuilder, LabelRunsBuilder
from tinyol_sim.recording_formats.scanned import Scanned
from tinyol_sim.recording_formats.timestamps import RATE_ROWS, TimestampCheck
from tinyol_sim.recording_formats.tinyol_csv import CsvSource


def scan(path: Path, asked_hz: float | None, tolerance: float, times_s: Sequence[float]) -> Scanned:
    """All rows are read and checked. Raises RecordingError as `tinyol_csv.read` does.

    times_s: those to look up in the file's own column `t`, if it has one.
    """
    source = CsvSource(path)
    rate_hz = _rate_hz(source, asked_hz, tolerance)
    labels, gaps, check = LabelRunsBuilder(path), GapsBuilder(), TimestampCheck(rate_hz)
    borders = np.array(times_s, np.float64)
    samples_at = np.zeros(len(borders), np.int64)
    has_times, end_s, first_place = "t" in source.columns, None, ""
    for block in source.blocks():
        source.samples(block)
        labels.add(block.label_starts, block.label_names, len(block.numbers))
        gaps.add(block.gaps)
        if has_times and len(block.numbers):
            time_s, where = source.time_s(block), source.where([block])
            first_place = first_place or where(0)
            gaps.add(check.add(time_s, where).tolist())
            samples_at += np.searchsorted(time_s, borders, side="left")
            end_s = float(time_s[-1])
    if not labels.n_samples:
        raise source.no_samples()
    if has_times:
        check.finish(first_place)

    def pieces() -> Iterator[NDArray[np.float32]]:
        for block in source.blocks():
            if len(block.numbers):
                yield source.samples(block)

    return Scanned(
        rate_hz=rate_hz,
        label_runs=labels.runs(),
        label_names=labels.names,
        gaps=gaps.between(labels.n_samples),
        pieces=pieces,
        default_label=source.default_label,
        end_s=end_s,
        samples_at=dict(zip(times_s, samples_at.tolist(), strict=True)) if has_times else None,
    )


def _rate_hz(source: CsvSource, asked_hz: float | None, tolerance: float) -> float:
    """As a Parsed finds it, of whose times the first RATE_ROWS count."""
    times: list[NDArray[np.float64]] = []
    if "t" in source.columns and source.rate_hz is None and asked_hz is None:
        n_rows = 0
        for block in source.blocks():
            times.append(source.time_s(block))
            n_rows += len(block.numbers)
            if n_rows >= RATE_ROWS:
                break
    known = Parsed(
        samples=np.empty((0, 3), np.float32),
        where=source.where([]),
        labels=np.empty(0, np.int16),
        rate_hz=source.rate_hz,
        rate_where=source.rate_where,
        default_rate_hz=source.default_rate_hz,
        time_s=np.concatenate(times) if times else None,
    )
    return known.resolve_rate(source.path, asked_hz, tolerance)
