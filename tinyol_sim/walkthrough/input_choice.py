"""What a choice of input is worth and what it costs: rate, window, axes, int8 or float32."""

from __future__ import annotations

import runpy
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyol_sim.bundle import Bundle
from tinyol_sim.emulator.bench import count_instructions
from tinyol_sim.emulator.capacities import capacities_for
from tinyol_sim.recordings import Recording
from tinyol_sim.train import TrainOptions, train
from tinyol_sim.training.roc import roc_auc
from tinyol_sim.twin import Twin
from tinyol_sim.walkthrough.float_net import float_twin_of
from tinyol_sim.walkthrough.lessons import Parts, open_school, teach

SIZE = Path(__file__).resolve().parents[2] / "firmware" / "size.py"
PREDICTING = "window, predicting"
LEARNING = "window, lesson + fine-tuning, SGD"


@dataclass(frozen=True)
class Choice:
    """decimation: samples of the sensor that are averaged to one; window_len: of those."""

    decimation: int = 1
    window_len: int = 64
    axes: str = "projection"
    number: str = "int8"  # or "float32"


@dataclass(frozen=True)
class Worth:
    """What a choice is worth on held-out windows.

    auc: two-sided score, normal against all others. worst_auc: against the state that is hardest
    to tell. macro_f1: all classes, after few lessons of each.
    """

    auc: float
    worst_auc: float
    macro_f1: float


@dataclass(frozen=True)
class Cost:
    """Instructions of a window, counted on the emulated Cortex-M4F, and bytes of static RAM."""

    predicting: int
    learning: int  # a lesson and a fine-tuning step more
    ram: int  # of the core, the net and its arena


def decimated(recording: Recording, factor: int) -> Recording:
    """Means of `factor` samples each; what is left over before a gap is dropped."""
    pieces = []
    for piece in np.split(recording.samples, recording.gaps):
        n = len(piece) // factor
        if n:
            pieces.append(piece[: n * factor].reshape(n, factor, 3).mean(axis=1))
    borders = np.cumsum([len(piece) for piece in pieces])
    samples = np.concatenate(pieces)
    name = recording.label_names[0] if recording.label_names else None
    bare = replace(
        recording,
        samples=samples,
        rate_hz=recording.rate_hz / factor,
        labels=np.full(len(samples), -1, np.int16),
        label_names=(),
        gaps=borders[:-1],
    )
    return bare.with_label(name)


def bundle_for(choice: Choice, parts: Parts, normal: str, *, epochs: int, seed: int = 0) -> Bundle:
    """A bundle of that input, trained on the first of the two recordings of `normal` alone."""
    options = TrainOptions(
        normal=(normal,),
        window_len=choice.window_len,
        hop=choice.window_len,
        axes=choice.axes,
        epochs=epochs,
        seed=seed,
    )
    recording = parts[normal][0]
    bundle = train([recording], options).bundle
    return bundle if choice.number == "int8" else float_twin_of(bundle, recording, options)


def worth_of(bundle: Bundle, parts: Parts, normal: str, *, lessons: int, draws: int) -> Worth:
    """Measures it; parts: two recordings a state, to teach and held out, at the bundle's rate."""
    school = open_school(bundle, parts)
    labels = list(parts)
    seen = dict(zip(labels, school.examine(Twin(bundle), labels), strict=True))
    quiet = seen[normal].score
    others = [seen[label].score for label in labels if label != normal]
    scores = [teach(school, labels, each=lessons, seed=draw).macro_f1[-1] for draw in range(draws)]
    return Worth(
        auc=roc_auc(quiet, np.concatenate(others)),
        worst_auc=min(roc_auc(quiet, other) for other in others),
        macro_f1=float(np.mean(scores)),
    )


def cost_of(bundle: Bundle) -> Cost:
    """Measures it. EmulatorError without the [emulator] extra; SystemExit without a compiler."""
    counts = count_instructions(bundle, cycles=False)
    return Cost(counts[PREDICTING].median, counts[LEARNING].median, ram_of(bundle))


def ram_of(bundle: Bundle) -> int:
    """Bytes of a build for exactly this model, as firmware/size.py finds them."""
    size = runpy.run_path(str(SIZE))
    needed = capacities_for(bundle.model_image)
    command, _ = size["compiler"]()
    with tempfile.TemporaryDirectory() as folder:
        sizes = size["ram"](command, needed.macros, Path(folder))
    return int(sizes["device"] + sizes["blob_net"] + needed.arena_bytes)
