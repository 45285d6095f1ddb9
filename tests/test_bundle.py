"""A bundle is read back as it was written, or refused with a reason."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_nets import autoencoder
from small_replay import HOP, RATE_HZ, WINDOW_LEN, small_bundle

from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.errors import BundleError, TinyOLError
from tinyol_sim.model_image import Pipeline
from tinyol_sim.normal_start import NormalStart
from tinyol_sim.twin import Twin

NORMAL = NormalStart(
    count=100,
    mean=np.float32([-3.0, -5.0]),
    covariance=np.float32([0.25, 0.1, 0.5]),
    prior=np.float32([3.0, 2.0, 1.0, 0.5, 0.25, 0.125, 1e-12]),
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture(scope="module")
def raw(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("bundle") / "small.tinyol"
    bundle.save(path)
    return path.read_bytes()


def edited(raw: bytes, **members: Callable[[bytes], bytes]) -> bytes:
    """The archive with members rewritten; `model_bin` stands for model.bin."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            change = members.get(name.replace(".", "_"), lambda content: content)
            new.writestr(name, change(old.read(name)))
    return out.getvalue()


def with_manifest(raw: bytes, **fields: Any) -> bytes:
    return edited(raw, manifest_json=lambda old: json.dumps({**json.loads(old), **fields}).encode())


def resealed(image: bytes) -> bytes:
    """A model image with length and checksum made right again."""
    image = image[:16] + struct.pack("<I", len(image)) + image[20:-4]
    return image + struct.pack("<I", zlib.crc32(image))


def test_round_trip(bundle: Bundle, raw: bytes, tmp_path: Path) -> None:
    loaded = Bundle.from_bytes(raw)
    for name in ("tflite", "model_image", "model_id", "pipeline", "taps", "settings", "provenance"):
        assert getattr(loaded, name) == getattr(bundle, name), name
    assert loaded.normal.to_bytes() == bundle.normal.to_bytes()
    loaded.save(tmp_path / "again.tinyol")
    assert (tmp_path / "again.tinyol").read_bytes() == raw


def test_model_id_follows_what_is_computed_only(bundle: Bundle) -> None:
    def create(**changes: Any) -> str:
        pipeline = Pipeline(rate_hz=RATE_HZ, window_len=WINDOW_LEN, **{"hop": HOP, **changes})
        return Bundle.create(autoencoder(seed=0), pipeline).model_id

    assert create() == create()
    different = [
        create(),
        create(hop=3),
        create(centring="training"),
        create(max_classes=3),
        create(covariance="full"),
        create(rehearsal_rows=100),
        create(rehearsal_windows=15),
        create(features=("embedding", "axis_log_variance")),
    ]
    assert len(set(different)) == len(different)
    same = Bundle.create(
        autoencoder(seed=0),
        bundle.pipeline,
        settings={"anomaly.threshold": 1.0},
        normal=bundle.normal,
    )
    assert same.model_id == bundle.model_id
    assert same.model_image != bundle.model_image
    other = Bundle.create(autoencoder(seed=0), bundle.pipeline, normal=NORMAL)
    assert other.model_id != bundle.model_id


