"""What a person tells a device: one small dataclass a command.

The same command goes to a board (Board.execute), to a twin (apply_to_twin), into a session's file
(to_json, from_json) and comes from a line of text (parse_command).
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import UNTIL_STOPPED, Twin


@dataclass(frozen=True)
class AddClass:
    """A new class that starts at zero."""

    name: str


@dataclass(frozen=True)
class RenameClass:
    """Another name; what the class learned stays."""

    old: str
    new: str


@dataclass(frozen=True)
class RemoveClass:
    """Forgets a class; those behind it move up by one index."""

    name: str


@dataclass(frozen=True)
class Label:
    """The next windows are lessons for a class, `windows` of them (None = until changed).

    name: None ends labelling.
    """

    name: str | None
    windows: int | None = None


@dataclass(frozen=True)
class LabelBack:
    """The last `windows` windows, 1 to 65535, were of this class."""

    name: str
    windows: int


@dataclass(frozen=True)
class FineTune:
    """The next `steps` windows take a fine-tuning step each; None = until 0 is given."""

    steps: int | None


@dataclass(frozen=True)
class SetSetting:
    """Turns one setting."""

    name: str
    value: float


@dataclass(frozen=True)
class Reset:
    """Back to what training left."""


@dataclass(frozen=True)
class Gap:
    """The next sample does not follow the last one."""


Command = (
    AddClass | RenameClass | RemoveClass | Label | LabelBack | FineTune | SetSetting | Reset | Gap
)

_USAGE = {
    "class": "class add NAME | class rename OLD NEW | class remove NAME",
    "label": "label NAME [WINDOWS], or label - for none",
    "label-back": "label-back NAME WINDOWS",
    "fine-tune": "fine-tune STEPS | fine-tune on | fine-tune off",
    "set": "set NAME VALUE",
    "reset": "reset",
}


def apply_to_twin(command: Command, twin: Twin) -> int | None:
    """Has a twin execute the command.

    Returns a new class's index, or the lessons that a late label made; else None.
    Raises DeviceError if the twin refuses it; nothing has changed then.
    """
    if isinstance(command, AddClass):
        return twin.add_class(command.name)
    if isinstance(command, LabelBack):
        return twin.label_back(command.name, command.windows)
    if isinstance(command, RenameClass):
        twin.rename_class(command.old, command.new)
    elif isinstance(command, RemoveClass):
        twin.remove_class(command.name)
    elif isinstance(command, Label):
        twin.label(command.name, command.windows)
    elif isinstance(command, FineTune):
        twin.fine_tune(command.steps)
    elif isinstance(command, SetSetting):
        twin.set(command.name, command.value)
    elif isinstance(command, Reset):
        twin.reset()
    else:
        twin.gap()
    return None


def to_json(command: Command) -> dict[str, Any]:
    """The command as JSON's types: {"do": "label", "name": "tilted", "windows": 20}."""
    return {"do": _KIND_NAMES[type(command)], **vars(command)}


def from_json(value: Mapping[str, Any]) -> Command:
    """The command back from `to_json`'s dictionary; DeviceError if it is none."""
    what = value.get("do")
    if not isinstance(what, str) or what not in _KINDS:
        raise DeviceError(f"no command {what!r}; there are {', '.join(_KINDS)}")
    kind = _KINDS[what]
    expected = _FIELDS[kind]
    given = {name: item for name, item in value.items() if name != "do"}
    if set(given) != set(expected):
        raise DeviceError(
            f"command {what} has the fields {', '.join(given) or 'none'};"
            f" it needs {', '.join(expected) or 'none'}"
        )
    for name, allowed in expected.items():
        # bool is an int to Python, but no number to a person.
        if isinstance(given[name], bool) or not isinstance(given[name], allowed):
            raise DeviceError(f"command {what}: {name} is {given[name]!r}, of the wrong type")
    if kind is SetSetting:
        given["value"] = float(given["value"])
    command: Command = kind(**given)
    return command


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
    if words[0] == "fine-tune" and len(words) == 2:
        if words[1] in ("on", "off"):
            return FineTune(None if words[1] == "on" else 0)
        steps = _count(words[1])
        return None if steps is None else FineTune(steps)
    if words[0] == "label" and len(words) == 2:
        return Label(None if words[1] == "-" else words[1])
    if len(words) == 3 and words[0] in ("label", "label-back") and words[1] != "-":
        windows = _count(words[2])
        if windows is None or (words[0] == "label-back" and not 1 <= windows <= 0xFFFF):
            return None
        return Label(words[1], windows) if words[0] == "label" else LabelBack(words[1], windows)
    return None


def _parse_class(words: list[str]) -> Command | None:
    if len(words) == 2 and words[0] == "add":
        return AddClass(words[1])
    if len(words) == 2 and words[0] == "remove":
        return RemoveClass(words[1])
    if len(words) == 3 and words[0] == "rename":
        return RenameClass(words[1], words[2])
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
    if isinstance(command, FineTune):
        words = {None: "on", 0: "off"}
        return ["fine-tune", words.get(command.steps, str(command.steps))]
    if isinstance(command, SetSetting):
        return ["set", command.name, repr(command.value)]
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


_KINDS: dict[str, Any] = {
    "add_class": AddClass,
    "rename_class": RenameClass,
    "remove_class": RemoveClass,
    "label": Label,
    "label_back": LabelBack,
    "fine_tune": FineTune,
    "set": SetSetting,
    "reset": Reset,
    "gap": Gap,
}
_KIND_NAMES = {kind: name for name, kind in _KINDS.items()}
_NONE = type(None)
_FIELDS: dict[Any, dict[str, tuple[type, ...]]] = {
    AddClass: {"name": (str,)},
    RenameClass: {"old": (str,), "new": (str,)},
    RemoveClass: {"name": (str,)},
    Label: {"name": (str, _NONE), "windows": (int, _NONE)},
    LabelBack: {"name": (str,), "windows": (int,)},
    FineTune: {"steps": (int, _NONE)},
    SetSetting: {"name": (str,), "value": (int, float)},
    Reset: {},
    Gap: {},
}
