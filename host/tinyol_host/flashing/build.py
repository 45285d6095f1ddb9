"""Runs PlatformIO to its end, or ends it: its output goes to a log, and is read on the way."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tinyol_host.flashing.build_failure import advice, lines_that_matter
from tinyol_host.flashing.build_output import BuildOutput
from tinyol_host.flashing.firmware_folder import Environment, FirmwareFolder
from tinyol_host.flashing.flash_error import FlashError
from tinyol_host.flashing.stages import Stage
from tinyol_host.ports import Port

# An uploader that says nothing for so long never will; an upload takes about 20 s.
UPLOAD_SILENT_S = 120.0
END_S = 3.0  # for a child that was told to end
_FLAGS = "PLATFORMIO_BUILD_FLAGS"


def build_variables(bundle: Path | None, flag: str | None) -> dict[str, str]:
    """This program's environment, and what the firmware's build looks at.

    bundle: None takes the one that ships. flag: one more for the compiler.
    """
    environment = dict(os.environ)
    environment.pop("TINYOL_BUNDLE", None)
    if bundle is not None:
        environment["TINYOL_BUNDLE"] = str(bundle.absolute())
    if flag is not None:
        environment[_FLAGS] = " ".join(filter(None, [environment.get(_FLAGS), flag]))
    # The build calls `tinyol model export`: this one, also where its environment is not active.
    beside = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join(filter(None, [environment.get("PATH"), beside]))
    environment.update(PYTHONUNBUFFERED="1", PLATFORMIO_NO_ANSI="true")
    return environment


class PlatformIO:
    """Its runs for one environment of the firmware, all in one log.

    Cancelled, it ends what it has started first.
    """

    def __init__(
        self,
        words: Sequence[str],
        firmware: FirmwareFolder,
        environment: Environment,
        variables: Mapping[str, str],
        log: Path,
        output: BuildOutput,
    ) -> None:
        """words: what starts it; variables: see build_variables()."""
        self.log = log
        self.output = output
        self._words = words
        self._folder = firmware.path
        self._environment = environment
        self._variables = variables

    async def build(self) -> None:
        """Compiles what has changed. FlashError: it failed; with the lines that matter."""
        self.output.begin(Stage.EXPORT)
        await self._run([], "wb", "building the firmware")

    async def upload(self, port: Port) -> None:
        """Has it uploaded to the board at a port. FlashError as build()."""
        # PlatformIO compares names of ports, and gives bossac the last part of one: no links.
        device = os.path.realpath(port.device) if os.path.exists(port.device) else port.device
        self.output.begin(Stage.UPLOAD)
        await self._run(["-t", "upload", "--upload-port", device], "ab", "the upload")

    async def _run(self, more: Sequence[str], mode: str, what: str) -> None:
        command = [*self._words, "run", "-e", self._environment.name, *more]
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: closing it must not fail on a full disk.
            with open(self.log, mode, buffering=0) as log:
                _note(log, f"$ {' '.join(command)}\n".encode())
                status = await _run(command, self._folder, self._variables, log, self.output)
        except asyncio.TimeoutError:  # an OSError itself, from Python 3.11 on
            raise self._failed(f"the uploader said nothing for {UPLOAD_SILENT_S:g} s") from None
        except OSError as error:
            where = error.filename or command[0]
            raise FlashError(f"{where}: {error.strerror or error}") from None
        if status != 0:
            raise self._failed(f"{what} failed")

    def _failed(self, what: str) -> FlashError:
        lines = lines_that_matter(self.output.lines)
        words = advice(lines, self.output.stage)
        return FlashError(f"{what}: {words}" if words else what, self.log, lines)


async def _run(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    log: IO[bytes],
    output: BuildOutput,
) -> int:
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is ours; and its own children end with it
    )
    assert child.stdout is not None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        while True:
            limit_s = UPLOAD_SILENT_S if output.stage is Stage.UPLOAD else None
            data = await asyncio.wait_for(child.stdout.read(4096), limit_s)
            if not data:
                break
            _note(log, data)
            output.feed(decoder.decode(data))
        output.end()
        return await child.wait()
    except BaseException:
        await asyncio.shield(_end(child))
        raise


def _note(log: IO[bytes], data: bytes) -> None:
    """A log that cannot be written, as on a full disk, is no reason to end an upload."""
    with contextlib.suppress(OSError):
        log.write(data)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Ends it and all that it has started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        try:
            await asyncio.wait_for(child.communicate(), END_S)
        except asyncio.TimeoutError:
            continue
        except BaseException:  # told to end once more
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
        return
