"""The state image: all that was learned, nothing else, and nothing half taken over."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_surgery import patched, resealed, sections_of, with_section, with_sections
from native_build import load_native
from small_models import int8_bundle, vibration

from tinyol_sim.errors import StateImageError
from tinyol_sim.settings import SETTINGS
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

LAYER_HEADER = 24
N_FEATURES = 6  # 2 of the embedding, log error, 3 axes
TAGS = [
    tag.encode()
    for tag in [
        "COUN",
        "SETT",
        "CLAS",
        "STAT",
        "SOFT",
        "GAUS",
        "REHE",
        "RECO",
        "RLSP",
        "REHW",
        "NORM",
        "DRIF",
        "UNKN",
        "METR",
    ]
]


def taught_twin() -> Twin:
    """A twin that has learned a little of everything."""
    twin = Twin(int8_bundle())
    for name in ("low", "high", "Lüfter"):
        twin.add_class(name)
    samples = vibration(3000)
    samples[777] = np.nan
    twin.fine_tune(200)
    twin.feed(samples, labels=np.arange(3000) // 200 % 3, gaps=[100, 1500])
    twin.set("anomaly.threshold", 0.25)
    return twin


@pytest.fixture(scope="module")
def image() -> bytes:
    return taught_twin().state


def refusal_of(twin: Twin, image: bytes) -> str:
    """The message of the refusal; and not a byte of the twin has changed."""
    before = twin.state
    with pytest.raises(StateImageError) as error:
        twin.state = image
    assert twin.state == before
    return str(error.value)


# --- what is in it ---------------------------------------------------------------------------


def test_layout_is_the_documents(image: bytes) -> None:
    """docs/state-image.md, read by hand."""
    magic, form, arithmetic, model_id, total = struct.unpack_from("<4sHH8sI", image)
    assert (magic, form, arithmetic) == (b"TOLS", 2, 1)
    assert model_id.hex() == int8_bundle().model_id
    assert total == len(image)
    assert struct.unpack("<I", image[-4:])[0] == zlib.crc32(image[:-4])
    sections = sections_of(image)
    assert [tag for tag, _ in sections] == TAGS
    assert all(len(data) % 4 == 0 for _, data in sections)
    payload = dict(sections)
    counters = taught_twin().counters()
    names = ("samples", "windows", "gaps", "refused_samples", "refused_windows")
    assert struct.unpack("<QQIII", payload[b"COUN"]) == tuple(counters[name] for name in names)
    classes = payload[b"CLAS"]
    assert struct.unpack_from("<HH", classes) == (3, 0)
    assert classes[36:] == "Lüfter".encode().ljust(16, b"\0")
    lessons = {b"SOFT": 4 * 3, b"RECO": 0}
    for tag, n_in, n_out in ((b"SOFT", N_FEATURES, 3), (b"RECO", 5, 8)):
        assert struct.unpack_from("<HHB3B", payload[tag]) == (n_in, n_out, 1, 0, 0, 0)
        assert len(payload[tag]) == LAYER_HEADER + 4 * n_out * (n_in + 1) + lessons[tag]
    gaussian = payload[b"GAUS"]
    assert struct.unpack_from("<IHHB3x", gaussian) == (
        counters["classifier_steps"],
        N_FEATURES,
        3,
        0,
    )
    assert len(gaussian) == 12 + 3 * (8 + 4 * 2 * N_FEATURES + 44)


def test_fields_are_what_the_twin_says(image: bytes) -> None:
    twin, fields = taught_twin(), StateImage.from_bytes(image).fields
    weights, (count, mean, variance) = twin.weights(), twin.statistics()
    for name, expected in (
        ("softmax.weights", weights["softmax"]),
        ("reconstruction.weights", weights["reconstruction"]),
        ("reconstruction.bias", weights["bias"]),
        ("statistics.mean", mean),
        ("statistics.variance", variance),
        ("metrics.confusion", twin.metrics().confusion),
    ):
        np.testing.assert_array_equal(fields[name], expected)
    assert fields["statistics.count"] == count
    assert fields["classes.names"] == twin.classes
    assert {name: fields[f"settings.{name}"] for name in SETTINGS} == twin.settings()
    assert fields["reconstruction.steps"] == twin.counters()["reconstruction_steps"] == 200


def test_first_difference_names_field_and_values(image: bytes) -> None:
    one, twin = StateImage.from_bytes(image), Twin(int8_bundle())
    twin.state = image
    assert one.first_difference(StateImage.from_bytes(twin.state)) is None
    twin.set("classifier.l2", 0.5)
    difference = one.first_difference(StateImage.from_bytes(twin.state))
    assert difference == "settings.classifier.l2: 0.0 against 0.5"


def test_largest_image() -> None:
    """The size announced is that of a device with all its classes, to the byte."""
    twin = Twin(int8_bundle())
    for i in range(16):
        twin.add_class(f"class {i}")
    announced = len(twin.state)
    twin.remove_class("class 3")
    softmax, gaussian = 4 * (N_FEATURES + 2), 52 + 8 * N_FEATURES
    smaller = 16 + softmax + gaussian + 4 + 4 * (16**2 - 15**2)
    assert len(twin.state) == announced - smaller
    other = Twin(int8_bundle())
    other.state = twin.state
    assert other.state == twin.state


# --- round trips -----------------------------------------------------------------------------


def test_a_state_goes_on_where_it_was_exported(image: bytes) -> None:
    twins = [Twin(int8_bundle()) for _ in range(2)]
    twins[1].add_class("other")
    twins[1].feed(vibration(500, seed=3))
    more = vibration(2000, seed=5)
    results = []
    for twin in twins:
        twin.state = image
        assert twin.state == image
        twin.fine_tune(100)
        results.append(twin.feed(more, labels=np.arange(2000) // 300 % 3))
    assert twins[0].state == twins[1].state != image
    for name, column in vars(results[0]).items():
        np.testing.assert_array_equal(column, getattr(results[1], name))


def test_import_ends_what_was_under_way(image: bytes) -> None:
    """A label, fine-tuning, half a window, vectors for late labels: none of it was learned."""
    busy, fresh = taught_twin(), Twin(int8_bundle())
    busy.label("high")
    busy.fine_tune(None)
    busy.feed(vibration(6, seed=1))
    busy.state = fresh.state = image
    assert busy.counters()["fine_tune_left"] == 0
    assert busy.label_back("low", 1000) == 0
    samples = vibration(400, seed=2)
    windows = busy.feed(samples)
    assert np.all(windows.label == -1)
    assert windows.sample_index[0] == 3000 + 7
    fresh.feed(samples)
    assert busy.state == fresh.state


def test_images_do_not_depend_on_the_builds_capacities(image: bytes) -> None:
    """A build of exactly this model's size learns the same bytes as the twin's roomy one."""
    tight = load_native(
        {
            "TINYOL_MAX_CLASSES": 16,
            "TINYOL_MAX_FEATURES": N_FEATURES,
            "TINYOL_MAX_HIDDEN": 5,
            "TINYOL_MAX_INPUTS": 8,
            "TINYOL_MAX_RING": 64,
        }
    )
    with tight.as_twin():
        twin = taught_twin()
        assert twin.state == image
        again = Twin(int8_bundle())
        again.state = image
        assert again.state == image


def test_reset_is_what_training_left(image: bytes) -> None:
    twin = Twin(int8_bundle())
    first = twin.state
    twin.state = image
    twin.label("low")
    twin.feed(vibration(3))
    twin.reset()
    assert twin.state == first
    windows = twin.feed(vibration(8))
    assert windows.sample_index.tolist() == [7]
    assert windows.label.tolist() == [-1]


# --- refusals --------------------------------------------------------------------------------


def test_every_flipped_bit_is_refused(image: bytes) -> None:
    twin = taught_twin()
    before = twin.state
    damaged = bytearray(image)
    for bit in range(8 * len(image)):
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StateImageError):
            twin.state = bytes(damaged)
        damaged[bit // 8] ^= 1 << bit % 8
    assert twin.state == before


def test_every_truncation_is_refused(image: bytes) -> None:
    twin = taught_twin()
    before = twin.state
    for length in range(len(image)):
        with pytest.raises(StateImageError):
            twin.state = image[:length]
        if length >= 24:  # the same with the length and checksum of the shorter image
            with pytest.raises(StateImageError):
                twin.state = resealed(image[:length])
    for longer in (image + b"\0", resealed(image + bytes(4)), image + image):
        refusal_of(twin, longer)
    assert twin.state == before


def test_a_length_that_is_not_the_images_is_refused(image: bytes) -> None:
    for length in (0, len(image) - 4, len(image) + 4, 2**32 - 1):
        body = image[:16] + struct.pack("<I", length) + image[20:-4]
        lying = body + struct.pack("<I", zlib.crc32(body))
        assert "length: truncated" in refusal_of(taught_twin(), lying)


def test_another_models_image_is_refused() -> None:
    other = Twin(int8_bundle(hop=5)).state
    assert refusal_of(taught_twin(), other) == "this state image belongs to another model"


def test_a_model_image_is_no_state_image() -> None:
    assert "magic: not of this format" in refusal_of(taught_twin(), int8_bundle().model_image)


def test_versions_are_named(image: bytes) -> None:
    for offset, name, needed in ((4, "format", 2), (6, "arithmetic", 1)):
        other = bytearray(image)
        other[offset] += 1
        message = refusal_of(taught_twin(), resealed(bytes(other)))
        assert (
            f"{name} version: of another version (needed {needed}, found {needed + 1})" in message
        )


def test_sections_must_be_the_known_ones_in_order(image: bytes) -> None:
    twin, sections = taught_twin(), sections_of(image)
    unknown = refusal_of(twin, with_sections(image, [*sections[:3], (b"XTRA", b""), *sections[3:]]))
    assert "XTRA: unknown" in unknown
    appended = refusal_of(twin, with_sections(image, [*sections, (b"MORE", bytes(8))]))
    assert "MORE: unknown" in appended
    for i, (tag, data) in enumerate(sections):
        without = with_sections(image, sections[:i] + sections[i + 1 :])
        assert sections[min(i + 1, len(TAGS) - 1)][0].decode() in refusal_of(twin, without)
        refusal_of(twin, with_sections(image, [*sections[:i], (tag, data), *sections[i:]]))
        longer = with_section(image, tag, data + bytes(4))
        assert tag.decode() in refusal_of(twin, longer)
        refusal_of(twin, with_section(image, tag, data[:-4]))
        refusal_of(twin, with_section(image, tag, b""))


BAD_NUMBERS = [np.nan, np.inf, -np.inf, 1e38, -1e38]


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize(
    ("tag", "offset"),
    [
        (b"SETT", 8),  # a setting
        (b"STAT", 8),  # a mean
        (b"STAT", 8 + 4 * (2 * N_FEATURES - 1)),  # the last variance
        (b"SOFT", LAYER_HEADER),
        (b"SOFT", LAYER_HEADER + 4 * 14),
        (b"RECO", LAYER_HEADER),
        (b"RECO", LAYER_HEADER + 4 * 47),  # the last bias
        (b"METR", 8),  # mean loss
        (b"METR", 16),  # mean error
        (b"METR", 20 + 24),  # a quantile's height
    ],
)
def test_numbers_that_would_poison_are_refused(
    image: bytes, tag: bytes, offset: int, value: float
) -> None:
    message = refusal_of(taught_twin(), patched(image, tag, offset, struct.pack("<f", value)))
    assert tag.decode() in message or "classifier.learn" in message


def test_fields_that_contradict_each_other_are_refused(image: bytes) -> None:
    twin = taught_twin()
    u16, u32, f32 = (lambda x, kind=kind: struct.pack(f"<{kind}", x) for kind in "HIf")
    bad = {
        "more windows than samples": (b"COUN", 8, struct.pack("<Q", 10**9)),
        "unknown setting": (b"SETT", 4, u16(99)),
        "setting twice": (b"SETT", 12, u16(1)),
        "setting's reserved field": (b"SETT", 6, u16(1)),
        "fewer settings": (b"SETT", 0, u16(3)),
        "fraction": (b"SETT", 4 + 8 + 4, f32(0.5)),
        "too many classes": (b"CLAS", 0, u16(17)),
        "class without a name": (b"CLAS", 4, bytes(16)),
        "control character in a name": (b"CLAS", 4, b"\x1b"),
        "name after its end": (b"CLAS", 19, b"x"),
        "same name twice": (b"CLAS", 20, b"low".ljust(16, b"\0")),
        "other number of features": (b"STAT", 0, u16(4)),
        "negative variance": (b"STAT", 8 + 4 * N_FEATURES, f32(-1e-9)),
        "variance of no sample": (b"STAT", 4, u32(0)),
        "other shape": (b"SOFT", 2, u16(4)),
        "no bias": (b"SOFT", 4, b"\0"),
        "no bias of the layer": (b"RECO", 4, b"\0"),
        "reserved": (b"RECO", 5, b"\x01"),
        "other number of classes": (b"METR", 0, u16(2)),
        "quantile markers out of order": (b"METR", 20 + 4 + 8, u32(1)),
        "quantile count too large": (b"METR", 20, u32(1 << 16)),
        "quantile heights out of order": (b"METR", 20 + 24 + 16, f32(-1)),
    }
    for why, (tag, offset, new) in bad.items():
        assert patched(image, tag, offset, new) != image, why
        refusal_of(twin, patched(image, tag, offset, new))
    settings = dict(sections_of(image))[b"SETT"]
    fewer = u16(3) + settings[2 : 4 + 8 * 3]
    assert "SETT" in refusal_of(twin, with_section(image, b"SETT", fewer))


WORDS = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda word: struct.pack("<I", word)),
    st.sampled_from([0.0, -0.0, 1e6, -1e6, 1e15, -1e15, 1e30, 1.0, 1e-45]).map(
        lambda value: struct.pack("<f", value)
    ),
    st.sampled_from([0, 1, 2, 3, 65535, 2**32 - 1]).map(lambda word: struct.pack("<I", word)),
)


@given(st.lists(st.tuples(st.integers(5, 2**16), WORDS), min_size=1, max_size=3))
def test_what_is_accepted_is_taken_over_to_the_byte(
    image: bytes, changes: list[tuple[int, bytes]]
) -> None:
    """Any other words with a good checksum: refused, or the new state is exactly that image.

    And nothing in it poisons what follows: the twin goes on, and its next image is accepted.
    """
    other, n_words = bytearray(image), len(image) // 4 - 1
    for place, word in changes:
        at = 4 * (5 + place % (n_words - 5))
        other[at : at + 4] = word
    changed = resealed(bytes(other))
    twin = Twin(int8_bundle())
    before = twin.state
    try:
        twin.state = changed
    except StateImageError:
        assert twin.state == before
        return
    assert twin.state == changed
    twin.fine_tune(None)
    twin.feed(vibration(200), labels=np.full(200, twin.n_classes - 1))
    for array in (*twin.weights().values(), *twin.statistics()[1:]):
        assert np.all(np.isfinite(array))
    after = twin.state
    twin.state = after
    assert twin.state == after


def test_save_and_load_name_the_file(tmp_path: Path, image: bytes) -> None:
    twin, path = taught_twin(), tmp_path / "device.tols"
    twin.save(path)
    other = Twin(int8_bundle())
    other.load(path)
    assert other.state == image
    path.write_bytes(image[:-1])
    for broken in (path, tmp_path / "absent.tols"):
        with pytest.raises(StateImageError, match=broken.name):
            other.load(broken)
