"""One head by itself: the bits of a whole device with the same features, labels and settings."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyol_sim.benchmark.paper_bundle import at_hop, paper_bundle
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.errors import DeviceError
from tinyol_sim.online_classifier import SETTINGS_OF, OnlineClassifier
from tinyol_sim.settings import SETTINGS
from tinyol_sim.synth import MODES, synthesize
from tinyol_sim.twin import Twin, Windows


@cache
def stretches() -> tuple[np.ndarray, np.ndarray]:
    parts = [synthesize(mode, 6.0, seed=7).samples for mode in MODES]
    return np.concatenate(parts), np.repeat(np.arange(len(MODES)), [len(p) for p in parts])


def fed(bundle: Bundle, settings: dict[str, float]) -> tuple[Twin, Windows]:
    twin = Twin(bundle)
    for name in MODES:
        twin.add_class(name)
    for name, value in settings.items():
        twin.set(name, value)
    return twin, twin.feed(*stretches())


def in_use(twin: Twin, head: str) -> dict[str, float]:
    return {name: twin.get(name) for name in SETTINGS_OF[head]}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"classifier.bias": 1.0, "classifier.balanced": 1.0},
        {"classifier.schedule": 1.0, "classifier.l2": 0.01, "classifier.clip_norm": 0.5},
        {"statistics.horizon": 64.0, "classifier.learn": 0.0},
        {"statistics.learn": 0.0},
    ],
)
def test_a_softmax_head_has_the_bits_of_a_whole_twin(settings: dict[str, float]) -> None:
    twin, windows = fed(paper_bundle(default_bundle(), hop=1), settings)
    d, k = windows.features.shape[1], len(MODES)
    alone = OnlineClassifier(d, k, head="softmax", settings=in_use(twin, "softmax"))
    found = alone.learn(windows.features, windows.label)
    np.testing.assert_array_equal(found.predicted, windows.predicted)
    np.testing.assert_array_equal(found.probabilities, windows.probabilities)
    np.testing.assert_array_equal(found.learned, windows.learned)
    assert found.learned.any() == (settings.get("classifier.learn") != 0.0)
    for name, weights in alone.weights().items():
        np.testing.assert_array_equal(weights, twin.weights()[name])
    for one, other in zip(alone.statistics(), twin.statistics(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_a_gaussian_head_has_the_bits_of_a_whole_twin(covariance: str) -> None:
    start = at_hop(default_bundle(), 1)
    bundle = Bundle.create(
        start.tflite,
        replace(start.pipeline, covariance=covariance),
        settings=start.settings,
        taps=start.taps,
        normal=start.normal,
    )
    twin, windows = fed(bundle, {"unknown.false_rate": 0.01})
    alone = OnlineClassifier(
        windows.features.shape[1],
        len(MODES),
        covariance=covariance,
        prior=start.normal.prior,
        settings=in_use(twin, "gaussian"),
    )
    # In pieces, as the twin in one: there is no difference.
    parts = [
        alone.learn(windows.features[piece], windows.label[piece])
        for piece in (slice(0, 1), slice(1, 1000), slice(1000, None))
    ]
    predicted, probabilities, novelty = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("predicted", "probabilities", "novelty")
    )
    np.testing.assert_array_equal(predicted, windows.predicted)
    np.testing.assert_array_equal(probabilities, windows.probabilities)
    np.testing.assert_array_equal(novelty, windows.novelty)
    assert (novelty > 0).any()
    for name, weights in alone.weights().items():
        np.testing.assert_array_equal(weights, twin.weights()[name])
    lessons = [status.lessons for status in twin.class_status()]
    assert alone.lessons().tolist() == lessons
    assert sum(lessons) == (windows.label >= 0).sum()


@pytest.mark.parametrize("head", ["softmax", "gaussian"])
def test_predicting_changes_nothing(head: str) -> None:
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(200, 4)), rng.integers(-1, 3, 200)
    classifier = OnlineClassifier(4, 3, head=head)
    assert (classifier.predict(rows).predicted == (0 if head == "softmax" else -1)).all()
    assert classifier.statistics()[0] == 0
    classifier.learn(rows, labels)
    before = classifier.weights(), classifier.lessons().tolist()
    first = classifier.predict(rows)
    again = classifier.predict(rows.astype(np.float32))
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert not first.learned.any()
    assert before[1] == classifier.lessons().tolist() == np.bincount(labels + 1)[1:].tolist()
    for name, weights in classifier.weights().items():
        np.testing.assert_array_equal(weights, before[0][name])
    np.testing.assert_allclose(first.probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("head", ["softmax", "gaussian"])
@given(bad=st.sampled_from([np.nan, np.inf, -np.inf, 2e12, 1e300]), at=st.integers(0, 49))
def test_a_row_that_is_no_number_is_refused_and_teaches_nothing(
    head: str, bad: float, at: int
) -> None:
    rng = np.random.default_rng(2)
    rows, labels = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    spoiled = rows.copy()
    spoiled[at, 1] = bad
    one, other = (OnlineClassifier(3, 2, head=head) for _ in range(2))
    found = one.learn(spoiled, labels)
    expected = other.learn(np.delete(rows, at, axis=0), np.delete(labels, at))
    assert (found.refused, expected.refused) == (1, 0)
    assert (found.predicted[at], found.novelty[at], found.learned[at]) == (-1, 0, False)
    assert not found.probabilities[at].any()
    np.testing.assert_array_equal(
        np.delete(found.probabilities, at, axis=0), expected.probabilities
    )
    for name, weights in one.weights().items():
        np.testing.assert_array_equal(weights, other.weights()[name])


def test_what_can_be_learned_is_learned() -> None:
    """Two rings around each other: no line parts them, a Gaussian a class does."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 2000)
    rows = rng.normal(size=(2000, 2)) * np.where(labels == 0, 0.2, 2.0)[:, None]
    right = {}
    for head in ("softmax", "gaussian"):
        found = OnlineClassifier(2, 2, head=head).learn(rows, labels)
        right[head] = (found.predicted[500:] == labels[500:]).mean()
    assert right["gaussian"] > 0.9 > 0.7 > right["softmax"]


