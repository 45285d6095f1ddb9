"""A file with boards' keys, which only its owner may read: the store, or one that was exported.

{"tinyol keys": 1, "keys": [
    {"id": "0123...", "name": "pump-3", "paired": "2026-11-21T18:04:00Z",
     "secret": "64 hex digits, none where the keyring has it"}]}
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyol_host.access.device_key import KEY_BYTES, KEY_ID_BYTES, DeviceKey
from tinyol_sim.errors import DeviceError

_VERSION = 1
_MOST_BYTES = 1 << 20
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class KeyEntry:
    """A DeviceKey as a file has it; secret: None where the keyring has it."""

    id: str
    name: str
    paired: str
    radio: str
    secret: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, key: DeviceKey) -> KeyEntry:
        """With its secret."""
        return cls(key.id, key.name, key.paired, key.radio, key.secret)


def read_keys(path: Path, *, private: bool = True) -> list[KeyEntry]:
    """The keys in a file.

    Args:
        private: refuse a file that others than its owner may read.

    Raises:
        FileNotFoundError: there is no such file.
        DeviceError: it cannot be read, is no such file, or is open to others; says what to do.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if private:
                _check_private(path, found)
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DeviceError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError
        content = json.loads(data)
        if content["tinyol keys"] != _VERSION:
            raise DeviceError(
                f"{path}: holds keys of version {content['tinyol keys']!r}, this program knows"
                f" version {_VERSION}: update it"
            )
        return [_entry(item) for item in content["keys"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DeviceError(
            f"{path}: is no file with TinyOL's keys, or is damaged; move it away to begin anew, and"
            " have the boards' keys rotated at USB (`tinyol keys rotate`)"
        ) from None


def _check_private(path: Path, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode) and found.st_mode & _OTHERS:
        raise DeviceError(
            f"{path}: others than you can read or change the boards' keys in it: `chmod 600 {path}`"
            " (and rotate the keys if others had a chance to read them)"
        )
    if os.geteuid() not in (0, found.st_uid):
        raise DeviceError(
            f"{path}: belongs to somebody else; name a file of your own by TINYOL_KEYS"
        )


def _entry(item: Any) -> KeyEntry:
    """ValueError or the like for what is none."""
    key_id, secret = item["id"], item.get("secret")
    texts = (key_id, *(item.get(name, "") for name in ("name", "paired", "radio")))
    if not all(isinstance(text, str) for text in texts):
        raise ValueError
    if len(bytes.fromhex(key_id)) != KEY_ID_BYTES or key_id != key_id.lower():
        raise ValueError
    raw = None if secret is None else bytes.fromhex(secret)
    if raw is not None and (len(raw) != KEY_BYTES or DeviceKey(raw).id != key_id):
        raise ValueError
    _, name, paired, radio = texts
    return KeyEntry(key_id, name, paired, radio, raw)


def encode_keys(entries: Iterable[KeyEntry]) -> bytes:
    """The file's content."""
    keys = [
        {"id": entry.id, "name": entry.name, "paired": entry.paired, "radio": entry.radio}
        | ({} if entry.secret is None else {"secret": entry.secret.hex()})
        for entry in entries
    ]
    return (json.dumps({"tinyol keys": _VERSION, "keys": keys}, indent=1) + "\n").encode()


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that nobody else may read, whole or not at all; OSError."""
    target = Path(os.path.realpath(path))
    # Nobody can have put anything at a name that nobody knew.
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_new(path: Path, data: bytes) -> None:
    """As write_private(), and never over a file that is there.

    Raises:
        DeviceError: there is one, or it cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise DeviceError(f"{path}: is there already; name a new file") from None
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DeviceError(f"{path}: cannot be written: {error.strerror or error}") from None
