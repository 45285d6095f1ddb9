"""What can be asked of a device, and told it: one method a request, names in place of numbers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from tinyol_host import hardware, replies, requests
from tinyol_host.errors import UNKNOWN_REQUEST, UNSUPPORTED, RefusedError
from tinyol_host.hardware import Condition, Hardware
from tinyol_host.link_health import LinkHealth
from tinyol_host.names import (
    check_new_name,
    class_index,
    read_classes,
    setting_named,
    worded_name,
    worded_setting,
)
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Alarms, BoardMetrics, Identity, Info, SelfTest
from tinyol_host.session import Session
from tinyol_sim.commands import (
    AddClass,
    Command,
    FineTune,
    Label,
    LabelBack,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.refusals import NOT_FOUND
from tinyol_sim.settings import SETTINGS


@dataclass(frozen=True)
class Effect:
    """What a command did."""

    at: int  # index of the first sample that it holds for
    value: int | None = None  # a new class's index; a late label's lessons; a save's bytes


class Device:
    """A device behind an open session.

    Methods may be called from several tasks of one event loop; each request is executed exactly
    once. All raise DeviceError (see errors.py) for what the device refuses or a link cannot do.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turn = asyncio.Lock()  # a class is looked up and used in one go

    @property
    def identity(self) -> Identity:
        """Who it is, as it said last."""
        return self._session.identity

    @property
    def boot_id(self) -> int:
        """Another one after each boot."""
        return self._session.boot_id

    @property
    def health(self) -> LinkHealth:
        """How well the link does."""
        return self._session.health

    # --- what it knows -------------------------------------------------------------------

    async def info(self) -> Info:
        """What it does now, and what it has counted."""
        reply = await self._session.request(Opcode.INFO)
        return Info.from_bytes(reply.at, reply.body)

    async def metrics(self) -> BoardMetrics:
        """How well it has done since its state began."""
        reply = await self._session.request(Opcode.METRICS)
        return BoardMetrics.from_bytes(reply.at, reply.body)

    async def alarms(self) -> Alarms:
        """How often the error was above the threshold, also while nobody was connected."""
        reply = await self._session.request(Opcode.ALARMS)
        return Alarms.from_bytes(reply.at, reply.body)

    async def settings(self) -> dict[str, float]:
        """Every setting's value; one that this host does not know goes by its number."""
        values = replies.settings_by_id((await self._session.request(Opcode.SETTINGS_LIST)).body)
        names = {info.id: name for name, info in SETTINGS.items()}
        return {names.get(number, str(number)): value for number, value in values.items()}

    async def classes(self) -> list[str]:
        """The classes' names; a class's index is its place."""
        return await read_classes(self._session)

    async def self_test(self) -> SelfTest:
        """Has it compute known numbers anew; takes a second on a board."""
        return SelfTest.from_bytes((await self._session.request(Opcode.SELF_TEST)).body)

    async def hardware(self) -> Hardware:
        """Its name, its sensor, the frozen net's memory."""
        return Hardware.from_bytes((await self._session.request(Opcode.HARDWARE)).body)

    async def hardware_if_known(self) -> Hardware | None:
        """As hardware(); None from older firmware, which does not know the request."""
        try:
            return await self.hardware()
        except RefusedError as error:
            if error.status != UNKNOWN_REQUEST:
                raise
            return None

    async def conditions(self) -> list[Condition]:
        """What holds until it is taken back, which a person should know."""
        found: list[Condition] = []
        try:
            while not found or len(found) < found[-1].n_conditions:
                reply = await self._session.request(Opcode.CONDITION, bytes([len(found)]))
                found.append(Condition.from_bytes(reply.body))
        except RefusedError as error:
            if error.status != NOT_FOUND:  # that is the end of the list
                raise
        return found

    async def ping(self) -> None:
        """Returns when it has answered."""
        await self._session.request(Opcode.PING)

    # --- what it is told -----------------------------------------------------------------

    async def set(self, name: str, value: float) -> Effect:
        """Turns one setting; DeviceError says its range if the value is outside."""
        info = setting_named(name)
        with np.errstate(over="ignore"):  # a double too large becomes infinite, and is refused
            payload = requests.setting_set(info.id, float(np.float32(value)))
        with worded_setting(info, value):
            return await self._change(Opcode.SETTING_SET, payload)

    async def add_class(self, name: str) -> Effect:
        """Adds a class that starts at zero; its index is the effect's value."""
        check_new_name(name)
        with worded_name(name):
            reply = await self._session.request(Opcode.CLASS_ADD, requests.class_add(name))
        return Effect(reply.at, replies.first_u16(reply.body))

    async def rename_class(self, old: str, new: str) -> Effect:
        """Gives a class another name; what it learned stays."""
        check_new_name(new)
        async with self._turn:
            payload = requests.class_rename(await class_index(self._session, old), new)
            with worded_name(new):
                return await self._change(Opcode.CLASS_RENAME, payload)

    async def remove_class(self, name: str) -> Effect:
        """Forgets a class; those behind it move up by one index."""
        async with self._turn:
            payload = requests.class_remove(await class_index(self._session, name))
            return await self._change(Opcode.CLASS_REMOVE, payload)

    async def label(self, name: str | None, windows: int | None = None) -> Effect:
        """From now on windows are lessons for this class: the next `windows`, or until changed."""
        async with self._turn:
            index = None if name is None else await class_index(self._session, name)
            return await self._change(Opcode.LABEL, requests.label(index, windows))

    async def label_back(self, name: str, windows: int) -> Effect:
        """The last `windows` windows, 1 to 65535, were of this class; the value is the lessons
        that it made.
        """
        async with self._turn:
            payload = requests.label_back(await class_index(self._session, name), windows)
            reply = await self._session.request(Opcode.LABEL_BACK, payload)
        return Effect(reply.at, replies.first_u16(reply.body))

    async def fine_tune(self, steps: int | None) -> Effect:
        """The next `steps` windows each take one fine-tuning step; None = until 0 is given."""
        return await self._change(Opcode.FINE_TUNE, requests.fine_tune(steps))

    async def save(self) -> Effect:
        """Has it keep what it learned in its flash, through a loss of power; the value is bytes.

        It does so by itself too: when a peer leaves, and once an hour. Takes a quarter of a second
        on a board, which senses nothing meanwhile.

        Raises:
            DeviceError: it has no flash for it, or its flash holds nothing any more.
        """
        try:
            reply = await self._session.request(Opcode.SAVE)
        except RefusedError as error:
            if error.status != UNSUPPORTED:
                raise
            raise DeviceError(
                "this board has no flash to save in; pull its state to a file"
            ) from None
        return Effect(reply.at, replies.only_u32(reply.body))

    async def set_name(self, name: str) -> None:
        """Gives it a name of its own, which outlives its power; "" takes that away again.

        Raises:
            DeviceError: 1 to 20 bytes of printable UTF-8 it is not, or it can keep none.
        """
        payload = hardware.name_set(name)
        try:
            await self._session.request(Opcode.NAME_SET, payload)
        except RefusedError as error:
            if error.status != UNSUPPORTED:
                raise
            raise DeviceError("this board has no flash to keep a name in") from None

    async def locate(self, seconds: int) -> None:
        """Its LED blinks white for so long, 1 to 255 s, to be found; 0 stops that."""
        payload = hardware.locate(seconds)
        try:
            await self._session.request(Opcode.LOCATE, payload)
        except RefusedError as error:
            if error.status != UNSUPPORTED:
                raise
            raise DeviceError("this board has no LED that could blink") from None

    async def reset(self) -> Effect:
        """Back to what training left."""
        return await self._change(Opcode.RESET)

    async def execute(self, command: Command) -> Effect:
        """Has it execute a command; not a Gap, which comes with samples."""
        if isinstance(command, AddClass):
            return await self.add_class(command.name)
        if isinstance(command, RenameClass):
            return await self.rename_class(command.old, command.new)
        if isinstance(command, RemoveClass):
            return await self.remove_class(command.name)
        if isinstance(command, Label):
            return await self.label(command.name, command.windows)
        if isinstance(command, LabelBack):
            return await self.label_back(command.name, command.windows)
        if isinstance(command, FineTune):
            return await self.fine_tune(command.steps)
        if isinstance(command, SetSetting):
            return await self.set(command.name, command.value)
        if isinstance(command, Reset):
            return await self.reset()
        raise DeviceError("a gap comes with samples: make it within feeding()")

    async def _change(self, opcode: Opcode, payload: bytes = b"") -> Effect:
        return Effect((await self._session.request(opcode, payload)).at)
