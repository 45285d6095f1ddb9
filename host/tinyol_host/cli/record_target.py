"""Where `tinyol record` writes: looked at before anything is recorded, written at the end."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinyol_sim.counted import counted
from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats.labels import class_name_problem, sidecar_of
from tinyol_sim.recordings import Recording, write_recording
from tinyol_sim.session_record import END, RECORDING, SESSION, START, SessionRecord

_SUFFIXES = (".csv", ".json", ".npz")


def check_target(path: Path, *, session: bool, force: bool, label: str | None) -> None:
    """Raises RecordingError if what will be recorded could not be written in the end."""
    if label is not None and (problem := class_name_problem(label)):
        raise RecordingError(f"--label: {problem}")
    if session:
        _check_folder(path, force)
        return
    if path.suffix.lower() not in _SUFFIXES:
        raise RecordingError(f"{path}: the suffix must be .csv, .json (Edge Impulse) or .npz")
    if path.is_dir():
        raise RecordingError(f"{path}: is a folder; a recording is a file")
    if path.exists() and not force:
        raise RecordingError(f"{path}: is there already; --force replaces it")
    sidecar = sidecar_of(path)
    if sidecar.exists():
        raise RecordingError(
            f"{sidecar} is there, and its labels would go before the recorded ones"
        )
    _check_writable(path.parent)


def save_recording(path: Path, recording: Recording) -> dict[str, Any]:
    """Writes it, and tells what was written.

    If that fails, it is written as .npz beside `path`, or else among the temporary files, so that
    it is not lost, and RecordingError says where.
    """
    try:
        write_recording(recording, path)
    except RecordingError as error:
        problems = [str(error)]
        for folder in (path.parent, *_temporary(path.parent)):
            rescue = _free_name(folder, path.stem, ".npz", but=path)
            try:
                write_recording(recording, rescue)
            except RecordingError as other:
                problems.append(str(other))
                continue
            raise RecordingError(
                f"{'; '.join(problems)}. The recording is in {rescue} instead"
            ) from None
        raise RecordingError(f"{'; '.join(problems)}. The recording is lost") from None
    return {
        "file": str(path),
        "samples": recording.n_samples,
        "seconds": round(recording.duration_s, 3),
        "rate_hz": recording.rate_hz,
        "gaps": len(recording.gaps),
        "labels": list(recording.label_names),
    }


def save_session(folder: Path, record: SessionRecord) -> dict[str, Any]:
    """Writes it, in place of one that is there, and tells what was written.

    If that fails, it is written among the temporary files, so that it is not lost, and
    RecordingError says where. What of it was written into `folder` before is removed.
    """
    try:
        _replace_session(folder, record)
    except RecordingError as error:
        problems = [str(error)]
        for temporary in _temporary(folder.parent):
            rescue = _free_name(temporary, folder.name or "session", "", but=folder)
            try:
                _replace_session(rescue, record)
            except RecordingError as other:
                problems.append(str(other))
                continue
            raise RecordingError(
                f"{'; '.join(problems)}. The session is in {rescue} instead"
            ) from None
        raise RecordingError(f"{'; '.join(problems)}. The session is lost") from None
    return {
        "session": str(folder),
        "samples": record.n_samples,
        "seconds": round(record.n_samples / record.rate_hz, 3),
        "rate_hz": record.rate_hz,
        "gaps": len(record.gaps),
        "labels": list(record.label_names),
        "commands": len(record.commands),
        "verifiable": not record.lost,
        "problems": list(record.lost),
    }


def summary(facts: dict[str, Any]) -> str:
    """What save_...() told, and what got lost, for a person."""
    parts = [
        f"{facts['samples']:,} samples" if facts["samples"] != 1 else "1 sample",
        f"{facts['seconds']:.1f} s",
        counted(facts["gaps"], "gap"),
    ]
    if facts["labels"]:
        parts.append(f"labels {', '.join(facts['labels'])}")
    lines = [f"{facts.get('file') or facts['session']}: {', '.join(parts)}"]
    if facts["lost_samples"]:
        lines.append(
            f"{counted(facts['lost_samples'], 'sample')} got lost on the way: a gap each time"
        )
    elif facts["lost_events"]:
        lines.append(f"{counted(facts['lost_events'], 'message')} got lost on the way")
    if facts["refused_samples"]:
        lines.append(f"{counted(facts['refused_samples'], 'sample')} refused by the board")
    if facts.get("verifiable"):
        lines.append(f"`tinyol verify {facts['session']}` lives it again in the twin")
    elif "session" in facts:
        lines.append(f"this session cannot be verified: {'; '.join(facts['problems'])}")
    return "\n".join(lines)


def _check_folder(path: Path, force: bool) -> None:
    if path.is_dir():
        if any(path.iterdir()) and not force:
            raise RecordingError(f"{path}: is there already, and not empty; --force writes into it")
        _check_writable(path)
        return
    if path.exists():
        raise RecordingError(f"{path}: is a file; a session is a folder")
    parent = path.parent
    while not parent.exists() and parent != parent.parent:  # those on the way are made
        parent = parent.parent
    _check_writable(parent)


def _check_writable(folder: Path) -> None:
    if not folder.is_dir():
        raise RecordingError(f"{folder}: there is no such folder")
    if not os.access(folder, os.W_OK):
        raise RecordingError(f"{folder}: nothing may be written there")


def _replace_session(folder: Path, record: SessionRecord) -> None:
    """Writes it, or leaves nothing of it."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    mine = [name for name in (START, END, RECORDING) if not (folder / name).exists()]
    try:
        (folder / SESSION).unlink(missing_ok=True)
    except OSError as error:
        raise RecordingError(f"{folder / SESSION}: cannot be replaced: {error.strerror}") from None
    try:
        record.save(folder)
    except RecordingError:
        # Where that fails, too, why it could not be written matters more.
        for name in mine:
            with suppress(OSError):
                (folder / name).unlink()
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


def _temporary(other_than: Path) -> list[Path]:
    """The folder for temporary files, if there is one and it is another."""
    try:
        folder = Path(tempfile.gettempdir())
    except OSError:  # none that can be written to
        return []
    return [] if folder.resolve() == other_than.resolve() else [folder]


def _free_name(folder: Path, stem: str, suffix: str, *, but: Path) -> Path:
    """A file or folder that is not there, and not `but`; numbered if need be."""
    candidate, number = folder / f"{stem}{suffix}", 1
    while candidate.exists() or candidate == but:
        number += 1
        candidate = folder / f"{stem}-{number}{suffix}"
    return candidate
