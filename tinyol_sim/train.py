"""From recordings to a bundle: windows, projection, autoencoder, int8, threshold.

`train` does the whole; the parts are training_set, pca, windows, autoencoder and train_report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import ModelError, RecordingError
from tinyol_sim.frozen_net.tflite_model import check_for_arduino_tflm, read_tflite
from tinyol_sim.model_image import DEFAULT_FEATURES, Pipeline
from tinyol_sim.recordings import Recording
from tinyol_sim.training.autoencoder import (
    Shape,
    convert_int8,
    hidden_activations,
    load_tensorflow,
    reconstruct,
    train_autoencoder,
)
from tinyol_sim.training.normal_windows import normal_start
from tinyol_sim.training.pca import MIN_VARIANCE, principal_axis
from tinyol_sim.training.train_report import (
    TrainReport,
    pooled_auc,
    round_figures,
    state_figures,
    window_errors,
)
from tinyol_sim.training.training_set import TrainingSet, make_training_set
from tinyol_sim.training.windows import Floats, channels, cut, net_inputs

Progress = Callable[[str, int, int], None]  # what is being done, how much of it, of how much

MAX_REPRESENTATIVE = 2000  # windows of a kind that set the quantiser's ranges
# Where no other state is given, the quantiser still sees vibration this much louder.
HEADROOM = 2.0
# Fine-tuning's rate over 1 + mean |h|^2 of the last layer's input h: a step then takes away this
# share of a window's error, far from the 2 at which normalised LMS would diverge. A sigmoid's
# slope is at most 1/4.
TUNING_SHARE = {"linear": 0.1, "sigmoid": 0.4}


@dataclass(frozen=True)
class TrainOptions:
    """All that decides a bundle besides the recordings."""

    normal: tuple[str, ...] = ()  # labels; empty: "normal", or all where nothing is labelled
    window_len: int = 40  # samples
    hop: int | None = None  # of the device, samples; None: half a window
    axes: str = "projection"
    centring: str = "window"
    layers: tuple[int, ...] | None = None  # widths; None: n-32-4-32-n
    output: str = "linear"
    epochs: int = 100
    seed: int = 0
    features: tuple[str, ...] = DEFAULT_FEATURES
    error_source: str = "tuned"
    threshold_quantile: float = 0.99  # of the error of normal held-out windows
    max_classes: int = 16
    covariance: str = "diagonal"  # of a class of the Gaussian head, or "full"
    rehearsal_rows: int = 112  # feature vectors kept for rehearsal
    rehearsal_windows: int = 16  # windows kept for it
    settings: Mapping[str, float] = field(default_factory=dict)  # go before those found here


@dataclass(frozen=True)
class Trained:
    """A bundle and how good it is."""

    bundle: Bundle
    report: TrainReport


def train(
    recordings: Sequence[Recording],
    options: TrainOptions | None = None,
    *,
    progress: Progress | None = None,
    date: str | None = None,
) -> Trained:
    """Trains an autoencoder on the normal windows and makes a bundle of it.

    Training cuts a window every quarter of one. The bundle's settings get anomaly.threshold and
    reconstruction.learning_rate, and it says what normal was (normal_start). Equal recordings,
    options, TensorFlow and CPU give equal bundles.

    Args:
        recordings: of one rate; see training_set for what is normal and what is held out.
        options: defaults if None.
        progress: called as the work goes on.
        date: kept in the bundle as it stands; left out if None, so that bundles can be equal.

    Raises:
        RecordingError: the recordings do not fit together, or have too few windows.
        ModelError: impossible layers, or a net that the device would run wrongly.
        BundleError: a window setting out of its range.
        TinyOLError: TensorFlow is missing.
    """
    options = options or TrainOptions()
    tell = progress or (lambda what, done, total: None)
    device_hop = max(1, options.window_len // 2) if options.hop is None else options.hop
    hop = max(1, options.window_len // 4)
    if not recordings:
        raise RecordingError("there is no recording to train on")
    if not 0 < options.threshold_quantile < 1:
        raise ModelError(f"threshold_quantile is {options.threshold_quantile}: above 0, below 1")
    plain = Pipeline(
        rate_hz=recordings[0].rate_hz,
        window_len=options.window_len,
        hop=hop,
        axes=options.axes,
        centring=options.centring,
        features=options.features,
        error_source=options.error_source,
        max_classes=options.max_classes,
        covariance=options.covariance,
        rehearsal_rows=options.rehearsal_rows,
        rehearsal_windows=options.rehearsal_windows,
    )
    replace(plain, hop=device_hop)  # refuses an impossible one now, not after the training
    shape = shape_for(options)

    tell("cutting windows", 0, 1)
    found = make_training_set(
        recordings, normal=options.normal, window_len=options.window_len, hop=hop
    )
    pipeline, explained = _fit_pipeline(found, plain, options.output)
    inputs = net_inputs(found.recording.samples, found.starts, pipeline)
    inputs_of_normal = inputs[found.normal & found.training]

    tensorflow = load_tensorflow()
    losses = [0.0]

    def after_epoch(done: int, loss: float) -> None:
        losses.append(loss)
        tell("training", done, options.epochs)

    model = train_autoencoder(
        inputs_of_normal, shape, epochs=options.epochs, seed=options.seed, progress=after_epoch
    )
    tell("converting to int8", 0, 1)
    tflite = convert_int8(model, _representative(inputs, found, pipeline.offset))
    check_for_arduino_tflm(read_tflite(tflite))

    tell("measuring", 0, 1)
    float_errors = np.mean((reconstruct(model, inputs) - inputs) ** 2, axis=1)
    deployed = replace(pipeline, hop=device_hop)
    normal = normal_start(Bundle.create(tflite, deployed), found)
    errors = window_errors(Bundle.create(tflite, pipeline, normal=normal), found, float_errors)
    held_out = found.normal & found.held_out
    settings = {
        "anomaly.threshold": float(
            np.quantile(errors.in_force[held_out], options.threshold_quantile)
        ),
        "reconstruction.learning_rate": _tuning_rate(
            hidden_activations(model, inputs_of_normal), shape
        ),
        **options.settings,
    }
    settings = round_figures(settings)
    bundle = Bundle.create(tflite, deployed, settings=settings, normal=normal)
    report = TrainReport(
        model_id=bundle.model_id,
        rate_hz=pipeline.rate_hz,
        training_windows=len(inputs_of_normal),
        held_out_windows=int(held_out.sum()),
        explained_variance=explained,
        training_loss=losses[-1],
        tflite_bytes=len(bundle.tflite),
        threshold=settings["anomaly.threshold"],
        reconstruction_learning_rate=settings["reconstruction.learning_rate"],
        auc_float=pooled_auc(found, errors.float_net),
        auc_int8=pooled_auc(found, errors.int8_net),
        auc_score=pooled_auc(found, errors.score),
        states=state_figures(found, errors, settings["anomaly.threshold"]),
    )
    provenance = _provenance(recordings, options, shape, report, tensorflow.__version__, date)
    tell("measuring", 1, 1)
    return Trained(replace(bundle, provenance=provenance), report)


def shape_for(options: TrainOptions) -> Shape:
    """The autoencoder's shape; ModelError where it does not fit a window."""
    n_channels = 3 if options.axes == "all" else 1
    n_inputs = options.window_len * n_channels
    layers = options.layers or (n_inputs, 32, 4, 32, n_inputs)
    shape = Shape(layers, options.output)
    if layers[0] != n_inputs:
        raise ModelError(
            f"layers {shape} must begin and end with the values of a window: {n_inputs} "
            f"({options.window_len} samples x {n_channels} channel{'s' * (n_channels > 1)})"
        )
    return shape


