"""The grid of a sweep: every model and every choice of settings on every source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from tinyol_sim.presets import preset
from tinyol_sim.replay import Plan
from tinyol_sim.sweep.job import Axis, Job, Model
from tinyol_sim.sweep.source import Source

NO_PRESET = "none"


@dataclass(frozen=True)
class Grid:
    """What is combined with what; the later a field, the faster it varies.

    presets: names of presets (tinyol_sim/presets.py) or NO_PRESET; none given: no such column.
    settings: values to try by the setting's name; they go before a preset's.
    fine_tune, calibrate: windows, 0 = not; see `replay.Plan`.
    label: in place of the recordings' own labels; see `Job.label`.
    state: a state image that every twin goes on from.
    """

    sources: Sequence[Source]
    models: Sequence[Model]
    presets: Sequence[str] = ()
    settings: Mapping[str, Sequence[float]] = field(default_factory=dict)
    fine_tune: Sequence[int] = (0,)
    calibrate: Sequence[int] = (0,)
    learn: bool = False
    fine_tune_from: str = "auto"
    label: str | None = None
    rate_hz: float | None = None
    state: bytes | None = None

    def __len__(self) -> int:
        n = len(self.sources) * len(self.models) * max(1, len(self.presets))
        for values in (*self.settings.values(), self.fine_tune, self.calibrate):
            n *= len(values)
        return n

    def jobs(self) -> Iterator[Job]:
        """All jobs, those on one source one after the other."""
        for source in self.sources:
            for model in self.models:
                for axes, plan in self._plans():
                    named = {"recording": source.name, "model": model.name, **axes}
                    yield Job(source, model, plan, self.rate_hz, self.label, named)

    def _plans(self) -> Iterator[tuple[dict[str, Axis], Plan]]:
        """Every choice of settings, with its place in the grid."""
        values = product(*self.settings.values())
        for name, turned, steps, windows in product(
            self.presets or (NO_PRESET,), values, self.fine_tune, self.calibrate
        ):
            settings = dict(zip(self.settings, turned, strict=True))
            axes: dict[str, Axis] = {"preset": name} if self.presets else {}
            axes |= {**settings, "learn": self.learn, "fine_tune": steps, "calibrate": windows}
            start = {} if name == NO_PRESET else preset(name).settings
            plan = Plan(
                learn=self.learn,
                fine_tune=steps or None,
                fine_tune_from=self.fine_tune_from,
                settings={**start, **settings},
                state=self.state,
                calibrate=windows or None,
            )
            yield axes, plan

    def axes(self) -> dict[str, type]:
        """The columns that say which job a row is, with their types."""
        named = {"recording": str, "model": str} | ({"preset": str} if self.presets else {})
        turned = dict.fromkeys(self.settings, float)
        return {**named, **turned, "learn": bool, "fine_tune": int, "calibrate": int}
