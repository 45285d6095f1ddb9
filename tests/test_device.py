"""What a device does with samples, names, models and nets that it must not swallow."""

from __future__ import annotations

import struct
import unicodedata
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from image_surgery import patched, resealed, sections_of, with_section, with_sections
from random_nets import autoencoder
from small_models import float_bundle, float_net, int8_bundle, vibration
from units import Units

from tinyol_sim._build import CAPACITIES
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import BundleError, DeviceError
from tinyol_sim.model_image import Pipeline
from tinyol_sim.settings import SETTINGS
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

REFUSED = [np.nan, np.inf, -np.inf, 1e9, -10_001.0, 3.4e38]


# --- samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", REFUSED)
@pytest.mark.parametrize("axis", range(3))
def test_a_refused_sample_is_counted_and_makes_a_gap(value: float, axis: int) -> None:
    """As if it had been a gap; the learned numbers never meet it."""
    samples = vibration(60)
    spoiled = samples.copy()
    spoiled[20, axis] = value
    twins = [Twin(int8_bundle()) for _ in range(2)]
    for twin in twins:
        twin.add_class("a")
        twin.label("a")
        twin.fine_tune(None)
    windows = twins[0].feed(spoiled)
    pieces = [twins[1].feed(samples[:20]), twins[1].feed(samples[21:], gaps=[0])]
    assert windows.sample_index.tolist()[:5] == [7, 11, 15, 19, 28]
    np.testing.assert_array_equal(windows.error, np.concatenate([p.error for p in pieces]))
    counters = [twin.counters() for twin in twins]
    assert [c["refused_samples"] for c in counters] == [1, 0]
    assert [c["samples"] for c in counters] == [60, 59]
    fields = [StateImage.from_bytes(twin.state).fields for twin in twins]
    for name, value in fields[0].items():
        if name.split(".")[0] in ("statistics", "softmax", "reconstruction", "metrics"):
            np.testing.assert_array_equal(value, fields[1][name], err_msg=name)


def test_the_largest_sample_that_counts() -> None:
    twin = Twin(int8_bundle())
    assert len(twin.feed(np.full((8, 3), 1e4))) == 1
    assert len(twin.feed(np.full((8, 3), np.nextafter(np.float32(1e4), np.float32(np.inf))))) == 0
    assert twin.counters()["refused_samples"] == 8
    # Denormals and signed zeros are numbers like any other.
    assert len(twin.feed(np.full((8, 3), 1e-45))) == 1
    assert len(twin.feed(np.full((8, 3), -0.0))) == 2


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_nothing_learned_is_ever_not_finite(seed: int, share: float) -> None:
    """Any float32 as samples, the highest rates: weights and statistics stay numbers."""
    rng = np.random.default_rng(seed)
    samples = vibration(400, seed)
    wild = rng.integers(0, 2**32, (400, 3), np.uint32).view(np.float32)
    samples = np.where(rng.random((400, 1)) < share * 0.1, wild, samples)
    settings = {"classifier.learning_rate": 100.0, "reconstruction.learning_rate": 100.0}
    twin = Twin(int8_bundle(settings, error_source="tuned"))
    for name in "ab":
        twin.add_class(name)
    twin.fine_tune(None)
    windows = twin.feed(samples, labels=rng.integers(0, 2, 10).repeat(40))
    for array in (*twin.weights().values(), *twin.statistics()[1:], windows.probabilities):
        assert np.all(np.isfinite(array))
    counters = twin.counters()
    assert counters["samples"] == 400
    assert counters["gaps"] == counters["refused_samples"]
    twin.state = twin.state


@pytest.mark.parametrize("features", [("embedding", "error"), ("error",)])
def test_a_net_that_runs_out_of_numbers_teaches_nothing(features: tuple[str, ...]) -> None:
    """A float32 net can give infinities and NaN: such windows are counted as refused."""
    bundle = float_bundle(float_net(gain=1e36), features=features, scale=(100.0,) * 3)
    twin = Twin(bundle)
    twin.add_class("a")
    twin.label("a")
    twin.fine_tune(None)
    before = StateImage.from_bytes(twin.state).fields
    assert len(twin.feed(vibration(400))) == 0
    assert twin.counters()["refused_windows"] == twin.counters()["windows"] == 99
    for name, value in StateImage.from_bytes(twin.state).fields.items():
        if not name.startswith("counters"):
            np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_an_embedding_out_of_all_proportion_teaches_nothing() -> None:
    """The net's end looks well, its embedding does not: it would overflow the variance."""
    twin = Twin(float_bundle(float_net(gain=1e25, mute_decoder=True)))
    assert len(twin.feed(vibration(400))) == 0
    assert twin.counters()["refused_windows"] == 99
    assert twin.statistics()[0] == 0


# --- classes ---------------------------------------------------------------------------------


