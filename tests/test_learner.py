"""Algorithm 1 as a whole: a twin and the float64 reference, side by side, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import reference_learner as ref
from numpy.typing import NDArray
from reference_algorithm import Learner, Lesson
from reference_heads import from_triangle
from small_models import float_bundle, float_net, int8_bundle, plan_of, taps_of, vibration

from tinyol_sim.bundle import Bundle
from tinyol_sim.frozen_net.tflite_model import read_tflite
from tinyol_sim.frozen_net.tflite_taps import last_layer
from tinyol_sim.model_image import FEATURES
from tinyol_sim.twin import NOTICES, Twin, Windows

RTOL, ATOL = 2e-4, 2e-4  # float32 against float64 after thousands of steps
JUDGED = 2e-3


@dataclass
class SideBySide:
    """Gives every command to both and holds every window of the one against the other."""

    bundle: Bundle
    learner: Learner
    samples: NDArray[np.float32]
    gaps: Sequence[int] = ()
    at: int = 0
    names: list[str] = field(default_factory=list)
    label_index: int = -1
    label_from: int = 0
    label_left: float = 0
    tuning_left: float = 0
    seen: list[tuple[NDArray[np.float64], bool]] = field(default_factory=list)
    lessons: int = 0
    moved: bool = False
    changed: bool = False
    notices: int = 0

    def __post_init__(self) -> None:
        self.twin = Twin(self.bundle)
        self.confusion = np.zeros((0, 0), int)
        windows = ref.cut_windows(plan_of(self.bundle.pipeline), self.samples, self.gaps)
        self.windows = iter(windows)
        self.next = next(self.windows, None)

    def feed(self, n: int) -> None:
        start, stop = self.at, self.at + n
        inside = [gap - start for gap in self.gaps if start <= gap < stop]
        windows = self.twin.feed(self.samples[start:stop], gaps=inside)
        self.notices |= int(np.bitwise_or.reduce(windows.notices, initial=0))
        i = 0
        while self.next is not None and self.next.last_sample < stop:
            assert windows.sample_index[i] == self.next.last_sample
            truth = self._truth(self.next.last_sample + 1 - self.bundle.pipeline.window_len)
            assert windows.label[i] == truth
            tune = self.tuning_left > 0
            self.tuning_left -= tune
            lesson = self.learner.process(self.next, truth, tune)
            assert windows.fine_tuned[i] == tune
            assert windows.learned[i] == (truth >= 0)
            pairs = (
                (windows.error[i], lesson.error),
                (windows.tuned_error[i], lesson.tuned_error),
                (windows.log_variance[i], self.next.log_variance),
                (windows.features[i], lesson.features),
            )
            for ours, theirs in pairs:
                np.testing.assert_allclose(ours, theirs, rtol=RTOL, atol=ATOL)
            # A small difference in a feature is a larger one in a squared distance.
            judged = (
                (windows.probabilities[i], lesson.probabilities),
                (windows.loss[i], lesson.loss),
                (windows.novelty[i], lesson.novelty),
                (windows.score[i], lesson.verdict.score),
            )
            for ours, theirs in judged:
                np.testing.assert_allclose(ours, theirs, rtol=JUDGED, atol=JUDGED)
            self._compare_notices(windows, i, lesson, truth)
            if lesson.probabilities.any():
                predicted = windows.predicted[i]
                assert lesson.probabilities[predicted] >= lesson.probabilities.max() - JUDGED
                assert windows.confidence[i] == windows.probabilities[i, predicted]
                if truth >= 0:
                    self.confusion[truth, predicted] += 1
            else:
                assert windows.predicted[i] == -1
            self.lessons += truth >= 0
            self.seen.append((lesson.features, truth >= 0))
            self.next = next(self.windows, None)
            i += 1
        assert i == len(windows)
        self.at = stop
        self.compare()

    def _compare_notices(self, windows: Windows, i: int, lesson: Lesson, truth: int) -> None:
        """What is judged, where it is not on the edge."""
        if abs(lesson.verdict.score - 1) > JUDGED:
            assert windows.anomaly[i] == lesson.verdict.anomaly
            assert windows.alarm[i] == lesson.verdict.alarm
            assert windows.noticed("alarm_began")[i] == lesson.verdict.began
            assert windows.noticed("alarm_ended")[i] == lesson.verdict.ended
        if abs(lesson.novelty - 1) > JUDGED:
            assert windows.unknown[i] == (lesson.novelty > 1 and truth < 0)
        assert windows.noticed("moved_began")[i] == (lesson.moved and not self.moved)
        assert windows.noticed("moved_ended")[i] == (self.moved and not lesson.moved)
        assert windows.noticed("changed")[i] == (lesson.changed and not self.changed)
        self.moved, self.changed = lesson.moved, lesson.changed

    def _truth(self, first_sample: int) -> int:
        if self.label_left <= 0 or first_sample < self.label_from:
            return -1
        self.label_left -= 1
        return self.label_index

    def label(self, name: str | None, windows: int | None = None) -> None:
        self.twin.label(name, windows)
        self.label_index = -1 if name is None else self.names.index(name)
        self.label_from = self.at
        self.label_left = 0 if name is None else np.inf if windows is None else windows

    def label_back(self, name: str, windows: int) -> None:
        """As many as are remembered and were not lessons yet, the oldest first."""
        truth = self.names.index(name)
        kept = min(len(self.seen), self.bundle.pipeline.ring_len)
        first = len(self.seen) - min(windows, kept)
        lessons = 0
        for i in range(first, len(self.seen)):
            features, labelled = self.seen[i]
            if labelled:
                continue
            self._learn_late(features, truth)
            self.seen[i] = (features, True)
            lessons += 1
        assert self.twin.label_back(name, windows) == lessons
        self.compare()

    def relearn(self, name: str, windows: int) -> None:
        """Those that are remembered, lessons or not, the oldest first; the class begins anew."""
        truth = self.names.index(name)
        kept = min(len(self.seen), self.bundle.pipeline.ring_len, windows)
        self.learner.restart_class(truth)
        for i in range(len(self.seen) - kept, len(self.seen)):
            self._learn_late(self.seen[i][0], truth)
            self.seen[i] = (self.seen[i][0], True)
        assert self.twin.relearn(name, windows) == kept
        self.compare()

    def _learn_late(self, features: NDArray[np.float64], truth: int) -> None:
        probabilities = self.learner.predict(features)
        if probabilities.any():
            self.confusion[truth, np.argmax(probabilities)] += 1
        self.learner.learn(features, truth)
        self.lessons += 1

    def weigh(self, name: str, weight: float) -> None:
        self.twin.set_class_weight(name, weight)
        self.learner.classes[self.names.index(name)].weight = weight

    def fine_tune(self, steps: int | None) -> None:
        self.twin.fine_tune(steps)
        self.tuning_left = np.inf if steps is None else steps

    def add(self, name: str) -> None:
        assert self.twin.add_class(name) == len(self.names)
        self.names.append(name)
        self.learner.add_class()
        self.confusion = np.pad(self.confusion, (0, 1))

    def remove(self, name: str) -> None:
        index = self.names.index(name)
        self.twin.remove_class(name)
        del self.names[index]
        self.learner.remove_class(index)
        self.confusion = np.delete(np.delete(self.confusion, index, 0), index, 1)
        if self.label_index == index:
            self.label_left = 0
        self.label_index -= self.label_index > index

    def rename(self, old: str, new: str) -> None:
        self.twin.rename_class(old, new)
        self.names[self.names.index(old)] = new

    def compare(self) -> None:
        """Everything learned, and the metrics."""
        assert self.twin.classes == self.names
        weights, learner = self.twin.weights(), self.learner
        np.testing.assert_allclose(weights["reconstruction"], learner.weights, RTOL, ATOL)
        np.testing.assert_allclose(weights["bias"], learner.bias, RTOL, ATOL)
        self._compare_classes(weights)
        if learner.statistics is not None:
            count, mean, variance = self.twin.statistics()
            assert count == learner.statistics.count
            np.testing.assert_allclose(mean, learner.statistics.mean, RTOL, ATOL)
            np.testing.assert_allclose(variance, learner.statistics.variance, 1e-3, 1e-6)
        metrics = self.twin.metrics()
        np.testing.assert_array_equal(metrics.confusion, self.confusion)
        assert self.twin.counters()["classifier_steps"] == self.lessons
        if total := self.confusion.sum():
            assert metrics.labelled >= total  # lessons of a class since removed still count
            assert metrics.accuracy == pytest.approx(np.trace(self.confusion) / total)
            f1 = ref.f1_scores(self.confusion)
            np.testing.assert_allclose(metrics.f1, np.nan_to_num(f1), rtol=1e-6)
            assert metrics.macro_f1 == pytest.approx(np.nanmean(f1), rel=1e-6)

    def _compare_classes(self, weights: dict[str, NDArray[np.float32]]) -> None:
        status = self.twin.class_status()
        for k, of in enumerate(self.learner.classes):
            np.testing.assert_allclose(weights["softmax"][k], of.softmax, RTOL, 2 * ATOL)
            np.testing.assert_allclose(weights["softmax_bias"][k], of.bias, RTOL, 2 * ATOL)
            np.testing.assert_allclose(weights["gaussian_mean"][k], of.gaussian.mean, RTOL, ATOL)
            spread = weights["gaussian_spread"][k]
            if self.learner.full:
                lower = from_triangle(spread, len(of.gaussian.mean))
                covariance = lower @ lower.T
            else:
                covariance = np.diag(spread)
            np.testing.assert_allclose(covariance, of.gaussian.covariance, 2e-3, 1e-4)
            assert status[k].lessons == of.gaussian.lessons
            assert status[k].weight == np.float32(of.weight)
            np.testing.assert_allclose(status[k].limit, of.limit(), rtol=JUDGED)


def side_by_side(
    kind: str,
    gaps: Sequence[int] = (),
    n: int = 6000,
    loss: int = 0,
    head: int = 1,
    leaning: slice = slice(0, 0),
    growing: slice = slice(0, 0),
    **pipeline: object,
) -> SideBySide:
    """A float32 net that the reference runs itself, or an int8 one whose taps it is given."""
    settings = {
        "reconstruction.loss": float(loss),
        "statistics.horizon": 512.0,
        "classifier.head": float(head),
        "classifier.rehearsal": 0.0,
    }
    if kind == "float32":
        net = float_net()
        bundle = float_bundle(net, settings, **pipeline)
        taps, weights, bias = net.taps, net.weights[-1], net.biases[-1]
    else:
        bundle = int8_bundle(settings, **pipeline)
        layer = last_layer(read_tflite(bundle.tflite), bundle.taps)
        weights, bias = layer.weights, layer.bias

        def taps(inputs: NDArray[np.float64]) -> ref.TapValues:
            return taps_of(bundle, inputs.astype(np.float32))

    learner = Learner(
        taps,
        weights.astype(float),
        bias.astype(float),
        prior=bundle.normal.prior.astype(float),
        features=bundle.pipeline.features,
        horizon=512,
        loss=loss,
        gaussian_head=head == 1,
        full=bundle.pipeline.covariance == "full",
        tuned_feature=bundle.pipeline.error_source == "tuned",
    )
    samples = vibration(n)
    samples[leaning, 0] += 0.2  # g, of gravity
    part = samples[growing]
    if len(part) > 0:
        part += (part - part.mean(axis=0)) * np.linspace(0, 1, len(part))[:, None]
    return SideBySide(bundle, learner, samples, gaps)


@pytest.mark.parametrize(("head", "covariance"), [(0, "full"), (1, "diagonal"), (1, "full")])
@pytest.mark.parametrize(("kind", "source"), [("float32", "tuned"), ("int8", "frozen")])
def test_a_life_of_a_device(kind: str, source: str, head: int, covariance: str) -> None:
    """Classes come, are taught, renamed and removed; fine-tuning runs in between."""
    both = side_by_side(
        kind,
        gaps=(101, 333, 2000),
        error_source=source,
        head=head,
        covariance=covariance,
        leaning=slice(1500, 2500),
        growing=slice(3000, 4000) if kind == "float32" else slice(0, 0),
    )
    both.feed(150)
    both.add("low")
    both.label("low")
    both.feed(450)
    both.add("high")
    both.label("high", 7)
    both.feed(200)
    both.fine_tune(40)
    both.feed(333)
    both.rename("low", "slow")
    both.label("slow")
    both.feed(400)
    both.add("off")
    both.fine_tune(None)
    both.label("off")
    both.feed(500)
    both.weigh("off", 0.25)
    both.relearn("high", 40)
    both.remove("slow")
    both.feed(300)
    both.label(None)
    both.feed(300)
    both.label_back("high", 30)
    both.fine_tune(0)
    both.label("off", 3)
    both.feed(41)
    both.remove("off")
    both.feed(400)
    both.label_back("high", 65535)
    both.feed(926)
    noticed = {name for name, bit in NOTICES.items() if both.notices & bit}
    never = {"calibrated"} if kind == "float32" else {"calibrated", "changed"}
    assert noticed == set(NOTICES) - never


@pytest.mark.parametrize("loss", range(4))
@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_fine_tuning_with_every_loss(kind: str, loss: int) -> None:
    both = side_by_side(kind, loss=loss, error_source="tuned", offset=0.5)
    both.feed(80)
    both.fine_tune(None)
    both.feed(3000)
    counters = both.twin.counters()
    assert counters["reconstruction_steps"] == 750
    assert (counters["clamped_targets"] > 0) is (loss > 0)


@pytest.mark.parametrize("head", ["classifier", "reconstruction"])
def test_settings_of_both_heads(head: str) -> None:
    both = side_by_side("float32", error_source="tuned")
    rule = ref.Rule(0.1, ref.INVERSE_TIME, 50.0, l2=0.01, clip_norm=0.4)
    names = ("learning_rate", "schedule", "schedule_steps", "l2", "clip_norm", "weight_limit")
    for name in names:
        both.twin.set(f"{head}.{name}", getattr(rule, name))
    setattr(both.learner, f"{head}_rule", rule)
    both.add("a")
    both.add("b")
    both.fine_tune(None)
    for name in ("a", "b", "a"):
        both.label(name)
        both.feed(600)
    # Settings turn at once, and the schedule goes on counting.
    both.twin.set(f"{head}.learning_rate", 0.02)
    setattr(both.learner, f"{head}_rule", replace(rule, learning_rate=0.02))
    both.feed(600)


@pytest.mark.parametrize(
    "features",
    [
        ("embedding",),
        ("error",),
        ("log_error", "log_variance"),
        ("embedding", "log_variance"),
        ("error", "axis_log_variance"),
        FEATURES,
    ],
)
def test_chosen_features(features: tuple[str, ...]) -> None:
    """Every subset is that part of all features, in the one order."""
    all_of_them = Twin(int8_bundle(features=FEATURES)).feed(vibration(200)).features
    columns = {"embedding": [0, 1], "error": [2], "log_error": [3], "log_variance": [4]}
    columns["axis_log_variance"] = [5, 6, 7]
    chosen = Twin(int8_bundle(features=features)).feed(vibration(200)).features
    picked = all_of_them[:, [column for name in features for column in columns[name]]]
    np.testing.assert_array_equal(chosen, picked)


# --- the label rule --------------------------------------------------------------------------


def labels_of(
    changes: dict[int, int], n: int, gaps: Sequence[int] = (), **pipeline: int
) -> list[tuple[int, int]]:
    """(last sample, label) of each window when `changes` sets labels from samples on."""
    twin = Twin(int8_bundle(**pipeline))
    for name in "ab":
        twin.add_class(name)
    labels = np.full(n, -1)
    for start, label in sorted(changes.items()):
        labels[start:] = label
    windows = twin.feed(vibration(n), labels=labels, gaps=gaps)
    return list(zip(windows.sample_index.tolist(), windows.label.tolist(), strict=True))


def test_mixed_windows_are_no_lessons() -> None:
    """Windows of 8, hop 4: one with a sample from before the label stays unlabelled."""
    assert labels_of({5: 0, 16: 1, 25: -1}, 40) == [
        *((7, -1), (11, -1), (15, 0)),
        *((19, -1), (23, 1), (27, -1), (31, -1), (35, -1), (39, -1)),
    ]


def test_a_window_that_begins_with_the_label_is_a_lesson() -> None:
    assert labels_of({0: 1}, 8) == [(7, 1)]
    assert labels_of({8: 1}, 20) == [(7, -1), (11, -1), (15, 1), (19, 1)]


def test_back_to_the_same_label_starts_anew() -> None:
    """a, none for one sample, a: the windows over the break are mixed."""
    assert labels_of({0: 0, 9: -1, 10: 0}, 24) == [(7, 0), (11, -1), (15, -1), (19, 0), (23, 0)]


def test_labels_with_a_hop_beyond_the_window() -> None:
    assert labels_of({3: 0}, 40, hop=12) == [(7, -1), (19, 0), (31, 0)]


def test_a_gap_restarts_the_window_and_keeps_the_label() -> None:
    assert labels_of({0: 0}, 30, gaps=[10]) == [(7, 0), (17, 0), (21, 0), (25, 0), (29, 0)]


def test_label_for_some_windows() -> None:
    """Counted are lessons: mixed windows do not use it up."""
    twin = Twin(int8_bundle())
    twin.add_class("a")
    twin.feed(vibration(6))
    twin.label("a", 2)
    windows = twin.feed(vibration(40)[6:])
    assert windows.sample_index[windows.label == 0].tolist() == [15, 19]
    twin.label("a", 1)
    twin.label("a", 0)  # none
    assert np.all(twin.feed(vibration(40)).label == -1)


def test_late_labels_skip_what_was_a_lesson_already() -> None:
    both = side_by_side("float32", n=1000)
    both.add("a")
    both.add("b")
    both.feed(101)  # 24 windows
    both.label("a", 5)
    both.feed(120)  # 30 more, 5 of them lessons, the first two mixed
    both.label_back("b", 40)
    assert both.twin.counters()["classifier_steps"] == 40
    both.label_back("b", 40)
    both.label_back("a", 60)  # 54 are known, 40 of the newest are lessons by now
    assert both.twin.counters()["classifier_steps"] == 54
    both.feed(100)


def test_what_was_no_lesson_is_still_in_the_metrics() -> None:
    """classifier.learn = 0: labelled windows are measured, nothing moves."""
    twin = Twin(int8_bundle())
    twin.add_class("a")
    twin.add_class("b")
    twin.label("a")
    taught = twin.feed(vibration(100))
    assert taught.predicted[0] == -1  # before the first lesson there is nothing to measure
    assert twin.metrics().labelled == len(taught) - 1
    before = twin.weights()
    twin.set("classifier.learn", 0)
    twin.label("b")
    windows = twin.feed(vibration(100))
    assert not windows.learned.any()
    assert np.all(windows.label[1:] == 1)
    assert twin.metrics().labelled == len(taught) - 1 + np.sum(windows.label >= 0)
    for name, weights in twin.weights().items():
        np.testing.assert_array_equal(weights, before[name], err_msg=name)


def test_statistics_can_be_frozen() -> None:
    twin = Twin(int8_bundle())
    twin.feed(vibration(400))
    before = twin.statistics()
    twin.set("statistics.learn", 0)
    twin.feed(vibration(400, seed=1) * 3)
    for ours, theirs in zip(twin.statistics(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_anomaly_threshold_holds_for_the_error_in_force() -> None:
    twin = Twin(int8_bundle({"anomaly.threshold": 0.5, "anomaly.detector": 0.0}))
    windows = twin.feed(vibration(400))
    np.testing.assert_array_equal(windows.tuned_error, windows.error)
    twin.fine_tune(100)
    windows = twin.feed(vibration(4000))
    assert not np.array_equal(windows.tuned_error, windows.error)
    np.testing.assert_array_equal(windows.anomaly, windows.tuned_error > 0.5)
    assert 0 < windows.anomaly.sum() < len(windows)


def test_error_metrics() -> None:
    twin = Twin(int8_bundle())
    windows = twin.feed(vibration(8000))
    metrics = twin.metrics()
    assert metrics.mean_error == pytest.approx(windows.error.mean(), rel=1e-4)
    for probability, value in metrics.error_quantiles.items():
        low, high = np.quantile(
            windows.error, np.clip([probability - 0.02, probability + 0.02], 0, 1)
        )
        assert low <= value <= high
