"""The whole evaluation of a folder of recordings, over several seeds, in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

from tinyol_sim.errors import TinyOLError
from tinyol_sim.evaluation.anomaly import detect, move
from tinyol_sim.evaluation.choices import Choice, choose, chosen_settings
from tinyol_sim.evaluation.classification import classify
from tinyol_sim.evaluation.figures import Figure
from tinyol_sim.evaluation.floors import Floor, floors
from tinyol_sim.evaluation.models import Models, train_models
from tinyol_sim.evaluation.roles import Plan, check_enough
from tinyol_sim.evaluation.split import Split
from tinyol_sim.evaluation.tuning import fine_tune
from tinyol_sim.evaluation.unknown import leave_one_out
from tinyol_sim.training.autoencoder import load_tensorflow

Progress = Callable[[str, int, int], None]  # what is being done, tasks done, of how many
_PARTS = ("classes", "states", "anomalies", "unknown", "fine-tuning")
_Settings = dict[str, dict[str, float]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was measured, how, and on what."""

    plan: Plan
    split: Split
    choices: tuple[Choice, ...]
    figures: tuple[Figure, ...]
    floors: tuple[Floor, ...]


def evaluate(
    split: Split, plan: Plan, *, jobs: int | None = None, progress: Progress | None = None
) -> Evaluation:
    """Trains a model a seed, then measures everything that the plan has data for.

    Args:
        split: both parts of every state that the plan names.
        plan: what is evaluated.
        jobs: processes; as many as there are CPUs if None, none but this one if 1.
        progress: called as tasks end.

    Raises:
        RecordingError: too few windows.
        TinyOLError: TensorFlow is missing, or what training or the device refuses.
    """
    tell = progress or (lambda what, done, total: None)
    check_enough(plan, split)
    load_tensorflow()  # where it is missing, that is said before any work
    jobs = jobs or os.cpu_count() or 1
    seeds = range(plan.seeds)
    total = plan.seeds * (1 + len(_PARTS)) + int(plan.choose)
    done = 0

    def one_more(what: str) -> None:
        nonlocal done
        done += 1
        tell(what, done, total)

    with _runner(jobs) as run:
        tell("training", 0, total)
        tasks: list[tuple[Any, ...]] = [(train_models, split.teach, plan, seed) for seed in seeds]
        if plan.choose:
            tasks.insert(0, (choose, split, plan))
        made = run(tasks, lambda: one_more("training"))
        choices: list[Choice] = made.pop(0) if plan.choose else []
        models: list[Models] = made
        settings = chosen_settings(choices)
        tasks = [
            (run_part, part, models[seed], split, plan, seed, settings)
            for part in _PARTS
            for seed in seeds
        ]
        found: list[list[Figure]] = run(tasks, lambda: one_more("measuring"))
    figures = tuple(figure for part in found for figure in part)
    return Evaluation(plan, split, tuple(choices), figures, tuple(floors(figures, plan)))


def run_part(
    part: str, models: Models, split: Split, plan: Plan, seed: int, chosen: _Settings
) -> list[Figure]:
    """One part of the evaluation for one seed."""
    if part in ("classes", "states"):
        names = plan.classes if part == "classes" else plan.states
        if part == "states" and set(names) == set(plan.classes):
            return []
        return [
            figure
            for lessons in (plan.lessons, plan.few)
            for figure in classify(models, split, plan, names, lessons, seed, chosen=chosen)
        ]
    if part == "anomalies":
        figures = detect(models, split, plan, seed)
        return figures + (move(models, split, plan, seed) if plan.deploy is not None else [])
    if part == "unknown":
        if len(plan.states) < 3:
            return []
        return leave_one_out(models, split, plan, seed, chosen.get("unknown"))
    return fine_tune(models, split, plan, seed, chosen) if plan.deploy is not None else []


_Run = Callable[[Sequence[tuple[Any, ...]], Callable[[], None]], list[Any]]


@contextmanager
def _runner(jobs: int) -> Iterator[_Run]:
    """Runs tasks (function, arguments ...), results in their order; calls back as each ends."""
    if jobs == 1:

        def here(tasks: Sequence[tuple[Any, ...]], after: Callable[[], None]) -> list[Any]:
            results = []
            for function, *arguments in tasks:
                results.append(function(*arguments))
                after()
            return results

        yield here
        return
    others = set(multiprocessing.active_children())
    # TensorFlow must not be forked; each process has one core, so it gets one thread.
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_begin_worker
    )

    def there(tasks: Sequence[tuple[Any, ...]], after: Callable[[], None]) -> list[Any]:
        futures: list[Future[Any]] = [pool.submit(*task) for task in tasks]
        pending = set(futures)
        while pending:
            ended, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()  # raises what the task raised
                after()
        return [future.result() for future in futures]

    try:
        yield there
    except BrokenProcessPool:
        raise TinyOLError(
            "a process of the evaluation was killed: too little memory? Try --jobs 1"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever if its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
