"""What a board has learned, in a file, while its firmware is replaced."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tinyol_host.board import Board
from tinyol_host.flashing.flash_error import FlashError
from tinyol_host.flashing.stages import Show, Stage
from tinyol_host.kept_state import state_folder
from tinyol_sim.errors import DeviceError
from tinyol_sim.files import write_whole


class KeptCopy:
    """A state image, and the file that it is in until the board has it again."""

    def __init__(self, path: Path, image: bytes, model_id: str) -> None:
        self.path = path
        self.image = image
        self.model_id = model_id

    def forget(self) -> None:
        """The board has it again."""
        self.path.unlink(missing_ok=True)


async def keep_copy(board: Board, show: Show) -> KeptCopy:
    """Pulls it, and writes it before anything else happens.

    Raises:
        FlashError: it cannot be had, or not be written; the board is as it was.
    """
    most = board.identity.max_image_bytes
    show(Stage.KEEP, 0, most, "")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    model_id = board.identity.model_id
    path = state_folder() / f"before-flash-{model_id}-{stamp}-{os.getpid()}.state"
    try:
        image = await board.pull_state(lambda done, total: show(Stage.KEEP, done, total, ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, image, DeviceError)
    except (DeviceError, OSError) as error:
        raise FlashError(
            f"what the board has learned cannot be kept: {error}; nothing was changed;"
            " --no-keep-state flashes it all the same, and it forgets everything"
        ) from None
    return KeptCopy(path, image, model_id)
