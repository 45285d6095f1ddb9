"""What a simulated board has learned, kept in a file from one connection to the next.

Such a board ends with its link; one of hardware keeps its state itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tinyol_host.errors import RebootedError
from tinyol_host.kept_before import Before, KeptBefore
from tinyol_host.kept_state import KeptState
from tinyol_host.link import within
from tinyol_host.link_health import LinkHealth
from tinyol_sim.errors import DeviceError, StateImageError, TinyOLError
from tinyol_sim.state_image import StateImage

READ_LIMIT_S = 10.0  # for the last image; a simulated board takes a fraction of a second
SAVE_EVERY_S = 10.0  # so much is lost at most where this program is killed

_Pull = Callable[[], Coroutine[Any, Any, bytes]]


class Keeping:
    """The file of one board, and the newest image of it that this program has seen."""

    def __init__(self, kept: KeptState, health: LinkHealth) -> None:
        self._kept = kept
        self._before = KeptBefore(kept.path.with_name(f"{kept.path.name}.before"))
        self._health = health
        self._newest: bytes | None = None
        self._reboots = 0  # as of `_newest`, or since the board was switched on
        self._seen = 0  # counts saw()
        self._written: bytes | None = None  # what is in the file, as far as this program knows
        self._saver: asyncio.Task[None] | None = None
        self._pauses = 0

    def load(self) -> bytes | None:
        """What was kept; None if nothing was. Others cannot use the file until release()."""
        self._written = self._kept.load()
        if self._written is None:
            self._before.forget()  # of a state that is gone
        return self._written

    def refused(self, error: StateImageError) -> StateImageError:
        """The board does not take over what was kept: which file, and what to do."""
        return StateImageError(
            f"{self._kept.path}: {error}; `tinyol reset` moves the file away to begin anew, or"
            " connect with state=none"
        )

    def set_aside(self, image: bytes, model_id: str, error: StateImageError) -> str:
        """Moves the file to NAME.bad, since the board refuses what is in it; returns what to say.

        Raises StateImageError for a whole image of another model: that is none to do away with.
        """
        try:
            foreign = StateImage.from_bytes(image).model_id != model_id
        except StateImageError:
            foreign = False
        if foreign:
            raise self.refused(error)
        moved = self._kept.set_aside()
        self._before.forget()
        self._written = None
        return f"{self._kept.path}: {error}; it is now {moved}, and the board begins anew"

    def saw(self, image: bytes | None) -> None:
        """The board's state was this just now; None = it is like none that was seen."""
        self._newest = image
        self._reboots = self._health.reboots
        self._seen += 1

    # --- what undo takes back ------------------------------------------------------------

    @property
    def lasts(self) -> bool:
        """What the board learns now is meant to last."""
        return not self._pauses

    def taught(self, before: Before) -> None:
        """The board was taught, or made forget; DeviceError if the file cannot be written."""
        self._before.save(before)

    def before(self) -> Before | None:
        """From before it was last taught, by whichever program; see KeptBefore.load()."""
        return self._before.load() if self.lasts else None

    def forget_before(self) -> None:
        """That was taken back, or another state was put in."""
        if self.lasts:
            self._before.forget()

    # --- the file --------------------------------------------------------------------------

    def start(self, pull: _Pull, tell_reboot: Callable[[], None]) -> None:
        """Begins to save every SAVE_EVERY_S what has changed, until stop().

        tell_reboot: called where `pull` has raised a RebootedError, which nobody else has heard of.
        """
        self._saver = asyncio.ensure_future(self._keep_saving(pull, tell_reboot))

    async def stop(self) -> None:
        """When it returns, nothing is under way. Idempotent."""
        saver, self._saver = self._saver, None
        if saver is not None:
            saver.cancel()
            await asyncio.wait({saver})
            if not saver.cancelled():
                saver.result()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Meanwhile the file stays as it is: what the board learns is not meant to last."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1

    async def _keep_saving(self, pull: _Pull, tell_reboot: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            # After a restart, what is in the file is more than the board has, until saw().
            if self._pauses or self._health.reboots != self._reboots:
                continue
            seen = self._seen
            try:
                image = await within(pull(), READ_LIMIT_S)
                # Meanwhile it may have been reset, or another image pushed.
                if self._pauses or (seen, self._reboots) != (self._seen, self._health.reboots):
                    continue
                self.saw(image)
                if image != self._written:
                    self._kept.save(image)
                    self._written = image
            except RebootedError:
                tell_reboot()
            except (TinyOLError, asyncio.TimeoutError):
                pass  # save() tries again at the end, and tells

    async def save(self, pull: _Pull) -> None:
        """Keeps the state as it is now; where that cannot be had, the newest that was seen.

        Raises:
            DeviceError: something that was learned is lost, or the file cannot be written.
        """
        image, reason = self._newest, ""
        try:
            if self._health.reboots == self._reboots:
                image = await within(pull(), READ_LIMIT_S)
            else:
                reason = "it has restarted"
        except (TinyOLError, asyncio.TimeoutError) as error:
            reason = str(error) or f"no answer within {READ_LIMIT_S:g} s"
        if image is not None:
            self._kept.save(image)
        if reason:
            rest = "has an earlier state" if image is not None else "is as it was before"
            raise DeviceError(
                f"what the board learned last is lost, {reason}; {self._kept.path} {rest}"
            )

    def release(self) -> None:
        """Lets others use the file."""
        self._kept.release()