def test_as_many_classes_as_the_model_says() -> None:
    twin = Twin(int8_bundle(max_classes=16))
    for i in range(16):
        twin.add_class(f"class {i}")
    with pytest.raises(DeviceError, match="all 16 classes of this model are taken"):
        twin.add_class("one more")
    twin.remove_class("class 7")
    assert twin.add_class("one more") == 15


# docs/state-image.md: what is not seen, by Unicode's categories, the fillers that look like a space
# besides them, and what is no character.
UNSEEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}
FILLERS = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFFA0}
FILLERS |= {*range(0xE0000, 0xF0000), *range(0xFDD0, 0xFDF0)}
ARABIC_MARKS = {*range(0x610, 0x61B), *range(0x64B, 0x660)}
MARKS = {*range(0x300, 0x370), *range(0x483, 0x48A), *range(0x591, 0x5BE), *ARABIC_MARKS}
MARKS |= {0xE31, *range(0xE34, 0xE3B), *range(0xE47, 0xE4F), *range(0x1AB0, 0x1B00)}
MARKS |= {*range(0x1DC0, 0x1E00), *range(0x20D0, 0x2100), *range(0x302A, 0x3030), 0x3099, 0x309A}
MARKS |= {*range(0xFE00, 0xFE10), *range(0xFE20, 0xFE30)}


def is_unseen(code: int) -> bool:
    if code == ord(" "):
        return False
    nobody = code & 0xFFFE == 0xFFFE
    return nobody or code in FILLERS or unicodedata.category(chr(code)) in UNSEEN


def is_unknown(code: int) -> bool:
    """This Python's Unicode has no such character: a later one's may not be seen."""
    return unicodedata.category(chr(code)) == "Cn" and not is_unseen(code)


def has_unknown(raw: bytes) -> bool:
    return any(is_unknown(ord(character)) for character in raw.decode("utf-8", "ignore"))


def is_good_name(raw: bytes) -> bool:
    try:
        codes = [ord(character) for character in raw.decode("utf-8")]
    except UnicodeDecodeError:
        return False
    if not 1 <= len(raw) <= 15 or raw[0] == 0x20 or raw[-1] == 0x20 or any(map(is_unseen, codes)):
        return False
    marked = "".join("m" if code in MARKS else "c" for code in codes)
    return not marked.startswith("m") and "mmm" not in marked


@given(st.one_of(st.binary(max_size=17), st.text(max_size=8).map(str.encode)))
def test_class_names_against_pythons_utf8(units: Units, raw: bytes) -> None:
    assume(not has_unknown(raw))
    assert (units.lib.tinyol_unit_check_class_name(raw, len(raw)) == 0) is is_good_name(raw)


def test_ill_formed_utf8_is_no_name(units: Units) -> None:
    """Every two bytes; of three and four those at the borders: overlong, surrogates, too high."""
    edges = b"\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0"
    sequences = [bytes(pair) for pair in product(range(256), repeat=2)]
    sequences += [bytes(s) for s in product(range(0xC0, 0x100), edges, edges)]
    sequences += [bytes(s) for s in product(range(0xE0, 0x100), edges, edges, edges)]
    for raw in sequences:
        if has_unknown(raw):
            continue
        if (units.lib.tinyol_unit_check_class_name(raw, len(raw)) == 0) is not is_good_name(raw):
            pytest.fail(raw.hex(" "))


def test_every_character_in_a_name(units: Units) -> None:
    """All of Unicode that this Python knows; a surrogate is no character."""
    check = units.lib.tinyol_unit_check_class_name
    for code in range(0x110000):
        raw = f"a{chr(code)}b".encode("utf-8", "surrogatepass")
        if not is_unknown(code) and (check(raw, len(raw)) != 0) is not is_unseen(code):
            pytest.fail(f"U+{code:04X}")


@pytest.mark.parametrize("name", ["", "sixteen letters!", "a\0b", "tab\t", "\ud800", "\u202eevil"])
def test_bad_names_are_refused_in_words(name: str) -> None:
    twin = Twin(int8_bundle())
    twin.add_class("good")
    before = twin.state
    for attempt in (twin.add_class, lambda new: twin.rename_class("good", new)):
        with pytest.raises(DeviceError, match="is no class name"):
            attempt(name)
    assert twin.state == before


def test_names_stay_unique() -> None:
    twin = Twin(int8_bundle())
    twin.add_class("a")
    twin.add_class("b")
    for attempt in (lambda: twin.add_class("a"), lambda: twin.rename_class("a", "b")):
        with pytest.raises(DeviceError, match="already"):
            attempt()
    twin.rename_class("a", "a")
    for attempt in (lambda: twin.rename_class("c", "d"), lambda: twin.remove_class("c")):
        with pytest.raises(DeviceError, match="no class 'c'; known: a, b"):
            attempt()
    assert twin.classes == ["a", "b"]


