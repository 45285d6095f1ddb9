"""Names of classes and settings, looked up on a device; refusals in the twin's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tinyol_host import requests
from tinyol_host.errors import ProtocolError, RefusedError
from tinyol_host.paged_replies import ClassPage
from tinyol_host.protocol import Opcode
from tinyol_host.session import Session
from tinyol_sim.errors import DeviceError
from tinyol_sim.recording_formats.labels import MAX_CLASS_NAME_BYTES, class_name_problem
from tinyol_sim.refusals import BAD_NAME, BAD_VALUE, EXISTS, NO_ROOM
from tinyol_sim.settings import SETTINGS, SettingInfo

_NOT_FINITE = -1


async def read_classes(session: Session) -> list[str]:
    """The names of all classes, in the order of their indices."""
    names: list[str] = []
    total = None
    while total is None or len(names) < total:
        request = requests.classes_list(len(names))
        page = ClassPage.from_bytes((await session.request(Opcode.CLASSES_LIST, request)).body)
        if total is not None and page.total != total:  # somebody changes them: from the start
            names, total = [], None
            continue
        total = page.total
        if total > len(names) and not page.names:
            raise ProtocolError(f"the device lists {len(names)} of its {total} classes")
        names += page.names
    return names


async def class_index(session: Session, name: str) -> int:
    """The index of a class; DeviceError if there is none of that name."""
    names = await read_classes(session)
    if name not in names:
        known = ", ".join(names) if names else "none yet"
        raise DeviceError(f"no class {name!r}; known: {known}")
    return names.index(name)


class ClassNameError(DeviceError):
    """A name that a device would take, and that would only make trouble later."""


def check_new_name(name: str) -> None:
    """Raises DeviceError if no class should get this name: what a device refuses, and besides
    what cannot be seen, and `-`, which means no label wherever a class is named.
    """
    if name == "-":
        raise ClassNameError("'-' is no class name: it stands for no label")
    problem = class_name_problem(name)
    if problem is None:
        return
    if not 1 <= len(_utf8(name)) <= MAX_CLASS_NAME_BYTES:
        raise DeviceError(_no_class_name(name))
    raise ClassNameError(problem)


def _no_class_name(name: str) -> str:
    return (
        f"{name!r} is no class name: 1 to {MAX_CLASS_NAME_BYTES} bytes of UTF-8, printable;"
        f" it has {len(_utf8(name))}"
    )


def _utf8(name: str) -> bytes:
    return name.encode(errors="replace")


@contextmanager
def worded_name(name: str) -> Iterator[None]:
    """What a device refuses in here is a new class's name."""
    try:
        yield
    except RefusedError as error:
        reasons = {
            NO_ROOM: f"class {name!r} refused: all {error.have} classes of this model are taken",
            EXISTS: f"there is a class {name!r} already",
            BAD_NAME: _no_class_name(name),
        }
        if error.status not in reasons:
            raise
        raise DeviceError(reasons[error.status]) from error


def setting_named(name: str) -> SettingInfo:
    """The setting; DeviceError if there is none of that name."""
    info = SETTINGS.get(name)
    if info is None:
        raise DeviceError(f"no setting {name!r}; known: {', '.join(SETTINGS)}")
    return info


@contextmanager
def worded_setting(info: SettingInfo, value: float) -> Iterator[None]:
    """What a device refuses in here is a value of this setting."""
    try:
        yield
    except RefusedError as error:
        if error.status not in (BAD_VALUE, _NOT_FINITE):
            raise
        kind = "a whole number" if info.integral else "a number"
        raise DeviceError(
            f"{info.name} must be {kind} from {info.minimum:g} to {info.maximum:g}, not {value!r}"
        ) from error
