"""The recordings that the notebooks work on: the public ceiling fan, or a synthetic one instead.

A fan at three speeds, with and without a coin taped to a blade, switched off, and once more
after its sensor was fixed anew. The real ones (S. Hymel, 2020) are not part of this project:
they are looked for in $TINYOL_CEILING_FAN ("none": not at all), in ../shared/data/ceiling-fan
beside the checkout, and where `tinyol data fetch ceiling-fan` puts them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyol_sim.datasets import cache_dir
from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import Recording, read_recording
from tinyol_sim.synth import (
    FIELD_FAN,
    FIELD_PLACEMENT,
    REFERENCE_SPEED_HZ,
    TRAINING_PLACEMENT,
    USB_FAN,
    Fan,
    synthesize,
)
from tinyol_sim.walkthrough.extent import NOTE, SMALL

VARIABLE = "TINYOL_CEILING_FAN"
NOT_AT_ALL = "none"
NORMAL = "low_0"  # what the autoencoder is trained on; low speed, no coin
STATES = (NORMAL, "low_1", "med_0", "med_1", "high_0", "high_1", "off_0")
RATE_HZ = 200.0
SECONDS = 300.0  # of each state
DEPLOYED_SECONDS = 140.0

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ceiling-fan"
_SPEEDS = {"low": 0.8, "med": 1.0, "high": 1.2}
_COIN = 1.6  # times the imbalance


@dataclass(frozen=True, eq=False)
class FanData:
    """Recordings of one fan, all at RATE_HZ, in g.

    real: of the ceiling fan, or synthetic.
    states: by label, see STATES.
    deployed: NORMAL, recorded later at the place of work, labelled NORMAL.
    """

    real: bool
    states: dict[str, Recording]
    deployed: Recording

    @property
    def origin(self) -> str:
        """What the figures are of, in words."""
        note = f" {NOTE}" if SMALL else ""
        if self.real:
            return f"Data: the public ceiling-fan recordings (S. Hymel, 2020), 200 Hz.{note}"
        return (
            "Data: a SYNTHETIC fan, since the public ceiling-fan recordings are not here; fetch"
            " them with `tinyol data fetch ceiling-fan`. The figures in the text are those of the"
            f" real ones.{note}"
        )

    def split(self, label: str, share: float = 0.6) -> tuple[Recording, Recording]:
        """A state's recording in the order of time: the first `share` to learn from, the rest to
        be measured on. The border is a gap where the recording has any.
        """
        whole = self.states[label]
        border = round(share * whole.n_samples)
        if len(whole.gaps):
            border = int(whole.gaps[np.argmin(np.abs(whole.gaps - border))])
        return whole.slice(0, border), whole.slice(border, whole.n_samples)


def load_fan(seconds: float = SECONDS, folder: str | os.PathLike[str] | None = None) -> FanData:
    """The ceiling fan where it is found, else the synthetic fan.

    Args:
        seconds: of each recording at most, from its beginning.
        folder: where to look; None: in the places named above.

    Raises:
        RecordingError: the folder, or what $TINYOL_CEILING_FAN names, has not all recordings.
    """
    found = _find(folder)
    states = _read(found, seconds) if found is not None else _synthesize(seconds)
    return FanData(
        found is not None, {label: states[label] for label in STATES}, states["deployed"]
    )


def _find(folder: str | os.PathLike[str] | None) -> Path | None:
    named = folder if folder is not None else os.environ.get(VARIABLE) or None
    if named is not None:
        return None if named == NOT_AT_ALL else Path(named)
    places = (_BESIDE, cache_dir() / "ceiling-fan")
    return next((place for place in places if place.is_dir()), None)


def _folders() -> Iterator[tuple[str, str]]:
    for label in STATES:
        yield label, f"fan_0_{label}_weight"
    yield "deployed", "fan_0_low-deploy"


def _read(folder: Path, seconds: float) -> dict[str, Recording]:
    missing = [name for _, name in _folders() if not (folder / name).is_dir()]
    if missing:
        raise RecordingError(
            f"{folder}: no folder {', '.join(missing)} in it; `tinyol data fetch ceiling-fan`"
            " fetches the set"
        )
    states = {}
    for label, name in _folders():
        whole = read_recording(folder / name, label=NORMAL if label == "deployed" else label)
        states[label] = whole.slice(0, round(seconds * whole.rate_hz))
    return states


def _synthesize(seconds: float) -> dict[str, Recording]:
    states = {}
    for number, label in enumerate(STATES):
        speed, coin = label.split("_")
        mode, fan = "normal", _at_speed(USB_FAN, _SPEEDS.get(speed, 1.0))
        if speed == "off":
            mode, fan = "stuck", replace(fan, hum_g=0.0, retry_s=0.0)
        if coin == "1":
            fan = replace(fan, imbalance_g=fan.imbalance_g * _COIN)
        made = synthesize(
            mode, seconds, rate_hz=RATE_HZ, seed=number, fan=fan, placement=TRAINING_PLACEMENT
        )
        states[label] = replace(made.with_label(label), name=label)
    deployed = synthesize(
        "normal",
        min(seconds, DEPLOYED_SECONDS),
        rate_hz=RATE_HZ,
        seed=len(STATES),
        fan=_at_speed(FIELD_FAN, _SPEEDS["low"]),
        placement=FIELD_PLACEMENT,
    )
    states["deployed"] = replace(deployed.with_label(NORMAL), name="deployed")
    return states


def _at_speed(fan: Fan, ratio: float) -> Fan:
    return replace(fan, speed_hz=fan.speed_hz / USB_FAN.speed_hz * REFERENCE_SPEED_HZ * ratio)
