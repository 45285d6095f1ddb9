"""`tinyol synth`: writes a recording of the simulated fan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from tinyol_sim.counted import counted
from tinyol_sim.recordings import concatenate, write_recording
from tinyol_sim.synth import MODES, TRAINING_PLACEMENT, synthesize


@click.command()
@click.argument("modes", metavar="MODE...", nargs=-1, required=True, type=click.Choice(MODES))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .csv, .npz, or .json (Edge Impulse; one mode only).",
)
@click.option(
    "--seconds",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0.1, 3600),
    help="Length of each mode.",
)
@click.option(
    "--rate-hz",
    default=119.0,
    show_default=True,
    type=click.FloatRange(1, 2000),
    help="Samples a second: 119 for the LSM9DS1 (Sense rev 1), 100 for the BMI270 (rev 2).",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Same seed, same recording.",
)
@click.option(
    "--tilt-deg", default=0.0, show_default=True, help="Board turned about its x axis, degrees."
)
@click.option(
    "--rotate-deg", default=0.0, show_default=True, help="Board turned about its z axis, degrees."
)
def synth(
    modes: tuple[str, ...],
    output: Path,
    seconds: float,
    rate_hz: float,
    seed: int,
    tilt_deg: float,
    rotate_deg: float,
) -> None:
    """Write a recording of a simulated USB fan: MODE is normal, stuck or tilted.

    Several modes follow one another, each labelled, with a gap between them.
    """
    placement = replace(TRAINING_PLACEMENT, tilt_deg=tilt_deg, rotate_deg=rotate_deg)
    stretches = [
        # A mode that is named twice is recorded twice, not copied.
        synthesize(mode, seconds, rate_hz=rate_hz, seed=seed + i, placement=placement)
        for i, mode in enumerate(modes)
    ]
    recording = concatenate(stretches, name=output.stem)
    replaced = "replaced, " if output.exists() else ""
    write_recording(recording, output)
    n_samples = counted(recording.n_samples, "sample")
    click.echo(f"{output}: {replaced}{n_samples}, {recording.duration_s:.1f} s")