def _fit_pipeline(
    found: TrainingSet, plain: Pipeline, output: str
) -> tuple[Pipeline, float | None]:
    """The window settings that depend on the data, and the variance that the projection keeps."""
    starts = found.starts[found.normal & found.training]
    samples, length = found.recording.samples, plain.window_len
    axis = principal_axis(cut(samples, starts, length))
    directed = replace(plain, projection=axis.direction)
    windows = cut(channels(samples, directed), starts, length)  # (w, window_len, channels)
    mean = windows.mean(axis=(0, 1))
    centre = windows.mean(axis=1, keepdims=True) if plain.centring == "window" else mean
    spread = (windows - centre).reshape(-1, plain.n_channels)
    std = np.maximum(spread.std(axis=0), np.sqrt(MIN_VARIANCE))
    # A sigmoid must reach its target: the training data's range becomes [0, 1].
    scale = 0.5 / np.abs(spread).max(axis=0).clip(min=1e-6) if output == "sigmoid" else 1 / std
    fitted = replace(
        directed,
        centre=_three(mean) if plain.centring == "training" else (0.0, 0.0, 0.0),
        scale=_three(scale),
        offset=0.5 if output == "sigmoid" else 0.0,
    )
    return fitted, axis.explained if plain.axes == "projection" else None


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = np.resize(values, 3).tolist()
    return x, y, z


def _representative(inputs: Floats, found: TrainingSet, offset: float) -> Floats:
    """Windows that set the quantiser's ranges: normal, and all other states that there are."""
    normal = _thinned(inputs[found.normal & found.training])
    others = inputs[~found.normal & found.training]
    if not len(others):
        others = (normal - offset) * HEADROOM + offset
    return np.concatenate([normal, _thinned(others)])


def _thinned(windows: Floats) -> Floats:
    step = -(-len(windows) // MAX_REPRESENTATIVE)
    return windows[:: max(step, 1)]


def _tuning_rate(hidden: NDArray[np.float32], shape: Shape) -> float:
    energy = float(np.mean(np.sum(hidden.astype(np.float64) ** 2, axis=1)))
    return float(f"{TUNING_SHARE[shape.output] / (1 + energy):.2g}")


def _provenance(
    recordings: Sequence[Recording],
    options: TrainOptions,
    shape: Shape,
    report: TrainReport,
    tensorflow_version: str,
    date: str | None,
) -> dict[str, Any]:
    sources = [
        {
            "name": recording.name,
            "rate_hz": recording.rate_hz,
            "samples": recording.n_samples,
            "labels": list(recording.label_names),
            "samples_sha256": hashlib.sha256(recording.samples.astype("<f4").tobytes()).hexdigest(),
        }
        for recording in recordings
    ]
    made: dict[str, Any] = {
        "program": f"tinyol {metadata.version('tinyol')}",
        "tensorflow": tensorflow_version,
        "recordings": sources,
        "options": {**asdict(options), "layers": list(shape.layers)},
        "figures": report.as_dict(),
    }
    if date is not None:
        made["date"] = date
    return made
