"""What a person tells a device: one small dataclass a command.

The same command goes to a board (Board.execute), to a twin (apply_to_twin), into a session's file
(to_json, from_json) and comes from a line of text (command_lines.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin


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
class Relearn:
    """A class begins anew, from the last `windows` windows, 1 to 65535."""

    name: str
    windows: int


@dataclass(frozen=True)
class ClassWeight:
    """How likely a class is before anything is seen, relative to the others: 1 at first."""

    name: str
    weight: float


@dataclass(frozen=True)
class NameUnknown:
    """What no class explained gets a name: a new class, or one that is there, learns it."""

    number: int  # of the unknown event
    name: str


@dataclass(frozen=True)
class Calibrate:
    """What normal is, anew from the next `windows` windows, behind some of fine-tuning.

    windows: 0 ends a calibration that is under way.
    """

    windows: int
    fine_tune_steps: int = 0


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
class Undo:
    """Takes back the last command of those that undoable() tells, and what was learned since."""


@dataclass(frozen=True)
class Gap:
    """The next sample does not follow the last one."""


Command = (
    AddClass
    | RenameClass
    | RemoveClass
    | Label
    | LabelBack
    | Relearn
    | ClassWeight
    | NameUnknown
    | Calibrate
    | FineTune
    | SetSetting
    | Reset
    | Undo
    | Gap
)


def undoable(command: Command) -> bool:
    """Whether Undo takes it back: it teaches, or makes forget."""
    if isinstance(command, Label):
        return command.name is not None and command.windows != 0
    if isinstance(command, FineTune):
        return command.steps != 0
    if isinstance(command, Calibrate):
        return command.windows != 0
    return isinstance(command, LabelBack | Relearn | NameUnknown | RemoveClass | Reset)


def apply_to_twin(command: Command, twin: Twin) -> int | None:
    """Has a twin execute the command.

    Returns a new class's index, or the lessons that a late label, a relearned class or a named
    unknown event made; else None.
    Raises DeviceError if the twin refuses it; nothing has changed then.
    """
    if isinstance(command, AddClass):
        return twin.add_class(command.name)
    if isinstance(command, LabelBack):
        return twin.label_back(command.name, command.windows)
    if isinstance(command, Relearn):
        return twin.relearn(command.name, command.windows)
    if isinstance(command, NameUnknown):
        return twin.name_unknown(command.number, command.name)[1]
    if isinstance(command, RenameClass):
        twin.rename_class(command.old, command.new)
    elif isinstance(command, RemoveClass):
        twin.remove_class(command.name)
    elif isinstance(command, Label):
        twin.label(command.name, command.windows)
    elif isinstance(command, ClassWeight):
        twin.set_class_weight(command.name, command.weight)
    elif isinstance(command, Calibrate):
        twin.calibrate(command.windows, command.fine_tune_steps)
    elif isinstance(command, FineTune):
        twin.fine_tune(command.steps)
    elif isinstance(command, SetSetting):
        twin.set(command.name, command.value)
    elif isinstance(command, Reset):
        twin.reset()
    elif isinstance(command, Undo):
        twin.undo()
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
    for name in ("value", "weight"):
        if name in given:
            given[name] = _finite(what, name, given[name])
    command: Command = kind(**given)
    return command


def _finite(what: str, name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DeviceError(f"command {what}: {name} is {value!r}; it must be a finite number")
    return number


_KINDS: dict[str, Any] = {
    "add_class": AddClass,
    "rename_class": RenameClass,
    "remove_class": RemoveClass,
    "label": Label,
    "label_back": LabelBack,
    "relearn": Relearn,
    "class_weight": ClassWeight,
    "name_unknown": NameUnknown,
    "calibrate": Calibrate,
    "fine_tune": FineTune,
    "set": SetSetting,
    "reset": Reset,
    "undo": Undo,
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
    Relearn: {"name": (str,), "windows": (int,)},
    ClassWeight: {"name": (str,), "weight": (int, float)},
    NameUnknown: {"number": (int,), "name": (str,)},
    Calibrate: {"windows": (int,), "fine_tune_steps": (int,)},
    FineTune: {"steps": (int, _NONE)},
    SetSetting: {"name": (str,), "value": (int, float)},
    Reset: {},
    Undo: {},
    Gap: {},
}
