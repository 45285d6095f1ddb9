"""How a device is taught: its classes, their lessons, and what no class explains."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

import numpy as np

from tinyol_host import replies, requests, undo_replies
from tinyol_host.effect import Effect
from tinyol_host.errors import UNSUPPORTED, RefusedError
from tinyol_host.names import check_new_name, class_index, read_classes, worded_name
from tinyol_host.paged_replies import ClassStatus, ClassStatusPage
from tinyol_host.protocol import Opcode
from tinyol_host.session import Session
from tinyol_host.watch_replies import Unknowns
from tinyol_sim.commands import Command, Label, LabelBack, NameUnknown, Relearn, RemoveClass
from tinyol_sim.errors import DeviceError
from tinyol_sim.refusals import BAD_VALUE, EXISTS, NOT_FOUND
from tinyol_sim.undone import Undone

_EVENT, _WINDOWS, _UNDO = "event", "windows", "undo"  # what a refusal says that it was


class Teaching:
    """Those methods of a Device; see there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turn = asyncio.Lock()  # a class is looked up and used in one go

    async def classes(self) -> list[str]:
        """The classes' names; a class's index is its place."""
        return await read_classes(self._session)

    async def class_status(self) -> list[ClassStatus]:
        """What each class has behind it, in the order of classes()."""
        found: list[ClassStatus] = []
        while True:
            request = requests.class_status(len(found))
            reply = await self._session.request(Opcode.CLASS_STATUS, request)
            page = ClassStatusPage.from_bytes(reply.body)
            found += page.classes
            if len(found) >= page.total or not page.classes:
                return found

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
            async with self._may_be_undone(RemoveClass(name)):
                return await self._change(Opcode.CLASS_REMOVE, payload)

    async def set_class_weight(self, name: str, weight: float) -> Effect:
        """How likely the class is before anything is seen, relative to the others: 1e-6 to 1e6,
        1 to begin with.
        """
        async with self._turn:
            index = await class_index(self._session, name)
            with np.errstate(over="ignore", under="ignore"):  # what becomes of it is refused
                payload = requests.class_weight(index, float(np.float32(weight)))
            try:
                return await self._change(Opcode.CLASS_WEIGHT, payload)
            except RefusedError as error:
                if error.status not in (BAD_VALUE, -1):
                    raise
                raise DeviceError(
                    f"a class's weight is a number from 1e-06 to 1e+06, not {weight!r}"
                ) from error

    async def label(self, name: str | None, windows: int | None = None) -> Effect:
        """From now on windows are lessons for this class: the next `windows`, or until changed.

        The effect says if the device is sure of another class.
        """
        async with self._turn:
            index = None if name is None else await class_index(self._session, name)
            payload = requests.label(index, windows)
            async with self._may_be_undone(Label(name, windows)):
                reply = await self._session.request(Opcode.LABEL, payload)
        return Effect(reply.at, contradiction=undo_replies.contradiction(reply.body))

    async def label_back(self, name: str, windows: int) -> Effect:
        """The last `windows` windows, 1 to 65535, were of this class; the value is the lessons
        that it made. The effect says if the device was sure of another class.
        """
        async with self._turn:
            payload = requests.label_back(await class_index(self._session, name), windows)
            async with self._may_be_undone(LabelBack(name, windows)):
                reply = await self._session.request(Opcode.LABEL_BACK, payload)
        lessons, contradiction = undo_replies.label_back(reply.body)
        return Effect(reply.at, lessons, contradiction=contradiction)

    async def relearn(self, name: str, windows: int) -> Effect:
        """The class begins anew from the last `windows` windows, 1 to 65535; the others stay as
        they are. The value is its lessons: as many of the windows as the device remembers.

        Raises:
            DeviceError: it remembers none, and nothing has changed.
        """
        async with self._turn:
            payload = requests.relearn(await class_index(self._session, name), windows)
            try:
                async with self._may_be_undone(Relearn(name, windows)):
                    reply = await self._session.request(Opcode.RELEARN, payload)
            except RefusedError as error:
                if (error.status, error.where) != (NOT_FOUND, _WINDOWS):
                    raise
                raise DeviceError(
                    f"{name} is as it was: the board remembers no window that it could begin anew"
                    " from"
                ) from error
        return Effect(reply.at, replies.first_u16(reply.body))

    async def unknowns(self) -> Unknowns:
        """What no class explained: so many events, and the latest ones."""
        reply = await self._session.request(Opcode.UNKNOWNS)
        return Unknowns.from_bytes(reply.at, reply.body)

    async def name_unknown(self, number: int, name: str) -> Effect:
        """Gives an unknown event a name: a new class, or one that is there, learns its windows.

        Returns: its lessons as the value, and the class's index.
        Raises:
            DeviceError: the event is not kept any more, or was named before; or see add_class().
        """
        check_new_name(name)
        payload = requests.unknown_name(number, name)
        try:
            with worded_name(name):
                async with self._may_be_undone(NameUnknown(number, name)):
                    reply = await self._session.request(Opcode.UNKNOWN_NAME, payload)
        except RefusedError as error:
            if (error.status, error.where) != (NOT_FOUND, _EVENT):
                raise
            raise DeviceError(f"the board keeps no unknown event {number}") from error
        except DeviceError as error:
            cause = error.__cause__
            if isinstance(cause, RefusedError) and (cause.status, cause.where) == (EXISTS, _EVENT):
                raise DeviceError(f"unknown event {number} was named before") from cause
            raise
        index, lessons = replies.two_u16(reply.body)
        return Effect(reply.at, lessons, index)

    async def undo(self) -> Effect:
        """Takes back the last label, late label, relearning, name of an unknown event,
        fine-tuning, calibration, removal of a class or reset, by whomever.

        All that was learned and changed since goes back with it; labels and fine-tuning end. The
        effect's `undone` says what it was. Once.

        Raises:
            DeviceError: there is nothing to take back, also after a restart, after a state image
                was put in and where a session was begun; or the board has no memory for it.
        """
        reply = await self._undo(only_say=False)
        return Effect(reply.at, undone=undo_replies.undone(reply.body))

    async def would_undo(self) -> Undone:
        """What undo() would take back."""
        return undo_replies.undone((await self._undo(only_say=True)).body)

    async def _undo(self, *, only_say: bool) -> replies.Reply:
        try:
            return await self._session.request(Opcode.UNDO, requests.undo(only_say=only_say))
        except RefusedError as error:
            if error.where != _UNDO or error.status not in (NOT_FOUND, UNSUPPORTED):
                raise
            if error.status == UNSUPPORTED:
                raise DeviceError("this board has no memory to take anything back") from error
            raise DeviceError(
                "there is nothing to take back: the board remembers one step, until it is taken"
                " back, another state is put in, a session begins or the board restarts"
            ) from error

    def _may_be_undone(self, command: Command) -> AbstractAsyncContextManager[None]:
        """Around a request that undo() takes back."""
        return nullcontext()

    async def _change(self, opcode: Opcode, payload: bytes = b"") -> Effect:
        return Effect((await self._session.request(opcode, payload)).at)