def test_what_normal_was_is_where_a_device_begins(bundle: Bundle) -> None:
    known = Bundle.create(autoencoder(seed=0), bundle.pipeline, normal=NORMAL)
    twin = Twin(known)
    for _ in range(2):
        watch = twin.watch()
        assert watch.normal_windows == NORMAL.count
        np.testing.assert_array_equal(watch.mean, NORMAL.mean)
        np.testing.assert_array_equal(watch.covariance, NORMAL.covariance)
        assert watch.limit > 0
        twin.add_class("a")
        spread = twin.weights()["gaussian_spread"]
        np.testing.assert_array_equal(spread, NORMAL.prior[None])
        twin.reset()
    unknown = Twin(bundle)
    unknown.add_class("a")
    assert unknown.watch().normal_windows == 0
    prior = unknown.weights()["gaussian_spread"][0]  # 3 of the embedding, ln error, x y z
    np.testing.assert_array_equal(prior, np.float32([1, 1, 1, 0.1, 0.05, 0.05, 0.05]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": -1}, "count is -1"),
        ({"count": 0}, "are zero"),
        ({"mean": [0.0, float("nan")]}, "not finite"),
        ({"mean": [0.0, 1e300]}, "not finite"),
        ({"mean": [0.0]}, "mean of what is normal has the shape"),
        ({"covariance": [1.0, 0.0, -1.0]}, "below 0"),
        ({"prior": [1.0] * 6 + [0.0]}, "a prior variance must be"),
        ({"prior": [1.0] * 6 + [1e13]}, "a prior variance must be"),
        ({"prior": [1.0] * 6}, "6 prior variances, but the features .* are 7 numbers"),
    ],
)
def test_what_cannot_be_normal(bundle: Bundle, changes: dict[str, Any], message: str) -> None:
    fields = {**vars(NORMAL), **changes}
    with pytest.raises(BundleError, match=message):
        Bundle.create(autoencoder(seed=0), bundle.pipeline, normal=NormalStart(**fields))


def test_a_damaged_norm_section_is_refused_by_host_and_device(raw: bytes, bundle: Bundle) -> None:
    def edit(offset: int, value: bytes) -> Callable[[bytes], bytes]:
        def change(image: bytes) -> bytes:
            at = image.index(b"NORM") + 8 + offset
            return resealed(image[:at] + value + image[at + len(value) :])

        return change

    infinite, far = struct.pack("<f", float("inf")), struct.pack("<f", 1e13)
    for change in (edit(4, infinite), edit(24, b"\x06\x00"), edit(26, b"\x01"), edit(28, far)):
        with pytest.raises(BundleError):
            Bundle.from_bytes(edited(raw, model_bin=change))
        with pytest.raises(BundleError, match="the device refuses the model"):
            Twin(change(bundle.model_image))


def test_the_last_layer_is_where_fine_tuning_starts(bundle: Bundle) -> None:
    weights = Twin(bundle).weights()["reconstruction"]
    assert weights.shape == (WINDOW_LEN, 7)
    assert np.abs(weights).max() > 0


@given(st.data())
def test_damaged_archives_are_refused(raw: bytes, data: st.DataObject) -> None:
    """Whatever byte differs: an equal bundle, since zip ignores some, or BundleError."""
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = bytearray(raw)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with suppress(BundleError):
        assert Bundle.from_bytes(bytes(damaged)).model_image == Bundle.from_bytes(raw).model_image


@pytest.mark.parametrize("length", [0, 1, 10, 100, -1, -22, -200])
def test_truncated(raw: bytes, length: int) -> None:
    with pytest.raises(BundleError, match="not a TinyOL bundle"):
        Bundle.from_bytes(raw[:length])


