"""The parts of training: windows against the core, projection, AUC, what is held out, shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_nets import autoencoder

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import ModelError, RecordingError
from tinyol_sim.frozen_net.net_reference import run_reference
from tinyol_sim.frozen_net.tflite_model import read_tflite
from tinyol_sim.model_image import FEATURES, Pipeline
from tinyol_sim.normal_start import DEFAULT_PRIORS
from tinyol_sim.recordings import Recording
from tinyol_sim.training.autoencoder import Shape
from tinyol_sim.training.normal_windows import normal_start
from tinyol_sim.training.pca import principal_axis
from tinyol_sim.training.roc import roc_auc
from tinyol_sim.training.training_set import make_training_set
from tinyol_sim.training.windows import log_variances, net_inputs, window_labels, window_starts
from tinyol_sim.twin import Twin

NET = autoencoder((12, 7, 3, 7, 12), seed=1)
PROJECTED = Pipeline(rate_hz=100.0, window_len=12, hop=5, projection=(0.6, -0.48, 0.64))
PIPELINES = {
    "projection, window": replace(PROJECTED, scale=(9.0, 1.0, 1.0), offset=0.5),
    "projection, training": replace(
        PROJECTED, centring="training", centre=(0.3, 0.0, 0.0), scale=(9.0, 1.0, 1.0)
    ),
    "all, training": replace(
        PROJECTED,
        window_len=4,
        axes="all",
        centring="training",
        centre=(0.0, -0.5, 1.0),
        scale=(3.0, 5.0, 7.0),
    ),
}


def recording(
    samples: Any, labels: Any = None, gaps: Any = (), names: Any = (), rate_hz: float = 100.0
) -> Recording:
    samples = np.asarray(samples, np.float32)
    bare = np.full(len(samples), -1) if labels is None else labels
    gaps = np.asarray(gaps, np.int64)
    return Recording(samples, rate_hz, np.asarray(bare), tuple(names), gaps, "made")


def noise(n: int, seed: int = 0, rate_hz: float = 100.0) -> Recording:
    return recording(np.random.default_rng(seed).normal(0, 0.3, (n, 3)), rate_hz=rate_hz)


@pytest.mark.parametrize("name", PIPELINES)
def test_windows_are_the_cores(name: str) -> None:
    pipeline = PIPELINES[name]
    made = recording(noise(400, seed=3).samples + np.float32(0.7), gaps=[7, 100, 103, 250])
    starts = window_starts(made, pipeline.window_len, pipeline.hop)
    seen = Twin(Bundle.create(NET, pipeline)).feed(made.samples, gaps=made.gaps)
    np.testing.assert_array_equal(starts, seen.sample_index - pipeline.window_len + 1)
    ours = log_variances(made.samples, starts, pipeline)
    np.testing.assert_allclose(seen.log_variance, ours, atol=1e-5)

    # The error shows that the net was given the same numbers.
    inputs = net_inputs(made.samples, starts, pipeline)
    model = read_tflite(NET)
    first, last = model.input, model.tensors[model.outputs[0]]
    # The net's numbers are whole steps: halves are far between in random data.
    rows = np.clip(np.rint(inputs / first.scale) + first.zero_point, -128, 127).astype(np.int8)
    stored = run_reference(model, rows)[last.index].astype(np.float64)
    error = np.mean(((stored - last.zero_point) * last.scale - inputs) ** 2, axis=1)
    np.testing.assert_allclose(seen.error, error, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), hop=st.integers(1, 30))
def test_a_window_has_a_label_exactly_where_the_core_learns(data: Any, hop: int) -> None:
    runs = data.draw(
        st.lists(st.tuples(st.integers(-1, 1), st.integers(1, 40)), min_size=1, max_size=8)
    )
    labels = np.repeat([label for label, _ in runs], [length for _, length in runs])
    gaps = sorted(data.draw(st.sets(st.integers(1, max(1, len(labels) - 1)), max_size=3)))
    gaps = [gap for gap in gaps if gap < len(labels)]
    made = recording(noise(len(labels)).samples, labels, gaps, ("a", "b"))
    twin = Twin(Bundle.create(NET, replace(PROJECTED, hop=hop)))
    for name in made.label_names:
        twin.add_class(name)
    seen = twin.feed(made.samples, labels=made.labels, gaps=made.gaps)
    starts = window_starts(made, 12, hop)
    np.testing.assert_array_equal(window_labels(made, starts, 12), seen.label)


@pytest.mark.parametrize("hop", [4, 6, 30])
def test_normal_is_measured_on_whole_windows_of_the_training_part(hop: int) -> None:
    labels = np.repeat([0, 1, 0, -1], [1500, 400, 900, 200])
    louder = np.where(labels == 1, 5, 1)[:, None] * noise(3000, seed=4).samples
    made = recording(louder, labels, gaps=[700, 2100], names=("normal", "loud"))
    found = make_training_set([made], window_len=12, hop=3)
    bundle = Bundle.create(NET, replace(PROJECTED, hop=hop, features=FEATURES))
    start = normal_start(bundle, found)

    covered = samples_of(found.starts[found.normal & found.training], 12)
    seen = Twin(bundle).feed(made.samples, gaps=made.gaps)
    inside = np.array([set(range(i - 11, i + 1)) <= covered for i in seen.sample_index])
    pairs = np.stack([np.log(seen.tuned_error[inside]), seen.log_variance[inside]]).astype(float)
    assert start.count == inside.sum() > 20
    np.testing.assert_allclose(start.mean, pairs.mean(axis=1), rtol=1e-5)
    expected = np.cov(pairs, bias=True)[[0, 0, 1], [0, 1, 1]]
    np.testing.assert_allclose(start.covariance, expected, rtol=1e-3, atol=1e-6)
    spread = seen.features[inside].astype(float).var(axis=0)
    np.testing.assert_allclose(start.prior, spread, rtol=1e-4)


def test_a_prior_is_the_spread_within_one_label() -> None:
    labels = np.repeat([0, 1], 1500)
    louder = np.where(labels == 1, 20, 1)[:, None] * noise(3000, seed=4).samples
    made = recording(louder, labels, names=("slow", "fast"))
    both, slow = (
        make_training_set([made], normal=names, window_len=12, hop=3)
        for names in (("slow", "fast"), ("slow",))
    )
    bundle = Bundle.create(NET, replace(PROJECTED, features=("axis_log_variance",)))
    of_both, of_slow = (normal_start(bundle, found) for found in (both, slow))
    # ln of the variance spreads alike at any loudness; between the two it jumps by ln 400.
    np.testing.assert_allclose(of_both.prior, of_slow.prior, rtol=0.3)
    assert of_both.covariance[2] > 5 > 1 > of_slow.covariance[2]


def test_what_stood_still_in_training_may_still_move() -> None:
    made = noise(3000)
    still = replace(made, samples=made.samples * np.float32([0, 1, 1]))
    found = make_training_set([still], window_len=12, hop=3)
    bundle = Bundle.create(NET, replace(PROJECTED, features=("axis_log_variance",)))
    start = normal_start(bundle, found)
    assert start.prior[0] == np.float32(1e-3) * np.float32(DEFAULT_PRIORS["axis_log_variance"])
    assert start.prior[1] > 0.01


def test_without_a_window_nothing_is_known() -> None:
    found = make_training_set([noise(600)], window_len=12, hop=3)
    bundle = Bundle.create(NET, replace(PROJECTED, hop=5000))
    start = normal_start(bundle, found)
    assert start.count == 0
    assert start.to_bytes() == bundle.normal.to_bytes()


@pytest.mark.parametrize("direction", [(0.0, 0.6, 0.8), (-0.9, 0.3, -0.3), (0.1, -0.99, 0.05)])
def test_axis_is_that_of_the_vibration_whatever_gravity_does(direction: Any) -> None:
    axis = np.asarray(direction) / np.linalg.norm(direction)
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 1, (200, 40, 1)) * axis + rng.normal(0, 0.05, (200, 40, 3))
    windows += 30 * rng.normal(0, 1, (200, 1, 3))  # another position in each window
    found = principal_axis(windows)
    assert abs(np.dot(found.direction, axis)) > 0.999
    assert np.linalg.norm(found.direction) == pytest.approx(1.0)
    assert max(found.direction, key=abs) > 0
    assert found.explained > 0.98
    assert principal_axis(-windows) == found


def test_no_axis_without_vibration() -> None:
    with pytest.raises(RecordingError, match="do not vary"):
        principal_axis(np.ones((10, 40, 3)))


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=20),
    st.lists(st.integers(-3, 3), min_size=1, max_size=20),
)
def test_auc_is_the_share_of_pairs_in_order(low: list[int], high: list[int]) -> None:
    pairs = [(h > n) + 0.5 * (h == n) for h in high for n in low]
    assert roc_auc(low, high) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_auc_of_nothing_is_not_a_number() -> None:
    assert np.isnan(roc_auc([], [1.0]))


def samples_of(starts: Any, window_len: int) -> set[int]:
    return set((np.asarray(starts)[:, None] + np.arange(window_len)).ravel().tolist())


def test_held_out_is_later_and_shares_no_sample() -> None:
    labels = np.tile(np.repeat([0, 1], 1500), 2)  # normal, loud, normal, loud
    first = recording(noise(6000).samples, labels, names=("normal", "loud"))
    second = recording(noise(3000, seed=1).samples, np.zeros(3000, int), names=("normal",))
    found = make_training_set([first, second], window_len=40, hop=10)
    assert not np.any(found.training & found.held_out)
    before, after = (
        samples_of(found.starts[mask], 40) for mask in (found.training, found.held_out)
    )
    assert not before & after
    for members in (found.normal, found.of("loud")):
        for low, high in ((0, 6000), (6000, 9000)):
            inside = members & (found.starts >= low) & (found.starts < high)
            if not np.any(inside):
                continue
            training, held_out = inside & found.training, inside & found.held_out
            assert found.starts[training].max() < found.starts[held_out].min()
            assert held_out.sum() / inside.sum() == pytest.approx(0.2, abs=0.02)
            assert training.sum() / inside.sum() == pytest.approx(0.8, abs=0.03)
    assert found.other_names == ("loud",)


def test_everything_is_normal_where_nothing_is_labelled() -> None:
    found = make_training_set([noise(3000)], window_len=40, hop=10)
    assert found.normal.all()
    assert found.normal_names == ()


def test_unlabelled_stretches_of_labelled_recordings_are_not_normal() -> None:
    labels = np.repeat([-1, 0], 3000)
    made = recording(noise(6000).samples, labels, names=("normal",))
    found = make_training_set([made], window_len=40, hop=10)
    assert found.starts[found.normal].min() >= 3000


@pytest.mark.parametrize(
    ("recordings", "normal", "said"),
    [
        ([], [], "no recording"),
        ([noise(3000), noise(3000, rate_hz=119.0)], [], "100 Hz and made has 119 Hz"),
        ([noise(900)], [], "too few windows: 66 .* at least 100"),
        ([noise(30)], [], "too few windows: 0 "),
        (
            [noise(3000)],
            ["low"],
            "'low'; nothing is labelled: leave --normal out, .* convert --label",
        ),
        ([noise(3000).with_label("low")], [], "labelled 'normal'; the labels are low"),
        ([noise(3000).with_label("normal"), noise(99).with_label("b")], ["a"], "are normal, b"),
        ([recording(np.full((3000, 3), 2e4))], [], "made: sample 0 is beyond 10000 g"),
    ],
)
def test_unusable_recordings_are_refused(
    recordings: list[Recording], normal: list[str], said: str
) -> None:
    with pytest.raises(RecordingError, match=said):
        make_training_set(recordings, normal=normal, window_len=40, hop=10)


def test_shape_has_a_linear_embedding_where_it_is_narrowest() -> None:
    shape = Shape.parse("40-32-4-4-32-40", "sigmoid")
    assert shape.layers == (40, 32, 4, 4, 32, 40)
    assert shape.activations() == ["relu", "linear", "relu", "relu", "sigmoid"]
    assert str(shape) == "40-32-4-4-32-40"


@pytest.mark.parametrize("text", ["", "40", "40-40", "40-4-41", "40-0-40", "40-x-40", "40--40"])
def test_impossible_shapes_are_refused(text: str) -> None:
    with pytest.raises(ModelError, match="layers"):
        Shape.parse(text)
