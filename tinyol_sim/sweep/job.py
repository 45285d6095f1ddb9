"""One job of a sweep: a source through a new twin of a model, by a plan."""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any, cast

from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.errors import TinyOLError
from tinyol_sim.model_image import ARITHMETIC_VERSION
from tinyol_sim.replay import Plan
from tinyol_sim.replay_files import Opened, replay_opened
from tinyol_sim.shipped_model import shipped_model_for
from tinyol_sim.sweep.figures import Figures, figures_of
from tinyol_sim.sweep.source import Source

FORMAT_VERSION = 1  # of keys and figures: what is kept from another one is not used
NO_LABEL = "-"
Axis = str | float | int | bool


@dataclass(frozen=True)
class Model:
    """A bundle as bytes; name: what the table calls it. raw None: what ships for the rate."""

    name: str
    raw: bytes | None
    id: str  # 16 hex digits; of the shipped ones all

    @classmethod
    def of_bundle(cls, raw: bytes, name: str) -> Model:
        """Raises BundleError, naming it, where this is no good bundle."""
        try:
            return cls(name, raw, Bundle.from_bytes(raw).model_id)
        except TinyOLError as error:
            raise type(error)(f"{name}: {error}") from None

    @classmethod
    def shipped(cls) -> Model:
        """The shipped one for each recording's rate."""
        return cls("shipped", None, " ".join(default_bundle(hz).model_id for hz in DEFAULT_BUNDLES))

    def bundle(self, rate_hz: float) -> Bundle:
        """BundleError if none ships for that rate."""
        return shipped_model_for(rate_hz) if self.raw is None else _load(self.raw)


@dataclass(frozen=True)
class Job:
    """What to compute, all that it depends on, and under what the table lists it.

    label: a class name for every sample, NO_LABEL for none, None for the recordings' own.
    axes: its place in the grid by column, see `table.py`.
    """

    source: Source
    model: Model
    plan: Plan
    rate_hz: float | None = None
    label: str | None = None
    axes: Mapping[str, Axis] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Equal for jobs whose figures are equal: a digest of recording, model, plan, version."""
        plan = self.plan
        depends_on = {
            **made_by(),
            "source": self.source.digest,
            "model": self.model.id,
            "rate_hz": self.rate_hz,
            "label": self.label,
            "learn": plan.learn,
            "fine_tune": plan.fine_tune,
            "fine_tune_from": plan.fine_tune_from,
            "calibrate": plan.calibrate,
            "settings": dict(plan.settings),
            "state": None if plan.state is None else hashlib.sha256(plan.state).hexdigest(),
        }
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What became of a job. figures: None if it failed; error: "" if not; seconds: it took."""

    figures: Figures | None
    error: str
    seconds: float


def made_by() -> dict[str, Any]:
    """The versions that figures depend on, of this program on this machine."""
    return {"format": FORMAT_VERSION, "arithmetic": ARITHMETIC_VERSION, "tinyol": _program()}


@lru_cache(maxsize=1)
def _program() -> str:
    """Read from the disk once: a key each would take six times as long."""
    try:
        return version("tinyol")
    except PackageNotFoundError:
        return "not installed"


def run_job(job: Job, contents: Mapping[str, bytes] | None = None) -> Outcome:
    """Does it; whatever goes wrong is said in the outcome.

    contents: the source's files, where they are not on this machine.
    """
    began = perf_counter()
    figures, error = None, ""
    try:
        opened = _opened(job, contents)
        bundle = job.model.bundle(opened[0].rate_hz)
        figures = figures_of(replay_opened(bundle, opened, job.plan))
    except (TinyOLError, OSError) as reason:
        error = str(reason)
    except MemoryError:
        error = "too little memory"
    except Exception as reason:  # a mistake of ours must not cost the other jobs
        at = traceback.extract_tb(reason.__traceback__)[-1]
        error = f"internal error: {type(reason).__name__}: {reason} ({at.name}, line {at.lineno})"
    return Outcome(figures, error, perf_counter() - began)


def forget_recordings() -> None:
    """The latest source is kept in memory for the next job; no longer."""
    _latest.clear()


_latest: dict[tuple[str, float | None], Opened] = {}


def _opened(job: Job, contents: Mapping[str, bytes] | None) -> Opened:
    key = (job.source.digest, job.rate_hz)  # neighbours in the grid have the same
    found = _latest.get(key)
    if found is None:
        _latest.clear()  # before: two may be more than there is memory for
        if contents is None:
            found = job.source.open(job.rate_hz)
        else:
            found = job.source.open_shipped(contents, job.rate_hz)
        _latest[key] = found
    if job.label is None:
        return found
    name = None if job.label == NO_LABEL else job.label
    return cast(Opened, [recording.with_label(name) for recording in found])


@lru_cache(maxsize=16)
def _load(raw: bytes) -> Bundle:
    return Bundle.from_bytes(raw)
