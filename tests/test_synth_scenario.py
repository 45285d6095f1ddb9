"""The scenario and the training set of the synthetic fan: layout, drift, separability."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from tinyol_host.cli.synth import synth
from tinyol_sim.recordings import Recording, read_recording
from tinyol_sim.synth import (
    FIELD_FAN,
    FIELD_PLACEMENT,
    MODES,
    shipped_scenario,
    synthesize,
    training_recordings,
)

WINDOW_LEN, HOP = 40, 20


@pytest.fixture(scope="module")
def scenario() -> Recording:
    return shipped_scenario(119.0)


@pytest.fixture(scope="module")
def training() -> list[Recording]:
    return training_recordings(119.0)


def stretches(recording: Recording) -> Iterator[tuple[str | None, NDArray[np.float32]]]:
    """(label, samples) of each stretch between two gaps; fails if a stretch mixes labels."""
    borders = [0, *recording.gaps, recording.n_samples]
    for start, stop in pairwise(borders):
        (label,) = set(recording.labels[start:stop].tolist())
        name = None if label < 0 else recording.label_names[label]
        yield name, recording.samples[start:stop]


def windows(samples: NDArray[np.float32], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windows of the projected signal, (n, WINDOW_LEN), each without its mean."""
    projected = samples.astype(np.float64) @ axis
    starts = np.arange(0, len(projected) - WINDOW_LEN + 1, HOP)
    cut = projected[starts[:, None] + np.arange(WINDOW_LEN)]
    return np.asarray(cut - cut.mean(axis=1, keepdims=True))


class Pca:
    """Stands for the autoencoder: reconstructs windows from `n_components` numbers."""

    def __init__(
        self,
        recordings: list[Recording],
        n_components: int,
        axis: NDArray[np.float64] | None = None,
    ) -> None:
        samples = [r.samples - r.samples.mean(axis=0) for r in recordings]
        principal = np.linalg.eigh(np.cov(np.concatenate(samples).T))[1][:, -1]
        self.axis = principal if axis is None else axis
        cut = np.concatenate([windows(r.samples, self.axis) for r in recordings])
        self.basis = np.linalg.svd(cut, full_matrices=False)[2][:n_components]

    def errors(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        cut = windows(samples, self.axis)
        return np.asarray(np.mean((cut - cut @ self.basis.T @ self.basis) ** 2, axis=1))

    def log_variances(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(np.log(windows(samples, self.axis).var(axis=1)))


def test_scenario_layout(scenario: Recording) -> None:
    assert 6 * 60 <= scenario.duration_s <= 8.5 * 60
    assert scenario.label_names == MODES
    parts = list(stretches(scenario))
    assert [label for label, _ in parts] == ["normal", None, *(MODES * 4)]
    lengths_s = [len(samples) / scenario.rate_hz for _, samples in parts]
    assert lengths_s == pytest.approx([60.0, 150.0] + [20.0] * 12)
    assert len({samples.tobytes() for _, samples in parts}) == len(parts)


def test_training_set_layout(training: list[Recording]) -> None:
    assert all(len(r.gaps) == 0 for r in training)
    labels = [next(stretches(r))[0] for r in training]
    assert labels == ["normal"] * 5 + ["stuck", "tilted"]
    assert sum(r.duration_s for r in training[:5]) == pytest.approx(300.0)


def test_drift_raises_the_reconstruction_error(
    scenario: Recording, training: list[Recording]
) -> None:
    pca = Pca(training[:5], n_components=8)
    before, after = (pca.errors(samples).mean() for _, samples in list(stretches(scenario))[:2])
    trained_on = np.mean([pca.errors(r.samples).mean() for r in training[:5]])
    assert before / trained_on == pytest.approx(1.0, abs=0.3)
    assert 2.5 < after / before < 10


def test_new_fit_in_the_field_repairs_the_drift(
    scenario: Recording, training: list[Recording]
) -> None:
    parts = list(stretches(scenario))
    field = synthesize("normal", 60.0, seed=99, fan=FIELD_FAN, placement=FIELD_PLACEMENT)
    old = Pca(training[:5], n_components=8)
    new = Pca([field], n_components=8, axis=old.axis)
    assert new.errors(parts[1][1]).mean() < 0.6 * old.errors(parts[1][1]).mean()


@pytest.mark.parametrize("axis_of", ["training", "field"])
def test_modes_need_error_and_variance_together(
    scenario: Recording, training: list[Recording], axis_of: str
) -> None:
    parts = list(stretches(scenario))[2:]
    field = synthesize("normal", 60.0, seed=99, fan=FIELD_FAN, placement=FIELD_PLACEMENT)
    axis = Pca(training[:5], 1).axis if axis_of == "training" else None
    pca = Pca([field], n_components=6, axis=axis)
    log_error = {
        m: np.concatenate([np.log(pca.errors(s)) for x, s in parts if x == m]) for m in MODES
    }
    log_variance = {
        m: np.concatenate([pca.log_variances(s) for x, s in parts if x == m]) for m in MODES
    }

    # Tilted and normal are about equally loud; only the error parts them.
    assert 0.2 < auc(log_variance["normal"], log_variance["tilted"]) < 0.85
    assert auc(log_error["normal"], log_error["tilted"]) > 0.9
    # Stuck is quieter: the variance parts it from both, whatever its error.
    assert auc(log_variance["stuck"], log_variance["normal"]) > 0.95
    assert auc(log_variance["stuck"], log_variance["tilted"]) > 0.95


def auc(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Share of pairs in which `high` is the greater one (area under the ROC curve)."""
    return float(np.mean(high[:, None] > low[None, :]))


def test_command_writes_each_mode_with_its_label_and_a_gap(tmp_path: Path) -> None:
    file = tmp_path / "fan.npz"
    arguments = ["tilted", "stuck", "stuck", "-o", str(file), "--seconds", "2", "--seed", "5"]
    result = CliRunner().invoke(synth, [*arguments, "--rate-hz", "100", "--tilt-deg", "90"])
    assert result.exit_code == 0, result.output
    recording = read_recording(file)
    assert recording.rate_hz == 100.0
    assert recording.gaps.tolist() == [200, 400]
    labels, parts = zip(*stretches(recording), strict=True)
    assert labels == ("tilted", "stuck", "stuck")
    assert not np.array_equal(parts[1], parts[2])
    assert abs(parts[1].mean(axis=0)[2]) < 0.01  # on its side: z is level


@pytest.mark.parametrize(
    "arguments",
    [[], ["normal"], ["spinning", "-o", "x.csv"], ["normal", "-o", "x.csv", "--seconds", "0"]],
)
def test_command_refuses_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(synth, arguments).exit_code == 2
