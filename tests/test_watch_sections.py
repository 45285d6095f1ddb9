"""The sections NORM, DRIF, UNKN, RLSP and REHW: round trips, refusals, and nothing but good state
from bytes of any kind."""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_watch import Rule
from watch_library import F32, MALFORMED, NOT_FINITE, OK, TRUNCATED, Read, Section
from watch_units import DriftRule, Watch

pytestmark = pytest.mark.usefixtures("watch_library")
SECTIONS = list(Section)
SIZE = 3  # features, inputs of the layer with its bias, values of a window
LIMIT = 4  # windows kept


def lived() -> Watch:
    """A watch whose every part has something to keep, an alarm and an open event among it."""
    rng = np.random.default_rng(1)
    watch = Watch(SIZE, 16)
    rows = rng.normal(size=(120, 2)) * 0.1 - 5
    watch.judge(np.r_[rows, rows[:4] + 3], Rule(raise_windows=3))
    gravity = np.r_[np.tile([0, 0, 1.0], (20, 1)), np.tile([0, 1.0, 0], (20, 1))]
    watch.drift(gravity, np.full(40, 3.0), DriftRule())
    flags = np.r_[np.ones(6), np.zeros(4), np.ones(90)]
    samples = np.arange(100) * 64
    watch.meet(flags, 1 + rng.random(100), samples, rng.normal(size=(100, SIZE)), least=4)
    weights, bias = np.zeros((2, 2), F32), np.zeros(2, F32)
    for a in rng.normal(size=(20, 2)).astype(F32):
        watch.least_squares_step(weights, bias, a, np.ones(2, F32), 0.99)
    watch.rehearsal_reset(SIZE, LIMIT)
    watch.rehearsal_add(rng.integers(-128, 128, (30, SIZE)).astype(np.int8))
    return watch


@cache
def image_of(section: Section) -> bytes:
    return lived().write(section)


def read(watch: Watch, section: Section, data: bytes, dry: bool = False) -> Read:
    return watch.read(section, data, SIZE, LIMIT, dry)


def works(watch: Watch) -> None:
    """Whatever it was read from, it goes on, stays finite and can be read back."""
    verdicts = watch.judge(np.linspace(-9, 3, 40)[:, None] * [1, 1], Rule(raise_windows=2))
    assert all(np.isfinite(v.score) for v in verdicts)
    drifted = watch.drift(np.eye(3)[np.arange(40) % 3], np.linspace(-9, 9, 40), DriftRule())
    assert np.all(np.isfinite(drifted.sums))
    flags, samples = np.arange(40) % 10 < 7, np.arange(40) + (1 << 60)
    watch.meet(flags, np.full(40, 2), samples, np.ones((40, SIZE)), least=4)
    weights, bias = np.zeros((2, 2), F32), np.zeros(2, F32)
    for a in np.random.default_rng(2).normal(size=(40, 2)).astype(F32):
        watch.least_squares_step(weights, bias, a, np.ones(2, F32), 0.95)
    assert np.all(np.isfinite(weights))
    watch.inputs = SIZE
    watch.rehearsal_add(np.ones((40, SIZE), np.int8))
    assert watch.rehearsal_draw() < LIMIT
    for section in SECTIONS:
        if section != Section.UNKN or flags_fit(watch):
            assert read(Watch(SIZE), section, watch.write(section), dry=True).status == OK


