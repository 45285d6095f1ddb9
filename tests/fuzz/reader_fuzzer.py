"""Looks for files that break a reader: changes those that led to new places, again and again.

A place is a line of the package that was run, or an error's text without its numbers. Python's own
tracing finds them, so that nothing has to be installed for it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

from mutations import mutate_bytes
from readers import READERS, BrokenPromiseError, run_reader

MAX_LEN = 20_000  # bytes
_PACKAGE = "/tinyol_sim/"
_VARYING = re.compile(r"[0-9]+|'[^']*'|\"[^\"]*\"|b'.*'")


@dataclass
class Places:
    """The lines that are run while it is open."""

    found: set[tuple[CodeType, int]] = field(default_factory=set)

    def __enter__(self) -> Places:
        sys.settrace(self._enter)
        return self

    def __exit__(self, *unused: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if _PACKAGE in frame.f_code.co_filename else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.found.add((frame.f_code, frame.f_lineno))
        return self._line


@dataclass
class Found:
    """What a run came to. broken: the input that broke something, and how."""

    runs: int = 0
    taken: int = 0  # inputs that the reader took
    kept: list[bytes] = field(default_factory=list)  # each led somewhere new
    places: int = 0
    broken: tuple[bytes, str] | None = None


def fuzz_reader(name: str, inputs: list[bytes], runs: int, seed: int, folder: Path) -> Found:
    """Runs the inputs, then `runs` changed ones; ends at the first that breaks something."""
    rng, found = Random(seed), Found()
    places: set[object] = set()

    def run(data: bytes) -> bool:
        found.runs += 1
        seen = Places()
        try:
            with seen:
                said = run_reader(name, data, folder)
        except Exception as error:  # whatever it is, a reader must not raise it
            how = (
                str(error)
                if isinstance(error, BrokenPromiseError)
                else f"{type(error).__name__}: {error}"
            )
            found.broken = (data, how)
            return False
        found.taken += said == ""
        new = seen.found | {_VARYING.sub("", said)[:100]}
        if new - places:
            places.update(new)
            found.kept.append(data)
        found.places = len(places)
        return True

    for data in inputs:
        if not run(data):
            return found
    for _ in range(runs):
        data = rng.choice(found.kept)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            mutate = READERS[name].mutate if rng.randrange(10) else mutate_bytes
            data = mutate(data, rng)[:MAX_LEN]
        if not run(data):
            return found
    return found
