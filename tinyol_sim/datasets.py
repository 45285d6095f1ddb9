"""Public recordings, fetched from where their author keeps them; none is part of this project."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import ssl
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tinyol_sim.errors import RecordingError, TinyOLError
from tinyol_sim.recordings import read_recordings

CEILING_FAN_COMMIT = "453006106a3c4708d8319a075997b1022aae4ec9"
CEILING_FAN_URL = (
    "https://codeload.github.com/ShawnHymel/tinyml-example-anomaly-detection/zip/"
    + CEILING_FAN_COMMIT
)
CEILING_FAN_SHA256 = "45b0ea078eee97a8fee71d2a78db048b36949d3827b3cc102d7181014e44ff01"

# An archive's only members that are unpacked; what else it holds is never looked at.
_MEMBER = re.compile(
    r"[^/]+/datasets/ceiling-fan(?:-deploy)?/(fan_[A-Za-z0-9_-]+)/([A-Za-z0-9_-]+\.csv)"
)
_SOURCE_NOTE = "SOURCE.txt"  # written last: a folder with it is complete
_MAX_ARCHIVE_BYTES = 100_000_000  # the real one has 12 million
_MAX_FILE_BYTES = 1_000_000  # the real ones have 6 thousand
_MAX_FILES = 20_000
_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30.0

# ConnectionError and the others can surface bare while the body is read, not as URLError.
_BROKEN_OFF = (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)

Progress = Callable[[int, int | None], None]


def cache_dir() -> Path:
    """Where fetched data lie: $XDG_CACHE_HOME/tinyol, or ~/.cache/tinyol."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "tinyol"


def fetch_ceiling_fan(
    dest: str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    url: str = CEILING_FAN_URL,
    sha256: str | None = CEILING_FAN_SHA256,
) -> Path:
    """Download the public ceiling-fan set (S. Hymel, 2020; 12 MB) into the folder `dest`.

    dest: gets one folder a recording (fan_0_low_0_weight, ...); must be missing, empty, or the
        result of an earlier call, which is then kept and nothing is downloaded
    progress: called with the bytes that came so far and the total, None where it is unknown
    url: a zip archive of the author's repository
    sha256: `digest` of the recordings that must come; None takes any that can be read

    Returns dest. An interrupted call leaves nothing behind and can be repeated. Raises
    RecordingError without a network, for an archive that is damaged or holds something else, and
    for a `dest` that holds something else.
    """
    dest = Path(os.path.abspath(dest))
    try:
        if (dest / _SOURCE_NOTE).is_file():
            return dest
        if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
            raise RecordingError(f"{dest}: there is something else already; name another folder")
        dest.parent.mkdir(parents=True, exist_ok=True)
        # Beside dest, so that the final rename stays on one file system.
        with tempfile.TemporaryDirectory(
            prefix=f".{dest.name}.", dir=dest.parent, ignore_cleanup_errors=True
        ) as scratch:
            archive = Path(scratch) / "archive.zip"
            _download(url, archive, progress)
            unpacked = Path(scratch) / "unpacked"
            _unpack(archive, unpacked, url)
            _check(unpacked, url, sha256)
            (unpacked / _SOURCE_NOTE).write_text(
                f"Ceiling-fan recordings by S. Hymel, 2020, from\n{url}\n"
                "The author states no licence for them: use them, do not pass them on.\n",
                encoding="utf-8",
            )
            unpacked.rename(dest)
    except OSError as error:
        raise RecordingError(f"{error.filename or dest}: {error.strerror or error}") from None
    return dest


def digest(folder: Path) -> str:
    """SHA-256 (hex) over name and content of every CSV file in the folders of `folder`."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*/*.csv")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.parent.name}/{path.name} {content}\n".encode())
    return total.hexdigest()


def _download(url: str, archive: Path, progress: Progress | None) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply, archive.open("wb") as file:
            length = reply.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            done = 0
            while chunk := reply.read(_CHUNK_BYTES):
                done += len(chunk)
                if done > _MAX_ARCHIVE_BYTES:
                    raise RecordingError(
                        f"{url}: more than {_MAX_ARCHIVE_BYTES // 1_000_000} MB; not the archive"
                        " of the ceiling-fan set"
                    )
                file.write(chunk)
                if progress is not None:
                    progress(done, total)
    except urllib.error.HTTPError as error:
        error.close()
        raise RecordingError(f"{url}: the server says {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise RecordingError(
            f"{url}: cannot be reached ({error.reason}); the ceiling-fan set is fetched from the"
            " internet"
        ) from None
    except (*_BROKEN_OFF, ValueError) as error:
        raise RecordingError(f"{url}: the download broke off ({error}); try again") from None
    if total is not None and done != total:
        raise RecordingError(f"{url}: {done} of {total} bytes came; try again")


def _unpack(archive: Path, unpacked: Path, url: str) -> None:
    """Write the recordings, each under a path made here, not the archive's own."""
    try:
        with zipfile.ZipFile(archive) as members:
            found = [(m, _MEMBER.fullmatch(m.filename)) for m in members.infolist()]
            wanted = [(member, match) for member, match in found if match]
            if not wanted or len(wanted) > _MAX_FILES:
                raise RecordingError(
                    f"{url}: the archive has {len(wanted)} files like"
                    " datasets/ceiling-fan/fan_0_low_0_weight/0000.csv; it is not the"
                    " ceiling-fan set"
                )
            for member, match in wanted:
                with members.open(member) as source:
                    content = source.read(_MAX_FILE_BYTES + 1)  # the stated size may be a lie
                if len(content) > _MAX_FILE_BYTES:
                    raise RecordingError(f"{url}: {member.filename} is too large for a recording")
                folder = unpacked / match[1]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / match[2]).write_bytes(content)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        reason = str(error)[:100]  # zipfile may quote the whole archive
        raise RecordingError(f"{url}: no zip archive, or a damaged one: {reason}") from None


def _check(unpacked: Path, url: str, sha256: str | None) -> None:
    if sha256 is None:
        try:
            read_recordings([unpacked])
        except TinyOLError as error:
            reason = str(error).replace(f"{unpacked}{os.sep}", "")
            raise RecordingError(f"{url}: {reason}") from None
    elif (found := digest(unpacked)) != sha256:
        raise RecordingError(
            f"{url}: the recordings have changed (digest {found[:16]}..., expected"
            f" {sha256[:16]}...); nothing was kept"
        )
