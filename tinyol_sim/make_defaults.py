"""Makes the files in tinyol_sim/data: the default bundles and the scenario that the demo replays.

    python -m tinyol_sim.make_defaults [FOLDER]

Everything comes from the synthetic fan. The same numpy, TensorFlow and kind of CPU give the same
bytes. Needs TensorFlow: pip install "tinyol[train]".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinyol_sim.bundle import DEFAULT_BUNDLES
from tinyol_sim.errors import TinyOLError
from tinyol_sim.recordings import write_recording
from tinyol_sim.synth import shipped_scenario, training_recordings
from tinyol_sim.train import Progress, Trained, TrainOptions, train

SCENARIO_RATE_HZ = 119.0
SCENARIO_FILE = "fan-119hz.npz"

# Of the softmax head. With its rehearsal 0.05 to 0.5 end within 0.002 of each other in macro F1 on
# the shipped scenario, without within 0.005.
CLASSIFIER_LEARNING_RATE = 0.2


def make_default_bundle(rate_hz: float, *, progress: Progress | None = None) -> Trained:
    """Trains the bundle that ships for a board's sampling rate."""
    options = TrainOptions(settings={"classifier.learning_rate": CLASSIFIER_LEARNING_RATE})
    return train(training_recordings(rate_hz), options, progress=progress)


def main(arguments: list[str] | None = None) -> int:
    """Writes all three files; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tinyol_sim.make_defaults", description="Makes the default bundles."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "data")
    folder: Path = parser.parse_args(arguments).folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for rate_hz, name in DEFAULT_BUNDLES.items():
            trained = make_default_bundle(rate_hz)
            trained.bundle.save(folder / name)
            report = trained.report
            print(f"{folder / name}: model {report.model_id}, threshold {report.threshold:g}")
        write_recording(shipped_scenario(SCENARIO_RATE_HZ), folder / SCENARIO_FILE)
        print(folder / SCENARIO_FILE)
    except (TinyOLError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