def test_a_removed_class_takes_its_label_along() -> None:
    twin = Twin(int8_bundle())
    for name in "abc":
        twin.add_class(name)
    twin.label("c")
    twin.remove_class("a")
    assert set(twin.feed(vibration(40)).label) == {1}  # still c, which moved up
    twin.remove_class("c")
    assert set(twin.feed(vibration(40)).label) == {-1}


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_keep_to_their_range(name: str) -> None:
    info, twin = SETTINGS[name], Twin(int8_bundle())
    before = twin.get(name)
    step = 1.0 if info.integral else 1e-3
    for bad in (info.minimum - step, info.maximum * 1.001 + step, np.nan, np.inf, -np.inf):
        with pytest.raises(DeviceError, match=f"{name} must be .* from .* to .*, not"):
            twin.set(name, bad)
        assert twin.get(name) == before
    if info.integral:
        with pytest.raises(DeviceError, match="a whole number"):
            twin.set(name, info.minimum + 0.5)
    for good in (info.minimum, info.maximum):
        twin.set(name, good)
        assert twin.get(name) == np.float32(good)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(DeviceError, match="no setting 'learning_rate'; known: classifier"):
        Twin(int8_bundle()).set("learning_rate", 1)


# --- models ----------------------------------------------------------------------------------

NET_80 = autoencoder((80, 70, 65, 70, 80))
NET_129 = autoencoder((8, 6, 2, 129, 8))
TOO_LARGE = {
    "TINYOL_MAX_CLASSES": lambda: int8_bundle(max_classes=65),
    "TINYOL_MAX_RING": lambda: int8_bundle(ring_len=4097),
    "TINYOL_MAX_REHEARSAL": lambda: int8_bundle(rehearsal_rows=1025),
    "TINYOL_MAX_REHEARSAL_WINDOWS": lambda: int8_bundle(rehearsal_windows=257),
    "TINYOL_MAX_INPUTS": lambda: int8_bundle(window_len=769),
    "TINYOL_MAX_HIDDEN": lambda: Bundle.create(NET_129, Pipeline(100.0, window_len=8)),
    "TINYOL_MAX_FEATURES": lambda: Bundle.create(
        NET_80, Pipeline(100.0, window_len=80, features=("embedding",))
    ),
}


@pytest.mark.parametrize("name", CAPACITIES)
def test_a_model_too_large_for_the_build_is_refused_by_how_much(name: str) -> None:
    have = CAPACITIES[name]
    says = (
        f"{name}: too small in this build .needed {have + 1}, found {have}.; "
        f"build with at least {name}={have + 1}"
    )
    with pytest.raises(BundleError, match=says):
        Twin(TOO_LARGE[name]())


def test_a_net_that_does_not_fit_its_pipeline_is_refused() -> None:
    image = int8_bundle().model_image
    pipe = dict(sections_of(image))[b"PIPE"]
    longer = patched(image, b"PIPE", 4, struct.pack("<H", 9))
    with pytest.raises(BundleError, match=r"RECO outputs: malformed \(needed 9, found 8\)"):
        Twin(longer)
    reco = dict(sections_of(image))[b"RECO"]
    for n_in, n_out, what in ((9, 5, "net input"), (8, 4, "net hidden layer")):
        header = struct.pack("<HHB", n_out, n_in, 1) + reco[5:24]
        changed = with_section(image, b"RECO", header + bytes(4 * n_in * (n_out + 1)))
        changed = with_section(changed, b"PIPE", pipe[:4] + struct.pack("<H", n_in) + pipe[6:])
        with pytest.raises(BundleError, match=what):
            Twin(changed)


def test_damaged_model_images_are_refused() -> None:
    image = int8_bundle().model_image
    for length in range(0, len(image), 7):
        with pytest.raises(BundleError, match="the device refuses the model"):
            Twin(image[:length])
    damaged = bytearray(image)
    for bit in range(0, 8 * len(image), 11):
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError, match="the device refuses the model"):
            Twin(bytes(damaged))
        damaged[bit // 8] ^= 1 << bit % 8
    sections = sections_of(image)
    for i in range(len(sections)):
        with pytest.raises(BundleError, match="the device refuses the model"):
            Twin(with_sections(image, sections[:i] + sections[i + 1 :]))
    with pytest.raises(BundleError, match="XTRA"):
        Twin(with_sections(image, [(b"XTRA", b""), *sections]))


@given(st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=4)), max_size=3))
def test_a_model_image_of_any_bytes_is_refused_or_runs(changes: list[tuple[int, bytes]]) -> None:
    """With a good checksum: whatever the parser lets through must run."""
    image = bytearray(int8_bundle().model_image)
    for place, new in changes:
        at = 20 + place % (len(image) - 28)
        image[at : at + len(new)] = new
    try:
        twin = Twin(resealed(bytes(image)))
    except BundleError:
        return
    twin.fine_tune(None)
    twin.feed(vibration(100))
    assert all(np.all(np.isfinite(array)) for array in twin.weights().values())
    twin.state = twin.state
