"""What runs on a board that is to be flashed, as far as it can say."""

from __future__ import annotations

from dataclasses import dataclass

from tinyol_host.board import connect
from tinyol_host.errors import NoReplyError, ProtocolError
from tinyol_host.flashing.firmware_folder import Environment, FirmwareFolder
from tinyol_host.flashing.flash_error import FlashError
from tinyol_host.hardware import Hardware, SensorState
from tinyol_host.ports import Port
from tinyol_host.timing import Timing
from tinyol_host.uri import Uri

# What runs TinyOL answers within milliseconds; another program never does.
ASKING = Timing(reply_s=0.5, give_up_s=2.0)
_REVISION_OF = {"nano33ble-rev1": 1, "nano33ble-rev2": 2}

HOW_TO_TELL = (
    'boards of revision 2 have "Rev2" printed on them (sensor BMI270), those of revision 1 do not'
    " (LSM9DS1); with the wrong one, the sensor is reported missing, and nothing breaks"
)


@dataclass(frozen=True)
class BoardBefore:
    """TinyOL runs on it."""

    name: str  # as "nano33ble-rev1"
    revision: int | None  # None: a board of another kind
    model_id: str | None  # None: it has none
    has_sensor: bool  # its sensor answers
    own_name: str  # what it goes by; "" if it does not say
    boot_id: int
    key_id: str | None = None  # None: it was never paired


def address_of(port: Port) -> str:
    """What connect() takes."""
    return str(Uri("serial", port.device))


async def ask_board(port: Port) -> BoardBefore | None:
    """None if TinyOL does not run there: a board from the factory, another sketch, a bootloader.

    Raises:
        LinkError: the port cannot be opened; nor could it for an upload.
        FlashError: it has a key that this computer does not have.
    """
    if port.kind == "bootloader":
        return None
    try:
        board = await connect(address_of(port), timing=ASKING, source=False, keep_state=False)
    except (NoReplyError, ProtocolError):
        return None
    async with board:
        identity, hardware = board.identity, await board.hardware_if_known()
        boot_id = board.boot_id
        if identity.is_paired and not board.is_authenticated:
            raise FlashError(
                f"{port.device}: this computer does not have this board's key ({identity.key_id}),"
                " so that it could neither keep what the board has learned nor give it back:"
                " `tinyol keys import` it from the computer that has it, or give the board another"
                f" with `tinyol keys rotate -d serial:{port.device}`, and flash again"
            )
    own_name = "" if hardware is None else hardware.name
    return BoardBefore(
        name=identity.board,
        revision=_REVISION_OF.get(identity.board),
        model_id=identity.model_id if identity.has_model else None,
        has_sensor=identity.has_sensor or _is_there(hardware),
        own_name=own_name,
        boot_id=boot_id,
        key_id=identity.key_id if identity.is_paired else None,
    )


def _is_there(hardware: Hardware | None) -> bool:
    """The sensor; the identity denies one whose rate is not the model's."""
    return hardware is not None and hardware.sensor not in (SensorState.NONE, SensorState.MISSING)


def choose_environment(
    firmware: FirmwareFolder, wanted: int | None, before: BoardBefore | None, port: Port
) -> Environment:
    """For the revision that is wanted, or that the board says it is.

    Raises:
        FlashError: neither says it, or they contradict each other.
    """
    if before is not None and before.revision is None:
        raise FlashError(f"{port.device}: this is {before.name}, not a Nano 33 BLE Sense")
    known = None if before is None else before.revision
    if wanted is None:
        if known is None:
            raise FlashError(
                f"{port.device}: which revision of the board is it? TinyOL does not run there to"
                f" say so: give --revision 1 or --revision 2; {HOW_TO_TELL}"
            )
        return firmware.environments[known]
    # A firmware for the wrong revision must not stand in the way of the right one: only a sensor
    # that answers proves what the board is.
    if known not in (None, wanted) and before is not None and before.has_sensor:
        raise FlashError(
            f"{port.device}: this board is of revision {known}: the sensor of that revision"
            f" answers on it; leave --revision {wanted} out"
        )
    return firmware.environments[wanted]
