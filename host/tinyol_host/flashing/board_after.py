"""What runs on a board after an upload: it is asked, tested, and given back what it had learned."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tinyol_host.board import Board, connect
from tinyol_host.connecting import warnings_about
from tinyol_host.errors import LinkError
from tinyol_host.flashing.board_before import HOW_TO_TELL, BoardBefore, address_of
from tinyol_host.flashing.firmware_folder import Environment
from tinyol_host.flashing.flash_error import FlashError, NotUploadedError
from tinyol_host.flashing.kept_copy import KeptCopy
from tinyol_host.flashing.stages import Show, Stage
from tinyol_host.hardware import Hardware, SensorState
from tinyol_host.ports import Port
from tinyol_host.replies import Identity
from tinyol_host.timing import Timing
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import DeviceError, StateImageError

# A port that has just come may not be ours yet: udev sets its owner a moment later, and others
# look at it first.
OPEN_S = 5.0
_AGAIN_S = 0.3
_TIMING = Timing(reply_s=1.0, give_up_s=8.0)
_SAMPLES_S = 1.0  # a sensor that runs gives a hundred by then

SENSOR_WORDS = {
    SensorState.NONE: "missing",  # every such board has one
    SensorState.RUNNING: "running",
    SensorState.MISSING: "missing",
    SensorState.SILENT: "silent",
    SensorState.STUCK: "stuck",
    SensorState.WRONG_RATE: "at another rate than the model's",
}


@dataclass
class BoardAfter:
    """What it says of itself.

    kernels: what its frozen net runs on, of "TFLM" and "own".
    arena_used, arena_bytes: None where the firmware does not say.
    sensor: one of SENSOR_WORDS, or what can be told without.
    given_back: what it had learned before.
    key_id: None if it could not be paired. new_key: it was paired now, and the key is kept in
        key_place.
    warnings: a sentence each.
    """

    name: str
    firmware: str
    model_id: str
    rate_hz: float
    kernels: list[str]
    sensor: str
    arena_used: int | None = None
    arena_bytes: int | None = None
    given_back: bool = False
    key_id: str | None = None
    new_key: bool = False
    key_place: str = ""
    warnings: list[str] = field(default_factory=list)


async def greet_board(
    port: Port,
    environment: Environment,
    bundle: Bundle,
    before: BoardBefore | None,
    copy: KeptCopy | None,
    show: Show,
    *,
    keep_state: bool,
) -> BoardAfter:
    """Asks the board at a port, has it test itself, and gives it back its state.

    before: what ran there, None if TinyOL did not. keep_state: False has it begin from the model
    alone, also where the upload left its flash as it was.

    Raises:
        NotUploadedError: it runs what it ran before.
        FlashError: it does not run what it was given, or does not compute rightly.
        DeviceError: the link failed.
    """
    show(Stage.HELLO, 0, None, "")
    async with await _connect(port) as board:
        identity = board.identity
        if before is not None and board.boot_id == before.boot_id:
            raise NotUploadedError(
                "PlatformIO says that it uploaded, but the board did not restart: it runs what it"
                " ran before"
            )
        after = BoardAfter(
            name=identity.board,
            firmware=identity.firmware_version,
            model_id=identity.model_id,
            rate_hz=identity.rate_hz,
            kernels=identity.kernels,
            sensor="not asked",
            # Not the board's own warnings: of the sensor, more is said below.
            warnings=warnings_about(identity, await board.info(), None),
        )
        _check_identity(identity, environment, bundle)
        show(Stage.SELF_TEST, 0, None, "")
        if not (await board.self_test()).passed:
            raise FlashError(
                "the board runs the new program, but fails its self-test: do not trust what it"
                " computes (`tinyol self-test` says which part)"
            )
        hardware = await board.hardware_if_known()
        await _look_at_sensor(board, hardware, environment, after)
        own_name = "" if before is None else before.own_name
        if own_name and hardware is not None and hardware.name != own_name:
            await _keep_name(board, own_name, after)
        if not keep_state:
            await _forget(board)
        if copy is not None and copy.model_id == identity.model_id:
            await _give_back(board, copy, show)
            after.given_back = True
        await _pair(board, before, after, show)
    return after


async def _pair(board: Board, before: BoardBefore | None, after: BoardAfter, show: Show) -> None:
    """Sees to it that the board has a key, and this computer too."""
    identity = board.identity
    if identity.is_paired:
        after.key_id = identity.key_id
        if not board.is_authenticated:
            after.warnings.append(
                f"this computer does not have the board's key ({identity.key_id}): `tinyol keys"
                " rotate` gives it another"
            )
        return
    show(Stage.PAIR, 0, None, "")
    hardware = await board.hardware_if_known()
    try:
        key = await board.pair("" if hardware is None else hardware.name)
        await board.ping()  # authenticates: the key works before anybody relies on it
    except DeviceError as error:
        after.warnings.append(
            f"the board was not paired, and cannot be taught over the radio: {error}"
        )
        return
    after.key_id, after.new_key, after.key_place = key.id, True, board.keys.keeps_in
    if before is not None and before.key_id is not None:
        after.warnings.append(
            "the upload erased the board's key, and it has a new one: other computers that had it"
            " need that (`tinyol keys export`)"
        )
        try:
            board.keys.remove(before.key_id)
        except DeviceError as error:
            after.warnings.append(f"the key of before is still kept, and opens nothing: {error}")


async def _connect(port: Port) -> Board:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + OPEN_S
    while True:
        try:
            return await connect(address_of(port), timing=_TIMING, source=False, keep_state=False)
        except LinkError:
            if loop.time() >= deadline:
                raise
        await asyncio.sleep(_AGAIN_S)


def _check_identity(identity: Identity, environment: Environment, bundle: Bundle) -> None:
    expected = f"nano33ble-rev{environment.revision}"
    if identity.board != expected:
        raise FlashError(
            f"the upload is done, but {identity.board} answers, not {expected}: is it another"
            " board? `tinyol scan` shows them all"
        )
    if not identity.has_model:
        raise FlashError(
            "the new program runs, but refused its model: `tinyol info` and `tinyol monitor` say"
            " why; flash again, with another model or --frozen kernels"
        )
    if identity.model_id != bundle.model_id:
        raise FlashError(
            f"the upload is done, but the board runs model {identity.model_id}, not"
            f" {bundle.model_id}: flash again"
        )


async def _look_at_sensor(
    board: Board, hardware: Hardware | None, environment: Environment, after: BoardAfter
) -> None:
    if hardware is not None:
        after.sensor = SENSOR_WORDS[hardware.sensor]
        after.arena_used, after.arena_bytes = hardware.arena_used, hardware.arena_bytes
    elif not board.identity.has_sensor:
        after.sensor = "missing"
    else:
        before = (await board.info()).at
        await asyncio.sleep(_SAMPLES_S)
        after.sensor = "running" if (await board.info()).at > before else "silent"
    if after.sensor == "missing":
        after.warnings.append(
            f"the sensor of revision {environment.revision} does not answer: is it a board of"
            f" revision {3 - environment.revision}? Flash it with --revision"
            f" {3 - environment.revision} then; {HOW_TO_TELL}"
        )
    elif after.sensor != "running":
        after.warnings.append(f"the sensor is {after.sensor}: `tinyol info` says how it goes on")


async def _keep_name(board: Board, own_name: str, after: BoardAfter) -> None:
    try:
        await board.set_name(own_name)
    except DeviceError as error:
        after.warnings.append(f"the board was called {own_name!r} before: {error}")


async def _forget(board: Board) -> None:
    await board.reset()
    if (await board.info()).has_store:
        await board.save()


async def _give_back(board: Board, copy: KeptCopy, show: Show) -> None:
    show(Stage.STATE, 0, len(copy.image), "")
    try:
        await board.push_state(copy.image, lambda done, total: show(Stage.STATE, done, total, ""))
    except StateImageError as error:
        raise FlashError(
            f"the new program runs, but does not take back what the board had learned: {error}"
        ) from None
    info = await board.info()
    if info.has_store:
        try:
            await board.save()
        except DeviceError as error:
            raise FlashError(
                f"the board has what it had learned again, but cannot save it: {error}"
            ) from None
