"""The desktop's keyring, where the package `keyring` is installed and finds one that is real."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from tinyol_host.access.device_key import KEY_BYTES
from tinyol_sim.errors import DeviceError

VARIABLE = "TINYOL_KEYRING"  # 0: never use it
_SERVICE = "tinyol"


class KeyringBackend:
    """Secrets by the key's id. Each method raises DeviceError if the keyring does not do it."""

    def __init__(self, module: Any) -> None:
        self._module = module

    @property
    def name(self) -> str:
        """As the package calls it."""
        return str(getattr(self._module.get_keyring(), "name", "keyring"))

    def get(self, key_id: str) -> bytes | None:
        """None if it has none."""
        text = self._call("get_password", key_id)
        if text is None:
            return None
        try:
            secret = bytes.fromhex(text)
        except ValueError:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise DeviceError(f"the keyring's entry for board key {key_id} is no key")
        return secret

    def set(self, key_id: str, secret: bytes) -> None:
        """In place of what it has."""
        self._call("set_password", key_id, secret.hex())

    def delete(self, key_id: str) -> None:
        """It may have none."""
        if self._call("get_password", key_id) is not None:
            self._call("delete_password", key_id)

    def _call(self, function: str, *arguments: str) -> Any:
        try:
            return getattr(self._module, function)(_SERVICE, *arguments)
        except Exception as error:  # each backend has its own
            what = str(error) or type(error).__name__
            raise DeviceError(
                f"the keyring says: {what}; unlock it, or set {VARIABLE}=0 to keep keys in a file"
            ) from None


def find_keyring() -> KeyringBackend | None:
    """None where there is no real one, or TINYOL_KEYRING=0 says not to use it."""
    if os.environ.get(VARIABLE) == "0" or importlib.util.find_spec("keyring") is None:
        return None
    try:
        module = importlib.import_module("keyring")
        backend = module.get_keyring()
        # Its own "fail" and "null" backends have a priority of 0 and -1, and keep nothing.
        return KeyringBackend(module) if backend.priority > 0 else None
    except Exception:  # a broken one is none: keys then go to the file
        return None
