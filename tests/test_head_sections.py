"""What the heads write is read again to the bit; what is inconsistent is refused, and nothing is
stored then."""

from __future__ import annotations

import struct
from collections.abc import Callable

import heads as h
import numpy as np
import pytest
from heads import GAUS, REHE, SOFT, Heads, f32
from hypothesis import given, settings
from hypothesis import strategies as st

SECTIONS = pytest.mark.parametrize("section", [SOFT, GAUS, REHE], ids=["SOFT", "GAUS", "REHE"])
COVARIANCES = pytest.mark.parametrize("full", [False, True], ids=["diagonal", "full"])
D, K, ROWS = 3, 4, 20
PRIOR = [0.5, 2.0, 1e-3]
NAN, INFINITY = float("nan"), float("inf")


def taught(*, full: bool = False, lessons: int = 150, seed: int = 0) -> Heads:
    """Classes of different ages; the last one untaught, one with a weight, one that restarted."""
    rng = np.random.default_rng(seed)
    heads = Heads(D, full=full, prior=PRIOR, rows=ROWS, classes=K)
    truths = rng.integers(0, K - 1, lessons)
    heads.learn(f32(rng.normal(size=(lessons, D)) + truths[:, None]), truths)
    heads.gauss_weight(1, 2.5)
    heads.restart_class(0)
    heads.learn(f32(rng.normal(size=(5, D))), np.zeros(5))
    return heads


def empty(*, full: bool = False) -> Heads:
    return Heads(D, full=full, prior=PRIOR, rows=ROWS, classes=K)


@SECTIONS
@COVARIANCES
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), lessons=st.integers(0, 120))
def test_round_trip(section: int, full: bool, seed: int, lessons: int) -> None:
    heads, other = taught(full=full, lessons=lessons, seed=seed), empty(full=full)
    payload = heads.write(section)
    assert len(payload) % 4 == 0
    assert other.read(section, payload, store=False) == h.OK
    assert other.write(section) == empty(full=full).write(section)
    assert other.read(section, payload) == h.OK
    assert other.write(section) == payload


