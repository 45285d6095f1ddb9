"""The signals that tell a command to end: Ctrl-C, SIGTERM, and SIGHUP of a closed terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDS = (signal.SIGTERM, signal.SIGHUP)


class EndedBySignal(KeyboardInterrupt):
    """A command ended in order, since it was told to by signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def told_to_end(first: Callable[[int], object], then: Any) -> Iterator[None]:
    """The first SIGINT calls `first(number)`; from then on the handler `then` has them.

    SIGTERM and SIGHUP call `first` each time, unless they were ignored before, as by nohup:
    timeout(1) and a terminal that closes send them twice, which must not end this the hard way.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, then)
        first(number)

    caught = [n for n in ENDS if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, *caught)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