def test_foreign(bundle: Bundle, raw: bytes) -> None:
    with pytest.raises(BundleError, match="not a TinyOL bundle"):
        Bundle.from_bytes(b"hello")
    with pytest.raises(BundleError, match="tinyol model import"):
        Bundle.from_bytes(bundle.tflite)
    other = BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "a zip file of somebody else's")
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Bundle.from_bytes(other.getvalue())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "x"}, "another format"),
        ({"version": 2}, "bundle version 2"),
        ({"model_id": "0" * 16}, "model ids"),
        ({"model_id": 5}, "model_id is missing"),
        ({"taps": {"embedding": 1}}, "taps"),
        ({"taps": {"embedding": 1e999, "hidden": 0, "reconstruction": 0}}, "Infinity"),
        ({"settings": {}}, "same settings"),
        ({"settings": {"anomaly.threshold": -1}}, r"anomaly\.threshold is -1"),
        ({"settings": {"no.such": 1}}, "unknown setting"),
    ],
)
def test_edited_manifests(raw: bytes, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Bundle.from_bytes(with_manifest(raw, **fields))


def test_a_manifest_that_is_no_json(raw: bytes) -> None:
    for content in (b"{", b"[" * 100_000, b"\xff", b"[]"):
        with pytest.raises(BundleError, match="manifest"):
            Bundle.from_bytes(edited(raw, manifest_json=lambda _, c=content: c))


def test_edited_images(raw: bytes, bundle: Bundle) -> None:
    def other_hop(image: bytes) -> bytes:
        at = image.index(b"PIPE") + 8 + 6
        return resealed(image[:at] + struct.pack("<H", HOP + 1) + image[at + 2 :])

    def no_pipe(image: bytes) -> bytes:
        at = image.index(b"PIPE")
        length = 8 + struct.unpack_from("<I", image, at + 4)[0]
        return resealed(image[:at] + image[at + length :])

    def other_net(image: bytes) -> bytes:
        return small_bundle(seed=1).model_image

    for change, message in (
        (other_hop, "model ids"),
        (no_pipe, "it needs PIPE"),
        (other_net, "model ids"),
        (lambda image: image[:-1], "truncated"),
        (lambda image: image[:50] + bytes([image[50] ^ 1]) + image[51:], "CRC-32"),
        (lambda image: image[:6] + b"\x09\x00" + image[8:], "CRC-32"),
        (lambda image: resealed(image[:6] + b"\x09\x00" + image[8:]), "arithmetic version 9"),
    ):
        with pytest.raises(BundleError, match=message):
            Bundle.from_bytes(edited(raw, model_bin=change))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_len": WINDOW_LEN + 1}, "the net takes 12 values but a window has 13"),
        ({"hop": 0}, "hop is 0"),
        ({"axes": "xyz"}, "axes is 'xyz'"),
        ({"features": ("error", "error")}, "each once"),
        ({"features": ()}, "features are none"),
        ({"rate_hz": float("nan")}, "rate_hz"),
        ({"rate_hz": 1e300}, "rate_hz"),
        ({"projection": (0.0, 0.0, 0.0)}, "no direction"),
        ({"scale": (0.0, 1.0, 1.0)}, "scale is 0"),
        ({"scale": (1e300, 1.0, 1.0)}, "scale"),
        ({"offset": float("inf")}, "offset"),
        ({"max_classes": 65}, "TINYOL_MAX_CLASSES=65"),
        ({"covariance": "round"}, "covariance is 'round'"),
        ({"rehearsal_rows": 70_000}, "rehearsal_rows is 70000"),
    ],
)
def test_window_settings_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    def make() -> Twin:
        fields = {"rate_hz": RATE_HZ, "window_len": WINDOW_LEN, **changes}
        return Twin(Bundle.create(autoencoder(seed=0), Pipeline(**fields)))

    with pytest.raises(BundleError, match=message):
        make()


@pytest.mark.parametrize("version", [1, 3])
def test_a_net_of_another_release_is_not_called_damaged(raw: bytes, version: int) -> None:
    def older(image: bytes) -> bytes:
        at = image.index(b"TOLN") + 4
        return resealed(image[:at] + struct.pack("<H", version) + image[at + 2 :])

    says = f"has version {version} of its layout.*reads 2: make the bundle anew, with `tinyol train"
    with pytest.raises(BundleError, match=says):
        Bundle.from_bytes(edited(raw, model_bin=older))


def test_files_that_cannot_be(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.tinyol: cannot be read"):
        Bundle.load(tmp_path / "none.tinyol")
    with pytest.raises(TinyOLError, match="cannot be written"):
        bundle.save(tmp_path / "no" / "folder.tinyol")


def test_writing_follows_links_and_keeps_devices(bundle: Bundle, tmp_path: Path) -> None:
    target, link = tmp_path / "real.tinyol", tmp_path / "link.tinyol"
    target.write_bytes(b"old")
    link.symlink_to(target)
    bundle.save(link)
    assert link.is_symlink()
    assert Bundle.load(target).model_id == bundle.model_id
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        Twin(bundle).save(pipe)
        assert os.read(reader, 4) == b"TOLS"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_default_bundles_say_which_rates_there_are() -> None:
    assert {default_bundle(rate).pipeline.rate_hz for rate in (119.0, 100.0)} == {119.0, 100.0}
    with pytest.raises(BundleError, match="119 and 100 Hz"):
        default_bundle(50.0)
