from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_replay import recording, small_bundle

from tinyol_sim.replay import Plan, replay
from tinyol_sim.reporting import scores


def test_scores_are_the_devices_own():
    rounds = [(label, 100) for _ in range(3) for label in ("normal", "loud", "quiet")]
    result = replay(small_bundle(), [recording(rounds)], Plan(learn=True))
    table = scores.confusion(result.truth, result.windows.predicted, 3)
    assert np.array_equal(table, result.metrics.confusion)
    assert np.allclose(scores.f1(table), result.metrics.f1, atol=1e-6)
    assert scores.macro_f1(table) == pytest.approx(result.metrics.macro_f1, abs=1e-6)
    assert scores.accuracy(table) == pytest.approx(result.metrics.accuracy, abs=1e-6)
    curve = scores.learning_curve(result.truth, result.windows.predicted, 3, points=50)
    assert curve.since_start[-1] == pytest.approx(result.metrics.macro_f1, abs=1e-6)
    assert curve.step[-1] == table.sum()


def _plain_macro_f1(pairs: list[tuple[int, int]]) -> float:
    values = []
    for k in {k for pair in pairs for k in pair}:
        hits = sum(t == p == k for t, p in pairs)
        values.append(2 * hits / sum((t == k) + (p == k) for t, p in pairs))
    return sum(values) / len(values)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), max_size=40))
def test_the_learning_curve_is_f1_counted_by_hand(pairs):
    truth, predicted = (np.array([p[i] for p in pairs], np.int16) for i in (0, 1))
    known = [pair for pair in pairs if -1 not in pair]
    curve = scores.learning_curve(truth, predicted, 3, recent_len=2)
    for step, since_start, recent in zip(curve.step, curve.since_start, curve.recent, strict=True):
        seen = known[:step]
        assert len({k for pair in seen for k in pair}) > 1
        assert since_start == pytest.approx(_plain_macro_f1(seen))
        late = [pair for k in range(3) for pair in [p for p in seen if p[0] == k][-2:]]
        assert recent == pytest.approx(_plain_macro_f1(late))
    several = len({k for pair in known for k in pair}) > 1
    assert (curve.step[-1:] == len(known)).all()
    assert bool(len(curve.step)) == several


def test_the_last_showing_is_the_last_run_of_each_class():
    truth = np.array([0, 0, 1, 1, -1, 1, 0, -1, 2, 0, 0], np.int16)
    assert np.flatnonzero(scores.last_showing(truth)).tolist() == [2, 3, 5, 8, 9, 10]
    assert not scores.last_showing(np.full(3, -1, np.int16)).any()
