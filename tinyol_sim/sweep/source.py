"""What a sweep runs over: recordings as files, told apart by what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tinyol_sim import files
from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats.labels import sidecar_of
from tinyol_sim.recordings import recording_units
from tinyol_sim.replay_files import Opened, open_files
from tinyol_sim.text import printable

_SUFFIXES = (".csv", ".json", ".npz")
_PIECE = 1 << 20  # bytes


@dataclass(frozen=True)
class Source:
    """One or more recordings that a twin is fed one after the other.

    name: what the table calls it.
    units: absolute paths, each a file, or a folder of slices that is one recording.
    digest: SHA-256 over all that reading them depends on: the files' bytes, those of their
        intervals (NAME.labels.csv), and the names of the files and of the folders they lie in,
        which some formats take a label from.
    """

    name: str
    units: tuple[str, ...]
    digest: str

    def open(self, rate_hz: float | None, *, stream: bool | None = None) -> Opened:
        """Its recordings, long ones as streams; see `replay_files.open_files`.

        Raises RecordingError too if the files are others than when this was made.
        """
        if digest_of(self.units) != self.digest:
            raise RecordingError(
                f"{self.name}: another content here than when the sweep began: run it again when"
                " the recording is whole, and where it runs on other machines, see that they have"
                " the same file (or let --ship send it)"
            )
        return open_files([Path(unit) for unit in self.units], rate_hz=rate_hz, stream=stream)

    def contents(self) -> dict[str, bytes]:
        """Its files by path, as `open_shipped` takes them."""
        paths = [path for unit in self.units for path in files_of(Path(unit))]
        return {str(path): b"".join(_pieces(path)) for path in paths}

    def open_shipped(self, contents: Mapping[str, bytes], rate_hz: float | None) -> Opened:
        """The same as `open` where the files are not: from their contents."""
        with TemporaryDirectory(prefix="tinyol-sweep-") as folder:
            for path, content in contents.items():
                here = Path(folder + path)
                here.parent.mkdir(parents=True, exist_ok=True)
                here.write_bytes(content)
            moved = Source(self.name, tuple(folder + unit for unit in self.units), self.digest)
            try:
                return moved.open(rate_hz, stream=False)
            except RecordingError as error:
                raise RecordingError(str(error).replace(folder, "")) from None


def find_sources(
    paths: Sequence[str | os.PathLike[str]], *, join: bool = False
) -> tuple[Source, ...]:
    """The recordings at and below `paths`, each once, in the order of paths and names.

    join: each path is one source, its recordings one stream; else each recording is its own.

    Raises RecordingError where a path is missing, cannot be read, or holds no recording.
    """
    groups: dict[tuple[str, ...], str] = {}
    for path in map(Path, paths):
        units = recording_units([path])
        chosen = [(path, units)] if join else [(unit, [unit]) for unit in units]
        for name, group in chosen:
            absolute = tuple(os.path.abspath(unit) for unit in group)
            groups.setdefault(absolute, printable(str(name)))
    with ThreadPoolExecutor() as pool:  # hashing leaves the GIL
        digests = list(pool.map(digest_of, groups))
    return tuple(
        Source(name, units, digest)
        for (units, name), digest in zip(groups.items(), digests, strict=True)
    )


def digest_of(units: Iterable[str]) -> str:
    """See `Source.digest`. Raises RecordingError for a file that is missing or cannot be read."""
    whole = hashlib.sha256()
    for unit in map(Path, units):
        paths = files_of(unit)
        whole.update(b"%d files" % len(paths))
        for path in paths:
            name = os.fsencode(f"{path.parent.name}/{path.name}")
            whole.update(b"%d:%s" % (len(name), name))
            part = hashlib.sha256()
            for piece in _pieces(path):
                part.update(piece)
            whole.update(part.digest())
    return whole.hexdigest()


def files_of(unit: Path) -> list[Path]:
    """All files that reading one recording may read."""
    found = [unit]
    if unit.is_dir():
        found = [p for p in files.files_in(unit, _SUFFIXES) if not files.is_table(p)]
    sidecar = sidecar_of(unit)
    return [*found, sidecar] if sidecar.is_file() else found


def _pieces(path: Path) -> Iterator[bytes]:
    if path.exists() and not path.is_file():
        raise RecordingError(
            f"{path}: no regular file: a sweep reads a recording more than once, and a pipe can be"
            " read once; save it as a file first"
        )
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from None
