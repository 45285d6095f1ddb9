"""Tasks on all cores: processes that end with this one, results in the order of the tasks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def n_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def run_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    jobs: int,
    on_ended: Callable[[], None],
    on_killed: Callable[[T], R],
) -> list[R]:
    """function(task) for each task, in `jobs` processes; in this one if jobs or tasks are one.

    Args:
        function: of a module, as are tasks and results made of what can be pickled.
        on_ended: called here whenever a task has ended.
        on_killed: what stands for the result of a task whose process was killed, or that was still
            to come then.

    Raises what `function` raises. However this ends, no process is left.
    """
    if min(jobs, len(tasks)) <= 1:
        results = []
        for task in tasks:
            results.append(function(task))
            on_ended()
        return results
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)), multiprocessing.get_context("spawn"), initializer=_begin
    )
    try:
        with _interrupted_later():
            futures = [pool.submit(function, task) for task in tasks]
        for _ in as_completed(futures):
            on_ended()
        results = []
        for task, future in zip(tasks, futures, strict=True):
            killed = isinstance(future.exception(), BrokenProcessPool)
            results.append(on_killed(task) if killed else future.result())
        return results
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Ctrl-C waits, here until `with` ends, in processes that begin meanwhile until `_begin`.

    They would say a traceback while they import what they need, or are told it half.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    # Another thread may take the signal, so that blocking it here would not do. It is for those
    # that begin: they inherit it.
    blockable = hasattr(signal, "pthread_sigmask")  # not on every system
    if blockable:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        if blockable:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, signal.default_int_handler if handler is None else handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever if its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
