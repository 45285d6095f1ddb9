"""Jobs on a Dask cluster: as many as it has threads for, and as many again in waiting.

The workers need this program in the same version. They read the recordings by the paths that
they have here, from a file system that all share; or, shipped, from memory.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

from tinyol_sim.errors import RecordingError, TinyOLError
from tinyol_sim.sweep.job import Job, Outcome, made_by, run_job
from tinyol_sim.sweep.runners import Done, Runner

CONNECT_S = 10
_ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?(\[[0-9a-fA-F:.%]+\]|[\w.-]+):\d{1,5}|inproc://.+")
_GONE = "the cluster is gone: its scheduler ended, or cannot be reached"
_COUNT_AGAIN_S = 5.0  # workers come and go


def address_problem(address: str) -> str | None:
    """Why no scheduler can be at this address; None if one may."""
    if _ADDRESS.fullmatch(address):
        return None
    return f"{address!r} is no address of a Dask scheduler: give HOST:PORT, as cluster:8786"


def on_cluster(address: str, *, ship: bool = False) -> Runner:
    """On the workers of the scheduler at HOST:PORT.

    ship: send the recordings' files along instead of having the workers read them.

    Raises TinyOLError here for what is no address, and where Dask is not installed; when it runs:
    where nobody answers, there is no worker, or one has another version of this program. A job
    whose worker dies is given to others; one that kills several is a failed one.
    """
    if problem := address_problem(address):
        raise TinyOLError(problem)
    try:
        from dask import distributed
    except ImportError:
        raise TinyOLError('a cluster needs Dask: pip install "tinyol[cluster]"') from None

    def run(jobs: Sequence[Job]) -> Done:
        if not jobs:
            return
        with _quiet(), _connected(distributed, address) as client:
            _check_workers(client, address)
            try:
                yield from _Submission(distributed, client, jobs, ship).outcomes()
            except OSError:
                raise TinyOLError(_GONE) from None

    return run


def run_checked(job: Job, made: Mapping[str, Any], contents: Mapping[str, bytes] | None) -> Outcome:
    """On a worker; one that joined late may have another version, too."""
    if made != made_by():
        return Outcome(None, f"a worker has another version of tinyol: {_text(made_by())}", 0.0)
    return run_job(job, contents)


class _Submission:
    """Jobs handed out a few at a time, so that a cluster's memory does not hold all of them."""

    def __init__(self, distributed: Any, client: Any, jobs: Sequence[Job], ship: bool) -> None:
        self._client, self._jobs, self._ship = client, jobs, ship
        self._ended = distributed.as_completed(loop=client.loop)
        self._index: dict[Any, int] = {}  # of the job, by future
        self._shipped: tuple[str, Any] | None = None  # digest and future of the latest
        self._counted_at, self._most = -_COUNT_AGAIN_S, 1

    def outcomes(self) -> Done:
        """Index and outcome of each, as they end."""
        given = 0
        try:
            while given < len(self._jobs) or self._index:
                while given < len(self._jobs) and len(self._index) < self._most_at_once():
                    try:
                        self._give(given)
                    except RecordingError as error:  # it cannot be shipped
                        yield given, Outcome(None, str(error), 0.0)
                    given += 1
                if self._index:
                    future = next(self._ended)
                    yield self._index.pop(future), _outcome(future)
        finally:
            with suppress(Exception):  # it may be the connection that failed
                self._client.cancel(list(self._index), force=True)

    def _give(self, index: int) -> None:
        job = self._jobs[index]
        contents = None
        if self._ship:
            if self._shipped is None or self._shipped[0] != job.source.digest:
                (there,) = self._client.scatter([job.source.contents()], hash=False)
                self._shipped = (job.source.digest, there)
            contents = self._shipped[1]
        future = self._client.submit(run_checked, job, made_by(), contents, pure=False)
        self._index[future] = index
        self._ended.add(future)

    def _most_at_once(self) -> int:
        if monotonic() - self._counted_at >= _COUNT_AGAIN_S:
            self._counted_at = monotonic()
            self._most = max(1, 2 * sum(self._client.nthreads().values()))
        return self._most


def _outcome(future: Any) -> Outcome:
    if future.status in ("cancelled", "lost"):
        raise TinyOLError(_GONE)
    if future.status == "error":
        reason = future.exception()
        words = str(reason) or type(reason).__name__
        return Outcome(None, f"{type(reason).__name__} on the cluster: {words}", 0.0)
    outcome: Outcome = future.result()
    return outcome


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TinyOLError(
            f"{address}: no Dask scheduler answers there: {reason}. `dask scheduler` starts one,"
            " and prints its address"
        ) from None
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=2)


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        raise TinyOLError(
            f"{address}: the cluster has no worker: start some with `dask worker {address}`"
        ) from None
    try:
        versions = client.run(made_by)
    except ImportError as error:
        raise TinyOLError(
            f"{address}: a worker cannot load tinyol ({error}): install the same version there,"
            ' pip install "tinyol[cluster]"'
        ) from None
    for worker, made in versions.items():
        if made != made_by():
            raise TinyOLError(
                f"{worker}: has another version of tinyol: {_text(made)}; here is"
                f" {_text(made_by())}"
            )


def _text(made: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in made.items())


@contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong is said once, by us."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
