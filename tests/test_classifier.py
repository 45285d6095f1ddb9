"""The heads behind one face: every lesson teaches all of them, one predicts."""

from __future__ import annotations

import numpy as np
import pytest
from heads import GAUS, REHE, SOFT, Heads, f32
from numpy.typing import NDArray

HEAD, BIAS, BALANCED, REHEARSAL, RATE, WEIGHT_LIMIT = 8, 9, 10, 11, 1, 6
HORIZON, PRIOR_COUNT, FALSE_RATE = 12, 13, 64
SOFTMAX, GAUSSIAN = 0, 1

Stream = tuple[NDArray[np.float32], NDArray[np.int64]]


def stream(n: int, seed: int = 0, *, in_turns: bool = True, apart: float = 2.0) -> Stream:
    """Three classes on a line through the features, shuffled or one after the other."""
    rng = np.random.default_rng(seed)
    truths = np.arange(3 * n) % 3 if in_turns else np.repeat(np.arange(3), n)
    centres = apart * np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    return f32(rng.normal(size=(3 * n, 3)) + centres[truths]), truths


def accuracy(heads: Heads, seed: int = 99) -> float:
    rows, truths = stream(300, seed)
    return float((heads.predict(rows)[0] == truths).mean())


def test_the_head_can_be_turned_at_any_time() -> None:
    """Both have learned all: what is written does not depend on which one predicted."""
    rows, truths = stream(50)
    steady, turned = Heads(3, classes=3), Heads(3, classes=3)
    for i, (row, truth) in enumerate(zip(rows, truths, strict=True)):
        turned.set(HEAD, i % 2)
        steady.learn(row, [truth])
        turned.learn(row, [truth])
    for section in (SOFT, GAUS, REHE):
        assert steady.write(section) == turned.write(section)
    assert steady.lessons == turned.lessons == 150
    assert steady.gauss().lessons.tolist() == steady.softmax()[0].tolist() == [50, 50, 50]
    for head in (SOFTMAX, GAUSSIAN):
        steady.set(HEAD, head)
        assert accuracy(steady) > 0.85


def test_the_head_in_use_predicts_and_novelty_is_always_the_gaussians() -> None:
    heads = Heads(3, classes=3)
    heads.learn(*stream(60))
    probes = stream(20, 5)[0]
    gaussian = heads.gauss_predict(probes)
    heads.set(HEAD, GAUSSIAN)
    for a, b in zip(heads.predict(probes), gaussian, strict=True):
        np.testing.assert_array_equal(a, b)
    heads.set(HEAD, SOFTMAX)
    best, p, novelty = heads.predict(probes)
    np.testing.assert_array_equal(novelty, gaussian[2])
    assert not np.array_equal(p, gaussian[1])
    np.testing.assert_array_equal(best, p.argmax(1))


def test_before_the_first_lesson() -> None:
    heads = Heads(3, classes=2)
    heads.set(HEAD, GAUSSIAN)
    assert heads.predict([1, 2, 3])[0][0] == -1
    heads.set(HEAD, SOFTMAX)
    best, p, _ = heads.predict([1, 2, 3])
    assert (best[0], p.tolist()) == (0, [[0.5, 0.5]])


def test_rehearsal_is_what_keeps_the_softmax_head_from_forgetting() -> None:
    """Classes one after the other, 300 lessons each: mean accuracy over five streams."""
    got = {}
    for rehearsed in (0, 4):
        scores = []
        for seed in range(5):
            heads = Heads(3, classes=3)
            heads.set(HEAD, SOFTMAX)
            heads.set(REHEARSAL, rehearsed)
            heads.learn(*stream(300, seed, in_turns=False))
            scores.append(accuracy(heads))
        got[rehearsed] = np.mean(scores)
    assert got[4] > 0.85
    assert got[4] > got[0] + 0.1


def test_as_many_steps_as_lessons_and_rehearsed_ones() -> None:
    """The first lesson finds the buffer empty; the others rehearse."""
    heads = Heads(3, classes=3)
    heads.set(REHEARSAL, 3)
    heads.learn(*stream(10))
    lessons, _, _, applied = heads.softmax()
    assert (lessons.sum(), heads.lessons, applied) == (30, 30, 30 + 29 * 3)
    assert heads.rehearsal().seen.tolist() == [10, 10, 10]


def test_the_settings_reach_their_heads() -> None:
    def sections(**changes: float) -> dict[int, bytes]:
        heads = Heads(3, classes=3)
        for name, value in changes.items():
            heads.set(int(name[1:]), value)
        rows, truths = stream(60)
        heads.learn(np.concatenate([rows, rows[:7]]), np.concatenate([truths, truths[:7]]))
        return {section: heads.write(section) for section in (SOFT, GAUS, REHE)}

    usual = sections()
    changes = [(BIAS, 0), (BALANCED, 0), (REHEARSAL, 0), (RATE, 0.01)]
    changes += [(HORIZON, 16), (PRIOR_COUNT, 9), (FALSE_RATE, 0.4)]
    for number, value in changes:
        changed = sections(**{f"s{number}": value})
        gaussian = number in (HORIZON, PRIOR_COUNT, FALSE_RATE)
        assert (changed[GAUS] != usual[GAUS]) == gaussian, number
        assert (changed[SOFT] != usual[SOFT]) == (not gaussian), number
        if number != REHEARSAL:
            assert changed[REHE] == usual[REHE], number


@pytest.mark.parametrize("head", [SOFTMAX, GAUSSIAN])
def test_whether_the_head_in_use_took_the_lesson(head: int) -> None:
    """A weight limit that no step can keep stops the softmax head, not the other."""
    heads = Heads(3, classes=3)
    heads.set(HEAD, head)
    heads.set(RATE, 50)
    heads.set(WEIGHT_LIMIT, 1e-3)
    applied = heads.learn(*stream(20))
    assert not heads.softmax()[1].any() or heads.softmax()[3] < 60
    assert applied[5:].all() if head == GAUSSIAN else not applied[5:].any()
    assert heads.lessons == 60


def test_relearning_one_class_leaves_the_others() -> None:
    heads = Heads(3, classes=3)
    heads.learn(*stream(100))
    before = heads.gauss()
    heads.restart_class(1)
    after = heads.gauss()
    assert after.lessons.tolist() == [100, 0, 100]
    for k in (0, 2):
        np.testing.assert_array_equal(after.spread[k], before.spread[k])
    assert set(heads.rehearsal().groups.tolist()) == {0, 2}
    rng = np.random.default_rng(7)
    heads.learn(f32(rng.normal(-9, 1, (40, 3))), [1] * 40)
    assert (heads.predict(f32(rng.normal(-9, 1, (100, 3))))[0] == 1).mean() > 0.98
    rows, truths = stream(100, 8)
    others = truths != 1
    assert (heads.predict(rows)[0][others] == truths[others]).mean() > 0.85
