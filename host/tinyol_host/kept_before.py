"""What a simulated board had learned before it was last taught, in a file beside its state.

A board remembers that itself, for undo, as long as it runs; a simulated one ends with the program.
"""

from __future__ import annotations

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyol_host.state_file import read_state_file
from tinyol_sim.commands import Command, NameUnknown, RemoveClass, Reset, from_json, to_json
from tinyol_sim.errors import DeviceError, StateImageError
from tinyol_sim.files import write_whole
from tinyol_sim.state_image import StateImage
from tinyol_sim.undone import Undone

FORMAT = "tinyol-before"


@dataclass(frozen=True)
class Before:
    """image: the state image from just before the command."""

    command: Command
    image: bytes

    def undone(self, now: bytes) -> Undone:
        """What becomes of a board in state `now` that takes over the image; StateImageError if
        one of the two is none.

        Of settings, names and weights as many count as the two images differ in.
        """
        then, since = (StateImage.from_bytes(image).fields for image in (self.image, now))
        words = to_json(self.command)
        anew = isinstance(self.command, Reset)

        def more(field: str) -> int:
            before = 0 if anew else int(then[field])
            return max(0, int(since[field]) - before)

        return Undone(
            what=words["do"],
            class_name=words.get("name"),
            at=int(then["counters.samples"]),
            lessons=more("classifier.lessons"),
            steps=more("reconstruction.steps"),
            windows=more("counters.windows"),
            other_changes=_other_changes(self.command, then, since),
        )


class KeptBefore:
    """The file. Who uses it has the lock of the state's file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, before: Before) -> None:
        """Replaces what is kept; DeviceError if it cannot be written."""
        text = {
            "format": FORMAT,
            "command": to_json(before.command),
            "image": base64.b64encode(before.image).decode(),
        }
        write_whole(self.path, json.dumps(text).encode(), DeviceError)

    def load(self) -> Before | None:
        """None if nothing is kept.

        Raises:
            DeviceError: it cannot be read, or is damaged.
        """
        try:
            found = json.loads(read_state_file(self.path))
            if found["format"] != FORMAT:
                raise ValueError("another format")
            before = Before(
                from_json(found["command"]), base64.b64decode(found["image"], validate=True)
            )
            StateImage.from_bytes(before.image)
            return before
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DeviceError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        except (
            *(ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error),
            *(DeviceError, StateImageError),
        ) as error:
            raise DeviceError(
                f"{self.path}: damaged ({error}): the board's last lesson cannot be taken back;"
                " remove that file"
            ) from None

    def forget(self) -> None:
        """Nothing is kept any more."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def _other_changes(command: Command, then: dict[str, Any], now: dict[str, Any]) -> int:
    names: list[str] = list(then["classes.names"])
    if isinstance(command, Reset):
        return len(now["classes.names"])  # it turned the settings itself
    if isinstance(command, RemoveClass):
        names.remove(command.name)
    if isinstance(command, NameUnknown):
        names.append(command.name)
    settings = sum(then[key] != now.get(key) for key in then if key.startswith("settings."))
    added = [name for name in now["classes.names"] if name not in names]
    before, after = _weights(then), _weights(now)
    weighed = sum(before[name] != after[name] for name in before if name in after)
    return int(settings) + len(added) + int(weighed)


def _weights(fields: dict[str, Any]) -> dict[str, float]:
    names = fields["classes.names"]
    return {name: float(fields[f"gaussian.{i}.weight"]) for i, name in enumerate(names)}
