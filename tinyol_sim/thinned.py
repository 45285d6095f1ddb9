"""An evenly spaced part of many windows: each one, until they are too many; then each second..."""

from __future__ import annotations

from tinyol_sim.window_block import WindowBlock


class Thinned:
    """every: the windows with an index that this divides are kept; a power of two."""

    def __init__(self, most: int | None) -> None:
        """most: windows that are kept at the end; None = all."""
        self.every = 1
        self._most = most
        self._parts: list[WindowBlock] = []
        self._n_kept = self._n_seen = 0

    def add(self, block: WindowBlock) -> None:
        """The next windows."""
        part = block
        if self.every > 1:  # copied, so that the windows in between do not stay alive
            part = block[-self._n_seen % self.every :: self.every].copy()
        self._n_seen += len(block)
        self._n_kept += len(part)
        self._parts.append(part)
        while self._most is not None and self._n_kept > self._most:
            self._parts = [WindowBlock.join(self._parts)[::2].copy()]
            self._n_kept = len(self._parts[0])
            self.every *= 2

    def block(self) -> WindowBlock:
        """What is kept; some window must have been added, or an empty block."""
        return WindowBlock.join(self._parts)