def flags_fit(watch: Watch) -> bool:
    """A state whose last event lies beyond any sample of ours does not take our samples."""
    return all(
        event is None or event.first_sample <= event.last_sample
        for event in map(watch.event, range(1, 4))
    )


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name)
def test_round_trip(section: Section) -> None:
    other = Watch(SIZE)
    assert read(other, section, image_of(section)) == Read(OK, len(image_of(section)), "")
    assert other.write(section) == image_of(section)
    assert len(image_of(section)) % 4 == 0


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name)
def test_nothing_new_has_a_section_too(section: Section) -> None:
    fresh = Watch(SIZE)
    fresh.rehearsal_reset(SIZE, LIMIT)
    image = fresh.write(section)
    other = lived()
    assert read(other, section, image).status == OK
    assert other.write(section) == image


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name)
def test_every_shorter_section_is_refused_and_changes_nothing(section: Section) -> None:
    watch = lived()
    for length in range(len(image_of(section))):
        assert read(watch, section, image_of(section)[:length]).status == TRUNCATED
        assert read(watch, section, image_of(section)[:length], dry=True).status == TRUNCATED
    assert watch.write(section) == image_of(section)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name)
@settings(deadline=None)
@given(data=st.data())
def test_spoiled_bytes_are_refused_or_give_a_state_that_works(
    section: Section, data: st.DataObject
) -> None:
    """Words of a real section replaced by words that hurt; what is refused changes nothing."""
    image = bytearray(image_of(section))
    words = st.one_of(
        st.integers(0, 2**32 - 1),
        st.integers(0, 70),
        st.sampled_from([0x7F800000, 0xFFC00000, 0x7F7FFFFF, 0xBF800000, 0x80000000, 2**32 - 1]),
    )
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(image) // 2 - 2)) * 2
        image[at : at + 4] = data.draw(words).to_bytes(4, "little")
    fits(section, bytes(image))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name)
@settings(deadline=None)
@given(image=st.binary(max_size=300))
def test_any_bytes_are_refused_or_give_a_state_that_works(section: Section, image: bytes) -> None:
    fits(section, image)


def fits(section: Section, image: bytes) -> None:
    watch = lived()
    result = read(watch, section, image)
    assert read(watch, section, image, dry=True) == result
    if result.status != OK:
        assert watch.write(section) == image_of(section)
        assert result.where != ""
        return
    assert watch.write(section) == image[: result.used]
    works(watch)


