"""The firmware's sources: where they are, and what they say of a board's revision."""

from __future__ import annotations

import configparser
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tinyol_host.flashing.flash_error import FlashError

REVISIONS = (1, 2)
_ENVIRONMENTS = {1: "nano33ble_sense", 2: "nano33ble_sense_rev2"}
_INI = "platformio.ini"


@dataclass(frozen=True)
class Environment:
    """One of PlatformIO's, for one revision of the board."""

    revision: int
    name: str
    sensor_hz: float
    kernels_name: str | None  # the one beside it that builds our own kernels in place of TFLM

    def for_frozen(self, frozen: str | None) -> tuple[Environment, str | None]:
        """The environment that runs the frozen net on `frozen`, and the flag that it needs yet."""
        if frozen is None:
            return self, None
        if self.kernels_name is None:
            return self, f"-D TINYOL_FROZEN={frozen}"
        return (self if frozen == "tflm" else replace(self, name=self.kernels_name)), None


@dataclass(frozen=True)
class FirmwareFolder:
    """A folder with platformio.ini, and an environment for each revision in it."""

    path: Path
    environments: dict[int, Environment]

    def sensor_rates(self) -> str:
        """In words, for a message."""
        found = self.environments.values()
        return ", ".join(f"{e.sensor_hz:g} Hz on revision {e.revision}" for e in found)


def find_firmware(given: Path | None = None) -> FirmwareFolder:
    """The folder that is given, or firmware/ of the checkout that this package runs from.

    Raises:
        FlashError: it is not there, or not a firmware of ours.
    """
    # host/tinyol_host/flashing/firmware_folder.py
    path = Path(__file__).resolve().parents[3] / "firmware" if given is None else given.absolute()
    ini = path / _INI
    if not ini.is_file():
        if given is None:
            raise FlashError(
                "the firmware's sources are not beside this package; say where they are:"
                " --firmware DIR, the folder `firmware` of a checkout of TinyOL"
            )
        raise FlashError(f"{given}: no firmware of TinyOL: there is no {_INI} in it")
    # "%" is no sign of PlatformIO's; "$" is left as it is.
    config = configparser.ConfigParser(
        interpolation=None, inline_comment_prefixes=(";",), strict=False
    )
    try:
        config.read_string(ini.read_text("utf-8"), str(ini))
        environments = {
            revision: _environment(config, revision, name)
            for revision, name in _ENVIRONMENTS.items()
        }
    except (OSError, UnicodeError, configparser.Error) as error:
        raise FlashError(f"{ini}: cannot be read: {error}") from None
    except (KeyError, ValueError) as error:
        raise FlashError(
            f"{ini}: no firmware of TinyOL for the Nano 33 BLE Sense: {error} is missing, or wrong"
        ) from None
    return FirmwareFolder(path, environments)


def _environment(config: configparser.ConfigParser, revision: int, name: str) -> Environment:
    kernels = f"{name}_kernels"
    return Environment(
        revision,
        name,
        float(_option(config, f"env:{name}", "custom_sensor_hz")),
        kernels if f"env:{kernels}" in config else None,
    )


def _option(config: configparser.ConfigParser, section: str, name: str, depth: int = 8) -> str:
    """Of a section, or of those that it extends."""
    here = config[section]
    if name in here:
        return here[name]
    for base in re.split(r"[,\s]+", here.get("extends", "").strip()):
        with suppress(KeyError):
            if base and depth:
                return _option(config, base, name, depth - 1)
    raise KeyError(f"{section}, {name}")
