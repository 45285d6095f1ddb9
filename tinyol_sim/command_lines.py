"""Commands as a person types them: `label tilted 20`, `class add "half stuck"`."""

from __future__ import annotations

import math
import shlex
from typing import Any

from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    ClassWeight,
    Command,
    FineTune,
    Label,
    LabelBack,
    NameUnknown,
    Relearn,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
    Undo,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import UNTIL_STOPPED

_USAGE = {
    "class": "class add NAME | class rename OLD NEW | class remove NAME | class weight NAME W",
    "label": "label NAME [WINDOWS], or label - for none",
    "label-back": "label-back NAME WINDOWS",
    "relearn": "relearn NAME WINDOWS",
    "name-unknown": "name-unknown NUMBER NAME",
    "calibrate": "calibrate WINDOWS [STEPS] | calibrate off",
    "fine-tune": "fine-tune STEPS | fine-tune on | fine-tune off",
    "set": "set NAME VALUE",
    "reset": "reset",
    "undo": "undo",
}


_BACK: dict[str, Any] = {"label-back": LabelBack, "relearn": Relearn}


def parse_command(text: str) -> Command:
    """The command that a line says, as `label tilted 20` or `class add "half stuck"`.

    Raises:
        DeviceError: not a command; says what would be right.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise DeviceError(f"{text!r} is no command: {str(error).lower()}") from None
    if not words or words[0] not in _USAGE:
        known = ", ".join(_USAGE)
        raise DeviceError(f"{text!r} is no command; a command begins with one of: {known}")
    command = _parse_words(words)
    if command is None:
        raise DeviceError(f"{text!r} is no command; right would be: {_USAGE[words[0]]}")
    return command


def command_text(command: Command) -> str:
    """The line that `parse_command` reads back (a gap has no such line: it says just "gap")."""
    return shlex.join(_words_of(command))


def _parse_words(words: list[str]) -> Command | None:
    if words[0] == "class":
        return _parse_class(words[1:])
    if words[0] == "set" and len(words) == 3:
        value = _number(words[2])
        return None if value is None else SetSetting(words[1], value)
    if words[0] == "reset" and len(words) == 1:
        return Reset()
    if words[0] == "undo" and len(words) == 1:
        return Undo()
    if words[0] == "fine-tune" and len(words) == 2:
        if words[1] in ("on", "off"):
            return FineTune(None if words[1] == "on" else 0)
        steps = _count(words[1])
        return None if steps is None else FineTune(steps)
    if words[0] == "label" and len(words) == 2:
        return Label(None if words[1] == "-" else words[1])
    if words[0] == "calibrate":
        return _parse_calibrate(words[1:])
    if words[0] == "name-unknown" and len(words) == 3:
        number = _count(words[1])
        return None if number is None else NameUnknown(number, words[2])
    if len(words) == 3 and words[0] in ("label", *_BACK) and words[1] != "-":
        windows = _count(words[2])
        if windows is None or (words[0] in _BACK and not 1 <= windows <= 0xFFFF):
            return None
        back = _BACK.get(words[0])
        return Label(words[1], windows) if back is None else back(words[1], windows)
    return None


def _parse_calibrate(words: list[str]) -> Command | None:
    if words == ["off"]:
        return Calibrate(0)
    counts = [_count(word) for word in words]
    if not 1 <= len(counts) <= 2 or any(n is None for n in counts):
        return None
    return Calibrate(*(n for n in counts if n is not None))


def _parse_class(words: list[str]) -> Command | None:
    if len(words) == 2 and words[0] == "add":
        return AddClass(words[1])
    if len(words) == 2 and words[0] == "remove":
        return RemoveClass(words[1])
    if len(words) == 3 and words[0] == "rename":
        return RenameClass(words[1], words[2])
    if len(words) == 3 and words[0] == "weight":
        weight = _number(words[2])
        return None if weight is None else ClassWeight(words[1], weight)
    return None


def _words_of(command: Command) -> list[str]:
    if isinstance(command, AddClass):
        return ["class", "add", command.name]
    if isinstance(command, RenameClass):
        return ["class", "rename", command.old, command.new]
    if isinstance(command, RemoveClass):
        return ["class", "remove", command.name]
    if isinstance(command, Label):
        if command.name is None:
            return ["label", "-"]
        count = [] if command.windows is None else [str(command.windows)]
        return ["label", command.name, *count]
    if isinstance(command, LabelBack):
        return ["label-back", command.name, str(command.windows)]
    if isinstance(command, Relearn):
        return ["relearn", command.name, str(command.windows)]
    if isinstance(command, ClassWeight):
        return ["class", "weight", command.name, repr(command.weight)]
    if isinstance(command, NameUnknown):
        return ["name-unknown", str(command.number), command.name]
    if isinstance(command, Calibrate):
        steps = [str(command.fine_tune_steps)] if command.fine_tune_steps else []
        return ["calibrate", str(command.windows) if command.windows else "off", *steps]
    if isinstance(command, FineTune):
        words = {None: "on", 0: "off"}
        return ["fine-tune", words.get(command.steps, str(command.steps))]
    if isinstance(command, SetSetting):
        return ["set", command.name, repr(command.value)]
    if isinstance(command, Undo):
        return ["undo"]
    return ["reset" if isinstance(command, Reset) else "gap"]


def _count(text: str) -> int | None:
    """0 to 2^32 - 2, the last number being the wire's "until stopped"."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if int(text) < UNTIL_STOPPED else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
