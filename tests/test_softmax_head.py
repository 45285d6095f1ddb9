"""The softmax head's bias, class-balanced steps and rehearsed lessons against float64."""

from __future__ import annotations

import numpy as np
import pytest
import reference_heads as ref
from heads import Heads, exp_f32, f32, softmax_f32
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 13), st.sampled_from([0.1, 5.0, 80.0, 1e30]))
def test_softmax_of_scores(seed: int, k: int, size: float) -> None:
    z = f32(np.random.default_rng(seed).normal(0, size, k))
    best, p = softmax_f32(z)
    assert best == np.argmax(z)
    below = z - z.max()  # rounded to float32, as it is in the core: no error of the exponential
    np.testing.assert_allclose(p, ref.softmax(below), rtol=2e-6, atol=1e-37)
    np.testing.assert_array_equal(p == 0, exp_f32(below) == 0)
    np.testing.assert_allclose(p / p.max(), exp_f32(below), rtol=4e-7, atol=1e-37)


def test_its_exponential_is_exp_f32_to_the_bit() -> None:
    """All the way down: of two scores 0 and x the second's share is e^x / (1 + e^x)."""
    for x in np.concatenate([-np.logspace(-45, 1.95, 4000), [0.0, -87.33654, -87.34, -1e38]]):
        e = exp_f32([x])[0]
        share = np.float32(e * (np.float32(1) / (np.float32(1) + e)))
        assert softmax_f32([0.0, x])[1][1] == share, x


@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    k=st.integers(1, 6),
    d=st.integers(1, 6),
    bias=st.booleans(),
    balanced=st.booleans(),
)
def test_a_life_of_steps(seed: int, k: int, d: int, bias: bool, balanced: bool) -> None:
    rng = np.random.default_rng(seed)
    heads, twin = Heads(d, classes=k), ref.SoftmaxHead(k, d)
    frequency = rng.dirichlet(np.full(k, 0.5))
    for _ in range(60):
        x, truth = f32(rng.normal(size=d)), int(rng.choice(k, p=frequency))
        new = bool(rng.random() < 0.7)
        if not new and balanced and twin.lessons[truth] == 0:
            new = True
        flags = {"bias": bias, "balanced": balanced}
        assert heads.softmax_learn(x, truth, rate=0.05, new_lesson=new, **flags)
        twin.learn(x, truth, 0.05, new=new, **flags)
    lessons, weights, learned_bias, applied = heads.softmax()
    np.testing.assert_array_equal(lessons, twin.lessons)
    assert applied == 60
    np.testing.assert_allclose(weights, twin.weights, atol=2e-5)
    np.testing.assert_allclose(learned_bias, twin.bias, atol=2e-5)
    assert bias or not learned_bias.any()
    probe = f32(rng.normal(size=d))
    expected = ref.softmax(twin.weights @ probe + twin.bias)
    np.testing.assert_allclose(heads.softmax_predict(probe)[1], expected, atol=2e-5)


@pytest.mark.parametrize(
    ("before", "weight"),
    [
        ([0, 0], 0.5),  # the first of all lessons: N / (K n) = 1 / 2
        ([0, 3], 2.0),  # 4 / (2 * 1)
        ([9, 9], 19 / 20),
        ([0, 99], 10.0),  # 50, cut
        ([99, 0], 0.5),
    ],
)
def test_weights_of_balanced_steps(before: list[int], weight: float) -> None:
    heads = Heads(1, classes=2)
    for k, n in enumerate(before):
        for _ in range(n):
            heads.softmax_learn([0.0], k, bias=False)  # counts, and moves nothing
    assert not heads.softmax()[1].any()
    heads.softmax_learn([1.0], 0, balanced=True)
    assert heads.softmax()[1][0, 0] == pytest.approx(weight * 0.5 * 2**-10, rel=1e-5)


def test_many_classes_cut_the_weight_below() -> None:
    heads = Heads(1, classes=16)
    for _ in range(40):
        heads.softmax_learn([0.0], 3, bias=False)
    heads.softmax_learn([1.0], 3, balanced=True)  # 41 / (16 * 41) = 1 / 16
    expected = 0.1 * 15 / 16 * 2**-10
    assert heads.softmax()[1][3, 0] == pytest.approx(expected, rel=1e-5)


def test_balanced_steps_hear_the_rare_class() -> None:
    """One lesson in twenty is of class 1, and the classes overlap: its recall."""
    rng = np.random.default_rng(0)
    truths = (rng.random(4000) < 0.05).astype(int)
    rows = f32(rng.normal(size=(4000, 2)) + 1.5 * truths[:, None])
    recall = {}
    for balanced in (False, True):
        heads = Heads(2, classes=2)
        for x, truth in zip(rows, truths, strict=True):
            heads.softmax_learn(x, int(truth), rate=0.02, balanced=balanced)
        probes = f32(rng.normal(size=(500, 2)) + 1.5)
        recall[balanced] = np.mean([heads.softmax_predict(x)[0] == 1 for x in probes])
    assert recall[True] > 0.8 > 0.6 > recall[False]


def test_a_restarted_class_is_as_new() -> None:
    heads = Heads(2, classes=3)
    for i in range(30):
        heads.softmax_learn([1.0, i % 3 - 1], i % 3, rate=0.1)
    before = heads.softmax()
    heads.restart_class(1)
    lessons, weights, bias, _ = heads.softmax()
    assert lessons.tolist() == [10, 0, 10]
    assert not weights[1].any()
    assert bias[1] == 0
    for k in (0, 2):
        np.testing.assert_array_equal(weights[k], before[1][k])
        assert bias[k] == before[2][k] != 0
    heads.remove_class(0)
    lessons, weights, bias, _ = heads.softmax()
    assert lessons.tolist() == [0, 10]
    np.testing.assert_array_equal(weights[1], before[1][2])
    assert (bias[0], bias[1]) == (0, before[2][2])