def f(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def u(form: str, *values: int) -> bytes:
    return struct.pack("<" + form, *values)


# section, offset, what to put there, status, the field that is blamed
REFUSALS: list[tuple[Section, int, bytes, int, str]] = [
    (Section.NORM, 4, f(np.nan), NOT_FINITE, "NORM"),
    (Section.NORM, 4, f(101), NOT_FINITE, "NORM"),
    (Section.NORM, 12, f(-1e-3), MALFORMED, "NORM covariance"),
    (Section.NORM, 16, f(5), MALFORMED, "NORM covariance"),
    (Section.NORM, 0, u("I", 0), NOT_FINITE, "NORM"),  # a mean of no windows
    (Section.NORM, 0, u("I", 30), MALFORMED, "NORM quantile"),  # distances of no window
    (Section.NORM, 24, u("I", 3), MALFORMED, "NORM quantile"),
    (Section.NORM, 48, f(-1), MALFORMED, "NORM quantile"),  # a negative distance
    (Section.NORM, 68, u("HH", 4, 1), MALFORMED, "NORM alarm"),  # over and under at once
    (Section.NORM, 68, u("HH", 0, 0), MALFORMED, "NORM alarm"),  # an alarm of nothing
    (Section.NORM, 72, b"\2", MALFORMED, "NORM alarm"),
    (Section.NORM, 73, b"\1", MALFORMED, "NORM alarm"),
    (Section.NORM, 76, u("I", 0), MALFORMED, "NORM alarm"),  # stands, but none was raised
    (Section.DRIF, 4, f(np.inf), NOT_FINITE, "DRIF"),
    (Section.DRIF, 4, f(3e4), NOT_FINITE, "DRIF"),
    (Section.DRIF, 0, u("I", 0), NOT_FINITE, "DRIF"),
    (Section.DRIF, 0, u("I", 41), MALFORMED, "DRIF reference"),  # more than went by
    (Section.DRIF, 0, u("I", 40), MALFORMED, "DRIF reference"),  # not complete, yet moved
    (Section.DRIF, 0, u("I", 70_000), MALFORMED, "DRIF reference"),
    (Section.DRIF, 32, f(-1), MALFORMED, "DRIF sums"),
    (Section.DRIF, 36, f(2e9), NOT_FINITE, "DRIF"),
    (Section.DRIF, 40, b"\2", MALFORMED, "DRIF"),
    (Section.DRIF, 42, b"\1", MALFORMED, "DRIF"),
    (Section.UNKN, 0, u("H", 4), MALFORMED, "UNKN features"),
    (Section.UNKN, 2, u("H", 1), MALFORMED, "UNKN events"),
    (Section.UNKN, 4, u("I", 3), MALFORMED, "UNKN order"),
    (Section.UNKN, 8, u("H", 1), MALFORMED, "UNKN"),  # begins while one is open
    (Section.UNKN, 12, b"\0\0\0\0" + u("Q", 7), MALFORMED, "UNKN"),  # a run of nothing
    (Section.UNKN, 13, b"\1", MALFORMED, "UNKN"),
    (Section.UNKN, 24, f(-1), MALFORMED, "UNKN"),
    (Section.UNKN, 32, u("Q", 1 << 50), MALFORMED, "UNKN event"),  # ends before it begins
    (Section.UNKN, 48, u("I", 0), MALFORMED, "UNKN event"),
    (Section.UNKN, 52, f(-1), MALFORMED, "UNKN event"),
    (Section.UNKN, 56, b"\2", MALFORMED, "UNKN event"),
    (Section.UNKN, 58, u("H", 25), MALFORMED, "UNKN event"),
    (Section.UNKN, 60, u("I", 3), MALFORMED, "UNKN event"),
    (Section.UNKN, 60, u("I", 1 << 20), MALFORMED, "UNKN event"),  # too short for its stride
    (Section.UNKN, 64, f(np.nan), NOT_FINITE, "UNKN"),
    (Section.RLSP, 0, u("H", 2), MALFORMED, "RLSP"),
    (Section.RLSP, 2, u("H", 1), MALFORMED, "RLSP"),
    (Section.RLSP, 0, u("HHI", 0, 0, 1), MALFORMED, "RLSP"),  # started anew, never begun
    (Section.RLSP, 8, f(0), MALFORMED, "RLSP diagonal"),
    (Section.RLSP, 8, f(1001), NOT_FINITE, "RLSP"),
    (Section.RLSP, 12, f(np.nan), NOT_FINITE, "RLSP"),
    (Section.REHW, 0, u("H", 4), MALFORMED, "REHW inputs"),
    (Section.REHW, 2, u("H", 5), MALFORMED, "REHW rows"),
    (Section.REHW, 2, u("H", 3), MALFORMED, "REHW rows"),
    (Section.REHW, 4, u("I", 0), MALFORMED, "REHW random state"),
    (Section.REHW, 8, u("I", 3), MALFORMED, "REHW rows"),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda c: f"{c[0].name} {c[1]} {c[2].hex()}")
def test_impossible_fields_are_refused_by_name(case: tuple[Section, int, bytes, int, str]) -> None:
    section, at, spoiled, status, where = case
    image = bytearray(image_of(section))
    image[at : at + len(spoiled)] = spoiled
    watch = lived()
    result = read(watch, section, bytes(image))
    assert (result.status, result.where) == (status, where)
    assert watch.write(section) == image_of(section)


def test_padding_must_be_zero() -> None:
    watch = Watch(SIZE)
    watch.rehearsal_reset(3, LIMIT)
    watch.rehearsal_add(np.ones((1, 3), np.int8))
    image = bytearray(watch.write(Section.REHW))
    assert len(image) == 16
    image[15] = 1
    result = read(watch, Section.REHW, bytes(image))
    assert (result.status, result.where) == (MALFORMED, "REHW padding")
