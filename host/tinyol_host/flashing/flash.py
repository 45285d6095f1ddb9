"""Flashing a board, from its first question to what runs there in the end."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tinyol_host.board import connect
from tinyol_host.flashing import usb_port
from tinyol_host.flashing.board_after import BoardAfter, greet_board
from tinyol_host.flashing.board_before import (
    ASKING,
    BoardBefore,
    address_of,
    ask_board,
    choose_environment,
)
from tinyol_host.flashing.build import PlatformIO, build_variables
from tinyol_host.flashing.build_output import BuildOutput
from tinyol_host.flashing.firmware_folder import find_firmware
from tinyol_host.flashing.fitting import check_flash, check_rate, check_some_rate, load_bundle
from tinyol_host.flashing.flash_error import FlashError, NotUploadedError
from tinyol_host.flashing.kept_copy import KeptCopy, keep_copy
from tinyol_host.flashing.platformio import find_platformio
from tinyol_host.flashing.stages import Show, Stage, left_as
from tinyol_host.flashing.usb_port import choose_port, wait_for_program
from tinyol_host.kept_state import state_folder
from tinyol_host.ports import Port
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import TinyOLError

_KERNELS = {"tflm": "TFLM", "kernels": "own"}


@dataclass(frozen=True)
class Wish:
    """What is to be flashed, and where.

    port: "" = the one board there is. bundle: None = the one that ships for the sensor.
    revision: 1 or 2; None = as the board says. frozen: "tflm", "kernels"; None = the firmware's
    default. firmware: its folder; None = the one of the checkout.
    """

    port: str = ""
    bundle: Path | None = None
    revision: int | None = None
    frozen: str | None = None
    keep_state: bool = True
    firmware: Path | None = None


@dataclass
class Flashed:
    """What came of it.

    copy: the file with what the board had learned; None if it has it again, or had nothing.
    flash_used, ram_used: bytes of the program, as its build says.
    """

    port: str
    environment: str
    revision: int
    most_image_bytes: int
    log: Path
    flash_used: int | None
    ram_used: int | None
    after: BoardAfter
    keep_state: bool  # as it was wished
    asked: bool  # TinyOL ran there before, and could be asked for what it had learned
    copy: Path | None


class Flashing:
    """One run of it; `stage` and `copy` tell how far it came, also when run() raised."""

    def __init__(self, wish: Wish, show: Show) -> None:
        self.stage = Stage.ASK
        self.copy: KeptCopy | None = None
        self._began = False  # PlatformIO was started
        self._own_name = ""  # of the board, before
        self._wish = wish
        self._tell = show

    def _show(self, stage: Stage, done: int, total: int | None, note: str) -> None:
        self.stage = stage
        self._tell(stage, done, total, note)

    async def run(self) -> Flashed:
        """Does all of it.

        Raises:
            BundleError: the bundle cannot be read, or does not fit.
            FlashError, DeviceError: see the stages.
        """
        wish = self._wish
        firmware = find_firmware(wish.firmware)
        if wish.bundle is not None:  # before anybody is asked anything
            bundle = Bundle.load(wish.bundle)
            check_some_rate(bundle, str(wish.bundle), firmware)
        platformio = find_platformio()
        port = choose_port(wish.port)
        self._show(Stage.ASK, 0, None, port.device)
        before = await ask_board(port)
        self._own_name = "" if before is None else before.own_name
        environment = choose_environment(firmware, wish.revision, before, port)
        bundle = load_bundle(wish.bundle, environment.sensor_hz)
        name = "the bundle that ships" if wish.bundle is None else str(wish.bundle)
        check_rate(bundle, name, environment)
        most_image_bytes = await check_flash(bundle, name)

        log = state_folder() / f"flash-{re.sub('[^A-Za-z0-9]+', '-', port.device).strip('-')}.log"
        output = BuildOutput(self._show)
        environment, flag = environment.for_frozen(wish.frozen)
        variables = build_variables(wish.bundle, flag)
        pio = PlatformIO(platformio, firmware, environment, variables, log, output)
        self._began = True
        await pio.build()
        # Not before: the board goes on learning while its firmware is built.
        if wish.keep_state and before is not None and before.model_id is not None:
            self.copy = await self._keep(port, before)
        await pio.upload(port)
        self._show(Stage.WAIT, 0, None, f"for the board's port, {usb_port.BACK_S:g} s at most")
        port = await wait_for_program(port)
        after = await greet_board(
            port,
            environment,
            bundle,
            before,
            self.copy,
            self._show,
            keep_state=wish.keep_state,
        )
        if wish.frozen is not None and _KERNELS[wish.frozen] not in after.kernels:
            after.warnings.append(
                f"--frozen {wish.frozen} was asked for, but the board says that its frozen net runs"
                f" on {' and '.join(after.kernels) or 'something else'}"
            )
        if after.given_back and self.copy is not None:
            self.copy.forget()
            self.copy = None
        return Flashed(
            port=port.device,
            environment=environment.name,
            revision=environment.revision,
            most_image_bytes=most_image_bytes,
            log=log,
            flash_used=output.flash_used,
            ram_used=output.ram_used,
            after=after,
            keep_state=wish.keep_state,
            asked=before is not None,
            copy=None if self.copy is None else self.copy.path,
        )

    def words_about(self, error: BaseException) -> list[str]:
        """After run() raised: the lines of the log that matter, how the board stands, and where
        what it had learned is.
        """
        words: list[str] = []
        if isinstance(error, FlashError) and error.log is not None:
            words += [f"  {line}" for line in error.lines]
            words.append(f"the whole log: {error.log}")
        ended = not isinstance(error, TinyOLError)  # by Ctrl-C or the like
        said = isinstance(error, NotUploadedError) or (
            self.stage is Stage.UPLOAD and isinstance(error, FlashError) and error.log is not None
        )
        if ended or (self._began and not said):
            words.append(left_as(self.stage))
        if self._own_name and self.stage in (Stage.UPLOAD, Stage.WAIT):
            words.append(
                f"it was called {self._own_name!r}: should it have forgotten that,"
                f" `tinyol name {shlex.quote(self._own_name)}` names it again"
            )
        if self.copy is not None:
            words.append(
                f"what the board had learned is in {self.copy.path}:"
                f" `tinyol state push {shlex.quote(str(self.copy.path))}` gives it back"
            )
        return words

    async def _keep(self, port: Port, before: BoardBefore) -> KeptCopy:
        async with await connect(
            address_of(port), timing=ASKING, source=False, keep_state=False
        ) as board:
            if board.identity.model_id != before.model_id:
                raise FlashError(f"{port.device}: another board is there now; flash again")
            return await keep_copy(board, self._show)
