"""Where jobs run: in this process, on the cores of this machine, or on a Dask cluster.

A runner takes jobs and gives (index, outcome) as they end, in any order. Leaving it early ends
what is under way.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec

from tinyol_sim.errors import TinyOLError
from tinyol_sim.sweep.job import Job, Outcome, run_job

Done = Generator[tuple[int, Outcome], None, None]
Runner = Callable[[Sequence[Job]], Done]
NO_JOBLIB = 'more than one process needs joblib: pip install "tinyol[sweep]", or --jobs 1'


def has_joblib() -> bool:
    """Whether more than one process can be had."""
    return find_spec("joblib") is not None


def default_processes() -> int:
    """The CPUs that this process may use; 1 where joblib is missing."""
    if not has_joblib():
        return 1
    import joblib

    return int(joblib.cpu_count())


def in_this_process(jobs: Sequence[Job]) -> Done:
    """One after the other."""
    for index, job in enumerate(jobs):
        yield index, run_job(job)


def on_cores(processes: int) -> Runner:
    """In so many processes of this machine, by joblib. TinyOLError where it is not installed."""
    if processes == 1:
        return in_this_process
    try:
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError
    except ImportError:
        raise TinyOLError(NO_JOBLIB) from None

    def in_pool(jobs: Sequence[Job]) -> Done:
        if not jobs:
            return
        # A job is a batch, and one waits for each that runs: what is lost at a kill is little.
        pool = Parallel(
            n_jobs=min(processes, len(jobs)),
            backend="loky",
            batch_size=1,
            pre_dispatch="2*n_jobs",
            return_as="generator_unordered",
        )
        done = pool(delayed(_run_there)(os.getpid(), i, job) for i, job in enumerate(jobs))
        with warnings.catch_warnings():
            # Left early, it says that jobs under way were cut off: so it should be.
            warnings.filterwarnings("ignore", ".*tasks which were still being processed")
            try:
                yield from done
            except TerminatedWorkerError:
                raise TinyOLError(
                    "a process was killed: too little memory? Try fewer with --jobs"
                ) from None
            finally:
                done.close()

    def run(jobs: Sequence[Job]) -> Done:
        with _standard_streams():
            yield from in_pool(jobs)

    return run


@contextmanager
def _standard_streams() -> Iterator[None]:
    """loky flushes them, also where who started this has closed them."""
    with ExitStack() as stack:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
            if getattr(sys, name) is None:
                stack.enter_context(redirect(stack.enter_context(open(os.devnull, "w"))))
        yield


def _run_there(parent: int, index: int, job: Job) -> tuple[int, Outcome]:
    _begin_worker(parent)
    return index, run_job(job)


_began = threading.Event()


def _begin_worker(parent: int) -> None:
    """Once a process: Ctrl-C is the parent's to answer, and a killed parent ends this one.

    joblib runs a single job, or all where no process can be had, in the parent itself.
    """
    if _began.is_set() or os.getpid() == parent:
        return
    _began.set()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
