"""What is read from files on a computer, and what must hold for each: the targets in Python.

A reader takes a file or refuses it with an error of the project's own, in one line and within
bounded time and memory. What it takes is sound: it can be written and read back as the same.
"""

from __future__ import annotations

import hashlib
import json
import resource
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from mutations import (
    Mutator,
    archive_of,
    members_of,
    mutate_archive,
    mutate_bytes,
    mutate_json,
    mutate_npy,
    mutate_text,
    mutate_words,
)

from tinyol_sim.bundle import IMAGE, MANIFEST, Bundle
from tinyol_sim.errors import FileError, StateImageError, TinyOLError
from tinyol_sim.frozen_net.net_compiler import compile_net
from tinyol_sim.frozen_net.tflite_model import find_taps, read_tflite
from tinyol_sim.model_image import MAGIC, model_id_of, read_sections
from tinyol_sim.open_recordings import open_recording
from tinyol_sim.recording_formats import labels
from tinyol_sim.recordings import Recording, read_recording, write_recording
from tinyol_sim.session_record import SESSION, SessionRecord
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

RATE_HZ = 100.0  # of recordings that do not say theirs
MOST_CPU_S = 5.0  # for a file of some KB
MOST_KB = 300_000  # that reading it may add to the process


class BrokenPromiseError(Exception):
    """A promise of a reader's does not hold; says which."""


def check(promise: bool, what: str) -> None:
    if not promise:
        raise BrokenPromiseError(what)


@dataclass(frozen=True)
class Reader:
    """What is read, and how its files are changed.

    read: takes a file of that suffix; raises TinyOLError, or BrokenPromiseError.
    """

    suffix: str
    mutate: Mutator
    read: Callable[[Path], None]


def label_texts(recording: Recording) -> list[str]:
    return [("", *recording.label_names)[index + 1] for index in recording.labels]


def same_recording(a: Recording, b: Recording, what: str) -> None:
    """Every float32, every gap and every sample's label (docs/recordings.md)."""
    for field in ("samples", "gaps"):
        check(np.array_equal(getattr(a, field), getattr(b, field)), f"{what}: other {field}")
    check(a.rate_hz == b.rate_hz, f"{what}: another rate")
    check(label_texts(a) == label_texts(b), f"{what}: other labels")


def read_any_recording(path: Path) -> None:
    try:
        found = read_recording(path)
    except TinyOLError:
        found = read_recording(path, rate_hz=RATE_HZ)
    check(bool(np.isfinite(found.samples).all()), "a sample that is not finite")
    stream = open_recording(path, rate_hz=found.rate_hz)
    samples = np.concatenate(list(stream.pieces()))
    labels_of = stream.label_runs.labels_of(0, stream.n_samples)
    same_recording(
        Recording(samples, stream.rate_hz, labels_of, stream.label_names, stream.gaps, ""),
        found,
        "as a stream",
    )
    for suffix in (".npz", ".csv"):
        copy = path.with_name("copy" + suffix)
        copy.unlink(missing_ok=True)
        write_recording(found, copy)
        same_recording(read_recording(copy), found, f"written as {suffix}")


def read_labels(path: Path) -> None:
    intervals = labels.read_intervals(path)
    again = path.with_name("again.csv")
    again.write_bytes(labels.intervals_to_bytes(intervals))
    check(labels.read_intervals(again) == intervals, "written intervals are others")
    bare = Recording(
        np.zeros((200, 3), np.float32), RATE_HZ, np.full(200, -1), (), np.empty(0, np.int64), "bare"
    )
    bare.with_intervals(intervals)


def read_bundle(path: Path) -> None:
    bundle = Bundle.load(path)
    copy = path.with_name("copy.tinyol")
    bundle.save(copy)
    check(Bundle.load(copy).model_image == bundle.model_image, "a saved bundle is another")
    Twin(bundle).feed(np.zeros((50, 3), np.float32))


def read_model(path: Path) -> None:
    model = read_tflite(path.read_bytes(), path.name)
    compile_net(model, find_taps(model))


def read_state(path: Path) -> None:
    StateImage.from_bytes(path.read_bytes())


