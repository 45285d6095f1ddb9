"""Where this computer keeps boards' keys: a file that only its user may read, or the keyring.

With a keyring the secrets are there, and the file has the keys' ids, names and dates alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.key_file import KeyEntry, encode_keys, read_keys, write_private
from tinyol_host.access.keyring_backend import find_keyring
from tinyol_sim.errors import DeviceError

VARIABLE = "TINYOL_KEYS"
_LEAST_PREFIX = 4  # of an id


def default_path() -> Path:
    """$TINYOL_KEYS; else keys.json in $XDG_CONFIG_HOME/tinyol, or in ~/.config/tinyol."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder, "tinyol", "keys.json")


class KeyStore:
    """Nothing is touched before the first call. Every method raises DeviceError where the file or
    the keyring cannot be used; it says what to do.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_path() if path is None else path

    def entries(self) -> list[KeyEntry]:
        """Of all keys, the latest paired first; those in the keyring without their secrets."""
        try:
            found = read_keys(self.path)
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda entry: entry.paired, reverse=True)

    def find(self, key_id: str) -> DeviceKey | None:
        """The key of that id; None if this computer does not have it."""
        for entry in self.entries():
            if entry.id == key_id:
                return self.open(entry)
        return None

    def open(self, entry: KeyEntry) -> DeviceKey | None:
        """The whole key; None if it was in a keyring that does not have it any more."""
        secret = entry.secret
        if secret is None:
            keyring = find_keyring()
            secret = None if keyring is None else keyring.get(entry.id)
        if secret is None:
            return None
        key = DeviceKey(secret, entry.name, entry.paired, entry.radio)
        return key if key.id == entry.id else None

    def add(self, key: DeviceKey) -> None:
        """Keeps a key, in place of one of the same id."""
        keyring = find_keyring()
        with self._locked():
            entry = KeyEntry.of(key)
            for before in self.entries():
                if before.id == key.id and not key.radio:
                    entry = replace(entry, radio=before.radio)
            if keyring is not None:
                keyring.set(key.id, key.secret)
                entry = replace(entry, secret=None)
            self._write([entry, *(other for other in self.entries() if other.id != key.id)])

    def remove(self, key_id: str) -> None:
        """Forgets a key; it need not be there."""
        with self._locked():
            entries = self.entries()
            gone = [entry for entry in entries if entry.id == key_id]
            if not gone:
                return
            keyring = find_keyring() if gone[0].secret is None else None
            if keyring is not None:
                keyring.delete(key_id)
            self._write([entry for entry in entries if entry.id != key_id])

    def named(self, text: str) -> KeyEntry:
        """The key of that id, or of which these are the first digits, or whose board had that name.

        Raises DeviceError if there is none, or more than one.
        """
        entries = self.entries()
        found = [
            entry
            for entry in entries
            if entry.name == text
            or (len(text) >= _LEAST_PREFIX and entry.id.startswith(text.lower()))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(entry.id for entry in found)
            raise DeviceError(f"{text!r} is the name of more than one key: {ids}; give the id")
        there = ", ".join(f"{entry.id} ({entry.name})" for entry in entries) or "none"
        raise DeviceError(f"no key {text!r}: this computer has {there}")

    def met(self, key_id: str, radio: str) -> None:
        """The board of that key was met there; remembers it, to notice if another one is."""
        entries = self.entries()
        if all(entry.radio == radio for entry in entries if entry.id == key_id):
            return
        with self._locked():
            here = [replace(entry, radio=radio) for entry in self.entries() if entry.id == key_id]
            others = [
                replace(entry, radio="") if entry.radio == radio else entry
                for entry in self.entries()
                if entry.id != key_id
            ]
            self._write([*here, *others])

    def expected(self, radio: str) -> KeyEntry | None:
        """Of the board that was met there, or that has such a name; None if it is not known."""
        for entry in self.entries():
            if radio in (entry.radio, f"ble:{entry.name}" if entry.name else None):
                return entry
        return None

    def prepare(self) -> None:
        """Finds out whether a key could be kept, before a board makes one."""
        with self._locked():
            self.entries()
            if not os.access(self.path.parent, os.W_OK | os.X_OK):
                raise DeviceError(f"{self.path}: keys cannot be kept there: it cannot be written")

    def place(self, entry: KeyEntry) -> str:
        """Where the secret is, for a person."""
        if entry.secret is not None:
            return str(self.path)
        keyring = find_keyring()
        return "a keyring that is not there" if keyring is None else keyring.name

    @property
    def keeps_in(self) -> str:
        """Where a key that is added goes, for a person."""
        keyring = find_keyring()
        if keyring is None:
            return f"{self.path}, which only you can read"
        return f"the keyring ({keyring.name})"

    def _write(self, entries: list[KeyEntry]) -> None:
        try:
            write_private(self.path, encode_keys(entries))
        except OSError as error:
            raise DeviceError(
                f"{self.path}: cannot be written: {error.strerror or error}; name another file by"
                f" {VARIABLE}"
            ) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One program changes the file at a time."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self.path.with_name(f"{self.path.name}.lock")
            handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DeviceError(
                f"{self.path}: keys cannot be kept there: {error.strerror or error}; name another"
                f" file by {VARIABLE}"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
