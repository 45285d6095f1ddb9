"""A folder with a small model and recordings, and sweeps over them that take moments."""

from __future__ import annotations

import csv
from pathlib import Path

from small_replay import recording, small_bundle

from tinyol_sim.recordings import write_recording
from tinyol_sim.sweep.grid import Grid
from tinyol_sim.sweep.job import Model
from tinyol_sim.sweep.source import find_sources

SHOWN = [("normal", 400), ("loud", 200), ("quiet", 200), ("normal", 200)]


def make_folder(folder: Path) -> Path:
    """small.tinyol, rec/a.npz and rec/b.csv."""
    small_bundle().save(folder / "small.tinyol")
    (folder / "rec").mkdir()
    write_recording(recording(SHOWN, seed=1), folder / "rec" / "a.npz")
    write_recording(recording(SHOWN, gaps=(300,), seed=2), folder / "rec" / "b.csv")
    return folder


def small_grid(folder: Path, **changes: object) -> Grid:
    """2 recordings x 1 model x 2 x 2 choices."""
    model = Model.of_bundle((folder / "small.tinyol").read_bytes(), "small")
    fields: dict[str, object] = {
        "sources": find_sources([folder / "rec"]),
        "models": [model],
        "settings": {"gaussian.horizon": (16.0, 256.0)},
        "fine_tune": (0, 20),
        "fine_tune_from": "start",
        "learn": True,
    }
    return Grid(**{**fields, **changes})  # type: ignore[arg-type]


def rows_of(table: Path) -> list[dict[str, str]]:
    """A CSV table as text, without its column seconds."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        float(row.pop("seconds"))
    return rows
