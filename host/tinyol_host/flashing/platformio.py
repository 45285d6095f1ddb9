"""Where PlatformIO is, which builds the firmware and uploads it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from tinyol_host.flashing.flash_error import FlashError

_NAMES = ("pio", "platformio")


def find_platformio() -> list[str]:
    """The words that start it: on the path, beside this Python, in it, or as its own installers
    (VS Code's among them) leave it.

    Raises:
        FlashError: it is not there.
    """
    # Not on the path if this virtual environment is not active.
    beside = Path(sys.executable).parent
    own = Path.home() / ".platformio" / "penv" / "bin"
    for folder in (None, str(beside)):
        for name in _NAMES:
            if (found := shutil.which(name, path=folder)) is not None:
                return [found]
    if importlib.util.find_spec("platformio") is not None:
        return [sys.executable, "-m", "platformio"]
    for name in _NAMES:
        if (found := shutil.which(name, path=str(own))) is not None:
            return [found]
    raise FlashError(
        "PlatformIO, which builds and uploads the firmware, is not installed:"
        " `pip install platformio`"
    )