def test_no_rows_are_no_mistake() -> None:
    found = OnlineClassifier(3, 2).learn(np.empty((0, 3)), [])
    assert (len(found), found.probabilities.shape, found.refused) == (0, (0, 2), 0)


def test_two_classifiers_learn_at_the_same_time() -> None:
    rows = np.random.default_rng(4).normal(size=(20_000, 8))
    labels = np.arange(20_000) % 3
    expected = OnlineClassifier(8, 3).learn(rows, labels).probabilities
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(OnlineClassifier(8, 3).learn(rows, labels).probabilities)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for probabilities in found:
        np.testing.assert_array_equal(probabilities, expected)


def test_python_runs_on_while_it_learns() -> None:
    """Held, the GIL would stop this thread for as long as the call takes."""
    rows = np.random.default_rng(5).normal(size=(100_000, 16)).astype(np.float32)
    labels = np.arange(len(rows), dtype=np.int16) % 8
    classifier = OnlineClassifier(16, 8, covariance="full")
    took: list[float] = []

    def learn() -> None:
        start = time.perf_counter()
        classifier.learn(rows, labels)
        took.append(time.perf_counter() - start)

    thread = threading.Thread(target=learn)
    thread.start()
    seen = [time.perf_counter()]
    while not took:
        seen.append(time.perf_counter())
    thread.join()
    assert np.diff(seen).max() < took[0] / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head": "tree"}, "no head 'tree'; there are: softmax, gaussian"),
        ({"covariance": "round"}, "must be diagonal or full"),
        ({"n_features": 0}, "n_features is 0; it must be a whole number from 1 to 65535"),
        ({"n_classes": 0}, "n_classes is 0; it must be a whole number from 1"),
        ({"n_features": 2**40}, "n_features is 1099511627776; it must be .* to 65535"),
        ({"n_features": 1.5}, "n_features is 1.5; it must be a whole number"),
        ({"n_classes": "3"}, "n_classes is '3'; it must be a whole number"),
        ({"n_classes": True}, "n_classes is True; it must be a whole number"),
        ({"prior": ["a", "b", "c", "d"]}, "prior must be numbers, not <U1"),
        ({"prior": [1, 2, [3], 4]}, "prior must be numbers: "),
        ({"prior": [1, 2, 3, 1e300]}, "prior: out of range"),
        ({"settings": {"gaussian.horizon": "x"}}, "gaussian.horizon must be .*, not 'x'"),
        ({"settings": {"gaussian.horizon": 10**400}}, "gaussian.horizon must be a whole number"),
        ({"n_features": 65}, r"TINYOL_MAX_FEATURES: .* \(needed 65, found 64\)"),
        ({"n_classes": 65}, r"TINYOL_MAX_CLASSES: .* \(needed 65, found 64\)"),
        ({"prior": [1.0]}, r"must be \(4,\)"),
        ({"prior": [1.0, 1.0, 0.0, 1.0]}, "prior: out of range"),
        ({"prior": [1.0, 1.0, np.nan, 1.0]}, "prior: out of range"),
        ({"settings": {"classifier.speed": 1.0}}, "has no say in a gaussian head"),
        ({"settings": {"classifier.rehearsal": 4.0}, "head": "softmax"}, "has no say in a soft"),
        ({"settings": {"gaussian.horizon": 1.0}}, "must be a whole number from 16 to 65536"),
        ({"settings": {"statistics.horizon": 64.5}}, "must be a whole number from 16 to"),
    ],
)
def test_wrong_arguments_say_what_would_be_right(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(DeviceError, match=message):
        OnlineClassifier(**{"n_features": 4, "n_classes": 3, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (np.zeros(4), None, r"must be \(n, 4\)"),
        (np.zeros((2, 3)), None, r"must be \(n, 4\)"),
        (np.zeros((2, 4)), [0], "there are 2 rows"),
        (np.zeros((2, 4)), [0, 3], "labels go from 0 to 3; this classifier has 3 classes"),
        (np.zeros((2, 4)), [-2, 0], "labels go from -2 to 0"),
        (np.zeros((2, 4)), [0.0, 1.0], "labels must be whole numbers, not float64"),
        (np.zeros((2, 4)), [0, 1 << 16], "labels go from 0 to 65536"),
        (np.zeros((2, 4)), [0, [1]], "labels must be whole numbers: "),
        (np.ones((2, 4)) * 1j, None, "features must be numbers, not complex128"),
        (np.zeros((2, 4), "M8[s]"), None, "features must be numbers, not datetime64"),
        ([["1", "2", "3", "4"]], None, "features must be numbers, not <U1"),
        ([[1, 2, 3, 4], [1]], None, "features must be numbers: "),
        ({"x": 1}, None, "features must be numbers: "),
    ],
)
def test_wrong_rows_and_labels_are_refused_whole(
    rows: np.ndarray, labels: list[int] | None, message: str
) -> None:
    classifier = OnlineClassifier(4, 3)
    with pytest.raises(DeviceError, match=message):
        classifier.learn(rows, labels)
    assert classifier.statistics()[0] == 0


def test_every_setting_named_is_one_of_the_device() -> None:
    assert set(SETTINGS) >= {name for names in SETTINGS_OF.values() for name in names}