@COVARIANCES
def test_a_life_goes_on_where_it_was_written(full: bool) -> None:
    heads, other = taught(full=full), empty(full=full)
    for section in (SOFT, GAUS, REHE):
        assert other.read(section, heads.write(section)) == h.OK
    rng = np.random.default_rng(1)
    rows, truths = f32(rng.normal(size=(80, D))), rng.integers(0, K, 80)
    for each in (heads, other):
        each.gauss_learn(rows, truths)
        each.rehearsal_add(rows, truths)
        for row, truth in zip(rows, truths, strict=True):
            each.softmax_learn(row, int(truth), rate=0.05, balanced=True)
    for section in (SOFT, GAUS, REHE):
        assert heads.write(section) == other.write(section)
    for a, b in zip(heads.gauss_predict(rows), other.gauss_predict(rows), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [heads.rehearsal_draw()[0] for _ in range(50)] == [
        other.rehearsal_draw()[0] for _ in range(50)
    ]


@SECTIONS
@COVARIANCES
def test_every_truncation_and_an_extra_word(section: int, full: bool) -> None:
    heads = taught(full=full)
    payload = heads.write(section)
    for length in range(len(payload)):
        status = heads.read(section, payload[:length], store=False)
        # A quantile cut short, or a shorter buffer's padding, may be told as another fault.
        assert status in (h.TRUNCATED, h.MALFORMED, h.NOT_FINITE), length
    assert heads.read(section, payload + b"\0\0\0\0", store=False) == h.BYTES_LEFT
    assert heads.write(section) == payload


@SECTIONS
@COVARIANCES
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_read_is_sound(section: int, full: bool, data: st.DataObject) -> None:
    """Words at random places: refused, or a head that goes on with finite numbers, and whose
    section is read again."""
    payload = bytearray(taught(full=full).write(section))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(payload) // 4 - 1)) * 4
        word = data.draw(
            st.one_of(
                st.integers(0, 2**32 - 1),
                st.sampled_from([0, 1, 2**31, 0x7F800000, 0x7FC00000, 0x7149F2CA, 2**32 - 1]),
                st.floats(width=32).map(lambda x: struct.unpack("<I", struct.pack("<f", x))[0]),
            )
        )
        struct.pack_into("<I", payload, at, word)
    heads = empty(full=full)
    checked = heads.read(section, bytes(payload), store=False)
    if checked != h.OK:
        assert heads.write(section) == empty(full=full).write(section)
        return
    assert heads.read(section, bytes(payload)) == h.OK
    assert heads.write(section) == bytes(payload)
    rng = np.random.default_rng(0)
    rows = f32(np.concatenate([rng.normal(size=(30, D)), np.full((2, D), 1e12)]))
    truths = np.arange(32) % K
    heads.gauss_learn(rows, truths)
    heads.rehearsal_add(rows, truths)
    for row, truth in zip(rows, truths, strict=True):
        heads.softmax_learn(row, int(truth), rate=0.05, balanced=True)
    state = heads.gauss()
    for numbers in (state.mean, state.spread, state.log_det, state.limit):
        assert np.isfinite(numbers).all()
    _, p, novelty = heads.gauss_predict(rows)
    assert np.isfinite(p).all()
    assert np.isfinite(novelty).all()
    assert np.isfinite(heads.softmax()[1]).all()
    for _ in range(20):
        assert np.isfinite(heads.rehearsal_draw()[1]).all()
    assert heads.read(section, heads.write(section), store=False) == h.OK


# --- GAUS, field by field --------------------------------------------------------------------

Change = Callable[[bytearray], None]
QUANTILE = 44
HEAD = 8


def entry(k: int, full: bool) -> int:
    s = D * (D + 1) // 2 if full else D
    return HEAD + k * (8 + 4 * D + 4 * s + QUANTILE)


def refused(change: Change, *, full: bool = False) -> int:
    heads = taught(full=full)
    payload = bytearray(heads.write(GAUS))
    change(payload)
    status = heads.read(GAUS, bytes(payload), store=False)
    return status


def put(at: int, kind: str, value: float) -> Change:
    return lambda payload: struct.pack_into("<" + kind, payload, at, value)


@COVARIANCES
@pytest.mark.parametrize(
    ("at", "kind", "value", "status"),
    [
        (0, "H", D + 1, h.MALFORMED),  # features
        (2, "H", K - 1, h.MALFORMED),  # classes
        (4, "B", 2, h.MALFORMED),  # covariance
        (5, "B", 1, h.MALFORMED),  # zeros
        (7, "B", 1, h.MALFORMED),
    ],
)
def test_gaus_head(full: bool, at: int, kind: str, value: int, status: int) -> None:
    assert refused(put(at, kind, value), full=full) == status
    assert refused(put(4, "B", 0 if full else 1), full=full) == h.MALFORMED


@COVARIANCES
@pytest.mark.parametrize("weight", [0.0, -1.0, 9e-7, 1.1e6, NAN, INFINITY])
def test_gaus_weights_out_of_range(full: bool, weight: float) -> None:
    assert refused(put(entry(1, full) + 4, "f", weight), full=full) == h.BAD_VALUE


@COVARIANCES
@pytest.mark.parametrize("mean", [1.1e15, -INFINITY, NAN])
def test_gaus_mean_out_of_range(full: bool, mean: float) -> None:
    assert refused(put(entry(1, full) + 8, "f", mean), full=full) == h.NOT_FINITE


@COVARIANCES
@pytest.mark.parametrize("spread", [0.0, -1.0, 1e-17, 2e31, NAN, INFINITY])
def test_gaus_spread_out_of_range(full: bool, spread: float) -> None:
    """On the diagonal, whose first number is the first in both forms."""
    at = entry(2, full) + 8 + 4 * D
    assert refused(put(at, "f", spread), full=full) == h.NOT_FINITE


def test_gaus_off_the_diagonal() -> None:
    at = entry(2, True) + 8 + 4 * D + 4
    for good in (0.0, -3.0, 1e15):
        assert refused(put(at, "f", good), full=True) == h.OK
    for bad in (4e15, -INFINITY, NAN):
        assert refused(put(at, "f", bad), full=True) == h.NOT_FINITE
    # Each within its bound, but not the variance that they make: 3.1e15^2 + 3.1e15^2.
    last = entry(2, True) + 8 + 4 * D + 4 * 3

    def long_row(payload: bytearray) -> None:
        for i in range(3):
            struct.pack_into("<f", payload, last + 4 * i, 3.1e15)

    assert refused(long_row, full=True) == h.NOT_FINITE


@COVARIANCES
def test_an_untaught_class_is_as_it_began(full: bool) -> None:
    """Class K - 1 has no lesson: no mean, the prior's spread, no distances."""
    at = entry(K - 1, full)
    s = D * (D + 1) // 2 if full else D
    assert refused(put(at + 8, "f", 0.1), full=full) == h.NOT_FINITE
    assert refused(put(at + 8 + 4 * D, "f", 0.51), full=full) == h.NOT_FINITE
    if full:
        assert refused(put(at + 8 + 4 * D + 4, "f", 0.1), full=full) == h.NOT_FINITE
    quantile = at + 8 + 4 * D + 4 * s
    assert refused(put(quantile, "I", 1), full=full) == h.MALFORMED
    assert refused(put(at, "I", 1), full=full) == h.OK  # with a lesson it may be anywhere


@COVARIANCES
def test_gaus_quantiles(full: bool) -> None:
    s = D * (D + 1) // 2 if full else D
    at = entry(1, full) + 8 + 4 * D + 4 * s
    heads = taught(full=full)
    lessons = int(heads.gauss().lessons[1])
    assert refused(put(entry(1, full), "I", lessons - 1), full=full) == h.MALFORMED
    assert refused(put(at + 4, "I", 2), full=full) == h.MALFORMED  # the first marker is at 1
    assert refused(put(at + 24, "f", 1e9), full=full) == h.MALFORMED  # not in order
    assert refused(put(at + 24, "f", -1.0), full=full) == h.MALFORMED  # no distance
    assert refused(put(at + 40, "f", 1.1e30), full=full) != h.OK
    assert refused(put(at + 40, "f", NAN), full=full) != h.OK


# --- REHE, field by field --------------------------------------------------------------------


def rehearsal_refused(at: int, kind: str, value: float, heads: Heads | None = None) -> int:
    heads = heads or taught()
    payload = bytearray(heads.write(REHE))
    struct.pack_into("<" + kind, payload, at, value)
    return heads.read(REHE, bytes(payload), store=False)


def test_rehe_fields() -> None:
    exponent = 12 + 4 * K + 4 * D
    groups = exponent + D
    values = groups + len(taught().rehearsal().groups)
    for at, kind, value in [
        (0, "H", D + 1),
        (2, "H", ROWS + 1),
        (4, "I", 0),  # the generator would stand still
        (8, "H", K + 1),
        (10, "H", 1),
        (exponent, "b", -9),
        (exponent, "b", 41),
        (groups, "B", K),
        (groups, "B", 255),
        (values, "b", -128),
    ]:
        assert rehearsal_refused(at, kind, value) == h.MALFORMED, at


def test_rehe_more_rows_of_a_class_than_it_has_seen() -> None:
    heads = taught()
    kept = np.bincount(heads.rehearsal().groups, minlength=K)
    k = int(np.argmax(kept))
    at = 12 + 4 * k
    assert rehearsal_refused(at, "I", int(kept[k])) == h.OK
    assert rehearsal_refused(at, "I", int(kept[k]) - 1) == h.MALFORMED


@pytest.mark.parametrize("offset", [1.1e12, NAN, -INFINITY])
def test_rehe_offset_out_of_range(offset: float) -> None:
    assert rehearsal_refused(12 + 4 * K, "f", offset) == h.NOT_FINITE


def test_rehe_without_rows_has_no_scale() -> None:
    heads = empty()
    assert rehearsal_refused(12 + 4 * K, "f", 1.0, heads) == h.NOT_FINITE
    assert rehearsal_refused(12 + 4 * K + 4 * D, "b", 3, heads) == h.MALFORMED


def test_rehe_padding_is_zero() -> None:
    heads = Heads(1, rows=ROWS, classes=1)
    heads.rehearsal_add([[1.0]], 0)
    payload = heads.write(REHE)
    assert len(payload) % 4 == 0
    used = 12 + 4 + 4 + 1 + 1 + 1
    assert len(payload) > used
    for at in range(used, len(payload)):
        assert rehearsal_refused(at, "B", 1, heads) == h.MALFORMED


# --- SOFT ------------------------------------------------------------------------------------


def test_soft_is_a_layer_with_bias_and_the_lessons() -> None:
    heads = taught()
    lessons, weights, bias, applied = heads.softmax()
    payload = heads.write(SOFT)
    head = struct.pack("<HHB3xIIII", D, K, 1, applied, 0, 0, 0)
    expected = head + weights.tobytes() + bias.tobytes() + lessons.tobytes()
    assert payload == expected
    for at, value in [(4, 0), (20, 1)]:  # no bias; clamped targets
        changed = bytearray(payload)
        changed[at] = value
        assert heads.read(SOFT, bytes(changed), store=False) == h.MALFORMED
    for weight in (NAN, INFINITY, 1.1e6):
        changed = bytearray(payload)
        struct.pack_into("<f", changed, 24 + 4 * K * D, weight)
        assert heads.read(SOFT, bytes(changed), store=False) == h.NOT_FINITE
