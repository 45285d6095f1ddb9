"""Many recordings, each through a twin of its own from the same start, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import TinyOLError
from tinyol_sim.files import write_whole
from tinyol_sim.replay import Plan
from tinyol_sim.replay_files import open_files, replay_opened
from tinyol_sim.reporting.replay_summary import summarise
from tinyol_sim.shipped_model import shipped_model_for
from tinyol_sim.worker_processes import run_tasks

END_STATE = "end.state"


@dataclass(frozen=True)
class Unit:
    """A recording to be replayed: a file, or a folder that is one recording.

    relabel: whether `label` (None = no label) stands in place of its own labels.
    """

    path: Path
    relabel: bool = False
    label: str | None = None


@dataclass(frozen=True)
class Replayed:
    """What became of a recording. summary: of `summarise`, None where `error` says why.

    folder: with its report, if one was asked for.
    """

    path: Path
    summary: dict[str, Any] | None
    error: str | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class _Task:
    unit: Unit
    bundle: Bundle | None
    plan: Plan
    rate_hz: float | None
    stream: bool | None
    folder: Path | None
    command: str = field(repr=False, default="")


def replay_each(
    units: Sequence[Unit],
    bundle: Bundle | None,
    plan: Plan,
    *,
    jobs: int,
    rate_hz: float | None = None,
    stream: bool | None = None,
    out: Path | None = None,
    command: str = "",
    on_ended: Callable[[], None] = lambda: None,
) -> list[Replayed]:
    """Each of the recordings for itself; the same results, in the order of `units`, for any `jobs`.

    Args:
        units: the recordings. One that is refused does not stop the others.
        bundle: None = the shipped one for the recording's rate.
        plan: of each. jobs: processes. rate_hz, stream: as of `open_files`.
        out: a folder; each recording gets one of its name in there, with its report, windows.csv
            and end.state, the state image. A name that was taken gets a number.
        command: the command line that made it, shown in the reports.
        on_ended: called as a recording is done with.
    """
    plan = replace(plan, settings=dict(plan.settings))
    folders = _folders(units, out)
    tasks = [
        _Task(unit, bundle, plan, rate_hz, stream, folder, command)
        for unit, folder in zip(units, folders, strict=True)
    ]
    return run_tasks(_replay, tasks, jobs, on_ended, _killed)


def _replay(task: _Task) -> Replayed:
    unit, folder = task.unit, task.folder
    try:
        labels = [unit.label] if unit.relabel else None
        opened = open_files([unit.path], rate_hz=task.rate_hz, labels=labels, stream=task.stream)
        bundle = task.bundle or shipped_model_for(opened[0].rate_hz)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        result = replay_opened(bundle, opened, task.plan, folder=folder)
        summary = summarise(result)
        if folder is not None:
            from tinyol_sim import report  # drawing costs a second that others save

            write_whole(folder / END_STATE, result.state)
            summary["state"]["file"] = str(folder / END_STATE)
            page = report.write_report(result, folder, command=task.command, summary=summary)
            summary["report"] = str(page)
        return Replayed(unit.path, summary, folder=folder)
    except TinyOLError as error:
        return _refused(task, str(error))
    except OSError as error:
        return _refused(task, f"{error.filename or unit.path}: {error.strerror or error}")
    except MemoryError:
        return _refused(task, f"{unit.path}: too little memory; try --stream, or fewer --jobs")


def _refused(task: _Task, why: str) -> Replayed:
    path = task.unit.path
    return Replayed(path, None, why if str(path) in why else f"{path}: {why}")


def _killed(task: _Task) -> Replayed:
    return _refused(task, "a process was killed: too little memory? Try fewer --jobs")


def _folders(units: Sequence[Unit], out: Path | None) -> list[Path | None]:
    taken: set[str] = set()
    folders: list[Path | None] = []
    for unit in units:
        path = unit.path.resolve()
        name = base = path.name if path.is_dir() else path.stem
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        folders.append(None if out is None else out / name)
    return folders