def read_session(path: Path) -> None:
    """A session's folder, which is kept as an archive."""
    members = members_of(path.read_bytes())
    if members is None:
        raise StateImageError("no session: the input itself is no archive")
    folder = path.with_name("session")
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, content in members.items():
        if name and Path(name).name == name and "\0" not in name and len(name) < 40:
            (folder / name).write_bytes(content)
    session = SessionRecord.load(folder)
    check(session.samples.shape == (session.n_samples, 3), "samples of another shape")
    for old in folder.iterdir():
        old.unlink()
    session.save(folder)
    again = SessionRecord.load(folder)
    check(again.commands == session.commands, "written commands are others")
    check(again.samples.tobytes() == session.samples.tobytes(), "written samples are others")


def sealed(image: bytes) -> bytes:
    """An image with its own length and checksum."""
    if len(image) < 24:
        return image
    image = image[:16] + struct.pack("<I", len(image)) + image[20:-4]
    return image + struct.pack("<I", zlib.crc32(image))


def mutate_image(data: bytes, rng: Random) -> bytes:
    changed = rng.choice((mutate_words, mutate_words, mutate_bytes))(data, rng)
    return sealed(changed) if rng.randrange(8) else changed


def mutate_recording_archive(data: bytes, rng: Random) -> bytes:
    return mutate_archive(data, rng, lambda name: mutate_npy)


def mutate_bundle(data: bytes, rng: Random) -> bytes:
    """A member; then the model ids, in most cases, agree again."""
    kinds: dict[str, Mutator] = {MANIFEST: mutate_json, IMAGE: mutate_image}
    members = members_of(mutate_archive(data, rng, lambda name: kinds.get(name, mutate_words)))
    if members is None or rng.randrange(4) == 0:
        return mutate_archive(data, rng, lambda name: kinds.get(name, mutate_bytes))
    try:
        _, sections = read_sections(members[IMAGE], MAGIC, "model image")
        model_id = model_id_of(sections)
        image = members[IMAGE]
        members[IMAGE] = sealed(image[:8] + bytes.fromhex(model_id) + image[16:])
        manifest = json.loads(members[MANIFEST])
        manifest["model_id"] = model_id
        members[MANIFEST] = json.dumps(manifest).encode()
    except (TinyOLError, KeyError, ValueError, TypeError, RecursionError):
        pass
    return archive_of(members)


def mutate_session(data: bytes, rng: Random) -> bytes:
    """A file of the folder; then the sums in session.json, in most cases, are right again."""

    def inside(name: str) -> Mutator:
        if name == SESSION:
            return mutate_json
        return mutate_recording_archive if name.endswith(".npz") else mutate_bytes

    members = members_of(mutate_archive(data, rng, inside))
    if members is None:
        return mutate_bytes(data, rng)
    try:
        manifest = json.loads(members[SESSION])
        if rng.randrange(8):
            for name in manifest["sha256"]:
                manifest["sha256"][name] = hashlib.sha256(members[name]).hexdigest()
            members[SESSION] = json.dumps(manifest).encode()
    except (KeyError, ValueError, TypeError, RecursionError):
        pass
    return archive_of(members)


READERS = {
    "csv": Reader(".csv", mutate_text, read_any_recording),
    "labels": Reader(".csv", mutate_text, read_labels),
    "edge-impulse": Reader(".json", mutate_json, read_any_recording),
    "npz": Reader(".npz", mutate_recording_archive, read_any_recording),
    "bundle": Reader(".tinyol", mutate_bundle, read_bundle),
    "tflite": Reader(".tflite", mutate_words, read_model),
    "state": Reader(".state", mutate_image, read_state),
    "session": Reader(".zip", mutate_session, read_session),
}


def run_reader(name: str, data: bytes, folder: Path) -> str:
    """Gives a reader a file of these bytes in `folder`, which is the run's own.

    Returns what it said of it: "" if it took the file, else its error. Raises BrokenPromiseError,
    or whatever the reader raised that it should not.
    """
    reader = READERS[name]
    path = folder / ("input" + reader.suffix)
    path.write_bytes(data)
    began, kb = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        reader.read(path)
        said = ""
    except TinyOLError as error:
        said = str(error) or "nothing"
        check("\n" not in said, f"an error of several lines: {said[:200]!r}")
        check(len(said) <= FileError.LONGEST, f"an error of {len(said)} characters: {said[:200]!r}")
    spent = time.process_time() - began
    check(spent < MOST_CPU_S, f"{spent:.1f} s for {len(data)} bytes")
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kb
    check(more < MOST_KB, f"{more} KB of memory for {len(data)} bytes")
    return said
