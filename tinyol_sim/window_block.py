"""A stretch of a replay's windows with what the replay knows of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.window_results import Windows


@dataclass(frozen=True, eq=False)
class WindowBlock:
    """n windows, in order; the fields as in a ReplayResult."""

    windows: Windows
    sample_index: NDArray[np.int64]
    truth: NDArray[np.int16]
    tuned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, chosen: slice) -> WindowBlock:
        """Some of them; nothing is copied."""
        windows = self.windows
        columns = {f.name: getattr(windows, f.name)[chosen] for f in fields(Windows)}
        return WindowBlock(
            Windows(**columns), self.sample_index[chosen], self.truth[chosen], self.tuned[chosen]
        )

    def copy(self) -> WindowBlock:
        """The same in memory of its own, so that no larger buffer stays alive."""
        columns = {f.name: getattr(self.windows, f.name).copy() for f in fields(Windows)}
        arrays = (self.sample_index.copy(), self.truth.copy(), self.tuned.copy())
        return WindowBlock(Windows(**columns), *arrays)

    @classmethod
    def join(cls, parts: Sequence[WindowBlock]) -> WindowBlock:
        """One after the other; at least one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            Windows.join([part.windows for part in parts]),
            np.concatenate([part.sample_index for part in parts]),
            np.concatenate([part.truth for part in parts]),
            np.concatenate([part.tuned for part in parts]),
        )
