"""A session's folder: lossless, whole or refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_replay import recording, small_bundle

from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    ClassWeight,
    FineTune,
    Gap,
    Label,
    NameUnknown,
    Relearn,
    SetSetting,
)
from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import read_recording
from tinyol_sim.session_record import SessionRecord, is_session
from tinyol_sim.twin import Twin


def a_session(**changes: Any) -> SessionRecord:
    twin = Twin(small_bundle())
    samples = recording([("normal", 100)]).samples.copy()
    values: dict[str, Any] = {
        "model_id": small_bundle().model_id,
        "board": "sim",
        "rate_hz": 50.0,
        "start": twin.state,
        "end": twin.state,
        "samples": samples,
        "gaps": np.array([3, 40]),
        "commands": (
            (0, AddClass("normal")),
            (0, SetSetting("classifier.l2", float(np.float32(0.1)))),
            (10, Label("normal", 5)),
            (90, Relearn("normal", 20)),
            (90, ClassWeight("normal", 0.5)),
            (90, NameUnknown(3, "größer")),
            (90, Calibrate(40, 10)),
            (100, FineTune(None)),
        ),
        "labels": np.repeat([-1, 0], 50),
        "label_names": ("normal",),
        "meta": {"made_by": "tests"},
    }
    return SessionRecord(**{**values, **changes})


def same(a: SessionRecord, b: SessionRecord) -> None:
    for field in fields(SessionRecord):
        mine, theirs = getattr(a, field.name), getattr(b, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype
            assert mine.tobytes() == theirs.tobytes(), field.name
        else:
            assert mine == theirs, field.name


def test_it_reads_back_as_it_was(tmp_path: Path) -> None:
    session = a_session(lost=("3 samples", "one <more>"))
    session.save(tmp_path / "deep" / "folder")
    assert is_session(tmp_path / "deep" / "folder")
    same(SessionRecord.load(tmp_path / "deep" / "folder"), session)


def test_samples_that_the_device_refused_keep_their_bits(tmp_path: Path) -> None:
    samples = a_session().samples.copy()
    samples[5] = [np.nan, np.inf, -np.inf]
    samples[6] = np.array([0x7FC12345, 0x80000000, 0x00000001], np.uint32).view(np.float32)
    a_session(samples=samples).save(tmp_path / "s")
    assert SessionRecord.load(tmp_path / "s").samples.tobytes() == samples.tobytes()


def test_its_samples_are_a_recording_too(tmp_path: Path) -> None:
    session = a_session()
    session.save(tmp_path / "s")
    found = read_recording(tmp_path / "s" / "recording.npz")
    np.testing.assert_array_equal(found.samples, session.samples)
    np.testing.assert_array_equal(found.labels, session.labels)
    assert (found.rate_hz, found.label_names, found.gaps.tolist()) == (50.0, ("normal",), [3, 40])


def test_a_gap_before_the_first_sample_and_a_second_one_become_commands(tmp_path: Path) -> None:
    session = a_session(gaps=np.array([0, 0, 10, 10, 40]))
    assert session.gaps.tolist() == [10, 40]
    kinds = [(index, type(command)) for index, command in session.commands]
    assert kinds == [
        (0, AddClass), (0, SetSetting), (0, Gap), (0, Gap), (10, Label), (10, Gap),
        (90, Relearn), (90, ClassWeight), (90, NameUnknown), (90, Calibrate), (100, FineTune),
    ]  # fmt: skip
    session.save(tmp_path / "s")
    same(SessionRecord.load(tmp_path / "s"), session)


def test_a_session_without_samples(tmp_path: Path) -> None:
    empty = a_session(
        samples=np.empty((0, 3)), gaps=np.empty(0, int), commands=((0, Gap()),), labels=None
    )
    empty.save(tmp_path / "s")
    same(SessionRecord.load(tmp_path / "s"), empty)


def test_another_session_is_not_overwritten(tmp_path: Path) -> None:
    a_session().save(tmp_path)
    with pytest.raises(RecordingError, match="there is a session already"):
        a_session(board="other").save(tmp_path)
    assert SessionRecord.load(tmp_path).board == "sim"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"samples": np.zeros((4, 2))}, r"must be \(n, 3\)"),
        ({"rate_hz": 0.0}, "rate_hz"),
        ({"gaps": np.array([100])}, "0 to 99"),
        ({"gaps": np.array([4, 3])}, "in order"),
        ({"gaps": np.array([1.5])}, "integers"),
        ({"commands": ((101, Gap()),)}, "0 to 100"),
        ({"commands": ((5, Gap()), (4, Gap()))}, "in order"),
        ({"labels": np.zeros(3, int)}, "100 indices"),
        ({"labels": np.ones(100, int)}, "1 label_names"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(RecordingError, match=match):
        a_session(**changes)


def change_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "session.json").read_text())
    manifest.update(changes)
    (folder / "session.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": "other"}, "not a TinyOL session"),
        ({"version": 1}, "this program reads 2"),
        ({"rate_hz": "fast"}, "rate_hz is missing or malformed"),
        ({"commands": [7]}, "must be an object"),
        ({"commands": [{"at": "0", "do": "gap"}]}, "sample's index"),
        ({"commands": [{"at": 0, "do": "explode"}]}, "no command 'explode'"),
        ({"commands": [{"at": 500, "do": "gap"}]}, "0 to 100"),
        ({"sha256": {}}, "start.state: not the file"),
        ({"samples": 99}, "samples is 99, but recording.npz has 100"),
        ({"samples": None}, "samples is missing or malformed"),
        ({"rate_hz": 51}, "rate_hz is 51, but recording.npz has 50.0"),
        ({"rate_hz": 10**400}, "rate_hz is 1000"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    a_session().save(tmp_path)
    change_manifest(tmp_path, **changes)
    with pytest.raises(RecordingError, match=match):
        SessionRecord.load(tmp_path)


@pytest.mark.parametrize("name", ["start.state", "end.state", "recording.npz", "session.json"])
def test_a_missing_or_cut_file_is_named(tmp_path: Path, name: str) -> None:
    a_session().save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-9])
    with pytest.raises(RecordingError, match=name):
        SessionRecord.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(RecordingError, match=name):
        SessionRecord.load(tmp_path)


def test_a_file_of_another_session_is_noticed(tmp_path: Path) -> None:
    a_session().save(tmp_path / "a")
    replace(a_session(), samples=a_session().samples * 2).save(tmp_path / "b")
    (tmp_path / "b" / "recording.npz").replace(tmp_path / "a" / "recording.npz")
    with pytest.raises(RecordingError, match=r"recording\.npz: not the file"):
        SessionRecord.load(tmp_path / "a")


@pytest.mark.parametrize("name", ["start.state", "end.state"])
def test_a_state_image_of_elsewhere_is_noticed(tmp_path: Path, name: str) -> None:
    """It ends in its own CRC-32, so that the CRC-32 of all of it tells nothing."""
    a_session().save(tmp_path)
    twin = Twin(small_bundle())
    twin.add_class("other")
    (tmp_path / name).write_bytes(twin.state)
    with pytest.raises(RecordingError, match=rf"{name}: not the file"):
        SessionRecord.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", np.full((100, 3), "1.0")),
        ("samples", np.zeros((100, 3), np.complex64)),
        ("samples", np.float32(1)),
        ("gaps", np.array(["3"])),
        ("gaps", np.int64(3)),
        ("labels", np.zeros(100, np.complex64)),
        ("label_names", np.array("normal")),
        ("label_names", np.array([1])),
        ("rate_hz", np.str_("50")),
        ("rate_hz", np.array([50.0, 50.0])),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path: Path, name: str, value: Any) -> None:
    """Also where the checksum is right."""
    a_session().save(tmp_path)
    file = tmp_path / "recording.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    np.savez(file, **{**arrays, name: value})
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    told = json.loads((tmp_path / "session.json").read_text())["sha256"]
    change_manifest(tmp_path, sha256={**told, "recording.npz": digest})
    with pytest.raises(RecordingError, match=rf"recording\.npz: {name} is .*; it must be "):
        SessionRecord.load(tmp_path)


def test_a_full_disk_or_a_file_in_the_way_leaves_no_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="file"):
        a_session().save(tmp_path / "file" / "s")
    (tmp_path / "s" / "recording.npz").mkdir(parents=True)
    with pytest.raises(RecordingError, match=r"recording\.npz"):
        a_session().save(tmp_path / "s")
    assert not is_session(tmp_path / "s")
