"""The names of a device's classes, followed through the commands that it tells of."""

from __future__ import annotations

from collections.abc import Sequence

from tinyol_sim.commands import (
    AddClass,
    Command,
    NameUnknown,
    RemoveClass,
    RenameClass,
    Reset,
    Undo,
    undoable,
)


class ToldClasses:
    """names: as of now. The index of a class is its place."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self._before: tuple[list[str], Command] | None = None  # what Undo takes back

    def take(self, command: Command) -> Command | None:
        """What the command does to them. Returns the one that an Undo takes back: None where that
        came before the first command here, and the names are no longer known.
        """
        taken_back = None
        if isinstance(command, Undo):
            if self._before is not None:
                self.names, taken_back = self._before
            self._before = None
            return taken_back
        if undoable(command):
            self._before = list(self.names), command
        if isinstance(command, AddClass):
            self.names.append(command.name)
        elif isinstance(command, NameUnknown):
            if command.name not in self.names:
                self.names.append(command.name)
        elif isinstance(command, RemoveClass):
            self.names.remove(command.name)
        elif isinstance(command, RenameClass):
            self.names[self.names.index(command.old)] = command.new
        elif isinstance(command, Reset):
            self.names.clear()
        return None

    def forget_undo(self) -> None:
        """The device has nothing to take back: another state was put in."""
        self._before = None
