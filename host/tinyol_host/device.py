"""What can be asked of a device, and told it: one method a request, names in place of numbers."""

from __future__ import annotations

import numpy as np

from tinyol_host import hardware, replies, requests, undo_replies
from tinyol_host.effect import Effect
from tinyol_host.errors import UNKNOWN_REQUEST, UNSUPPORTED, RefusedError
from tinyol_host.hardware import Condition, Hardware
from tinyol_host.link_health import LinkHealth
from tinyol_host.names import setting_named, worded_setting
from tinyol_host.paged_replies import SettingsPage
from tinyol_host.protocol import Opcode
from tinyol_host.replies import BoardMetrics, Identity, Info, SelfTest
from tinyol_host.teaching import Teaching
from tinyol_host.watch_replies import Alarms, Watch
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
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError
from tinyol_sim.refusals import BAD_VALUE, NOT_FOUND
from tinyol_sim.settings import SETTINGS

__all__ = ["Device", "Effect"]

LEAST_NORMAL_WINDOWS = 30  # AnomalyDetector::kSettling


class Device(Teaching):
    """A device behind an open session.

    Methods may be called from several tasks of one event loop; each request is executed exactly
    once. All raise DeviceError (see errors.py) for what the device refuses or a link cannot do.
    """

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
        """How often it was in alarm, also while nobody was connected."""
        reply = await self._session.request(Opcode.ALARMS)
        return Alarms.from_bytes(reply.at, reply.body)

    async def watch(self) -> Watch:
        """What is normal here, how far the last window was from it, and where the sensor hangs."""
        reply = await self._session.request(Opcode.WATCH)
        return Watch.from_bytes(reply.at, reply.body)

    async def settings(self) -> dict[str, float]:
        """Every setting's value; one that this host does not know goes by its number."""
        values: dict[int, float] = {}
        while True:
            request = requests.settings_list(len(values))
            page = SettingsPage.from_bytes(
                (await self._session.request(Opcode.SETTINGS_LIST, request)).body
            )
            values |= page.values
            if len(values) >= page.total or not page.values:
                break
        names = {info.id: name for name, info in SETTINGS.items()}
        return {names.get(number, str(number)): value for number, value in values.items()}

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

    async def fine_tune(self, steps: int | None) -> Effect:
        """The next `steps` windows each take one fine-tuning step; None = until 0 is given.

        The effect says if an alarm stands.
        """
        payload = requests.fine_tune(steps)
        async with self._may_be_undone(FineTune(steps)):
            reply = await self._session.request(Opcode.FINE_TUNE, payload)
        return Effect(reply.at, alarm_stands=undo_replies.alarm_stands(reply.body))

    async def calibrate(self, windows: int, fine_tune_steps: int = 0) -> Effect:
        """Fine-tunes for so many windows, then takes what normal is anew from the next `windows`
        ones, 30 or more. It tells no anomaly meanwhile; watch() says how far it is.

        windows: 0 ends a calibration that is under way: what was normal before stands.
        The effect says if an alarm stands.
        """
        payload = requests.calibrate(windows, fine_tune_steps)
        try:
            async with self._may_be_undone(Calibrate(windows, fine_tune_steps)):
                reply = await self._session.request(Opcode.CALIBRATE, payload)
            return Effect(reply.at, alarm_stands=undo_replies.alarm_stands(reply.body))
        except RefusedError as error:
            if error.status != BAD_VALUE:
                raise
            raise DeviceError(
                f"{counted(windows, 'window')} are too few to tell what is normal: that takes"
                f" {LEAST_NORMAL_WINDOWS} or more"
            ) from error

    async def reset(self) -> Effect:
        """Back to what training left."""
        async with self._may_be_undone(Reset()):
            return await self._change(Opcode.RESET)

    async def save(self) -> Effect:
        """Has it keep what it learned in its flash, through a loss of power; the value is bytes.

        It does so by itself too: when a peer leaves, and once an hour. Takes half a second on a
        board, whose revision 1 loses some samples then, and marks the gap.

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
        if isinstance(command, Relearn):
            return await self.relearn(command.name, command.windows)
        if isinstance(command, ClassWeight):
            return await self.set_class_weight(command.name, command.weight)
        if isinstance(command, NameUnknown):
            return await self.name_unknown(command.number, command.name)
        if isinstance(command, Calibrate):
            return await self.calibrate(command.windows, command.fine_tune_steps)
        if isinstance(command, FineTune):
            return await self.fine_tune(command.steps)
        if isinstance(command, SetSetting):
            return await self.set(command.name, command.value)
        if isinstance(command, Reset):
            return await self.reset()
        if isinstance(command, Undo):
            return await self.undo()
        raise DeviceError("a gap comes with samples: make it within feeding()")
