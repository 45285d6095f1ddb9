"""Hosts that come and go for days: sessions with a key over a link that loses, doubles and cuts.

Run by itself it lives 30 days of the board's clock, and says what that has cost: `make soak`.

    python tests/host_churn.py [--visits N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import tracemalloc
from dataclasses import asdict, dataclass
from pathlib import Path

from boards_with_flash import MemoryFlash, slot_pages
from faulty_link import FAULTS, QUICK, DeviceInProcess, Direction, Fault, FaultyLink
from image_surgery import sections_of
from small_models import vibration

from tinyol_host import requests
from tinyol_host.access import messages
from tinyol_host.access.device_key import DeviceKey
from tinyol_host.protocol import Opcode
from tinyol_host.session import Session
from tinyol_sim.errors import DeviceError

VISIT_S = 600  # of the board's clock from one visit to the next
VISITS_IN_30_DAYS = 30 * 86400 // VISIT_S
SAMPLES = vibration(40)
PAGES = 4 + 4 * slot_pages()
FAULTY = 0.04  # of all messages


@dataclass
class Used:
    """What this process holds at one moment."""

    traced_bytes: int  # by Python's allocator
    resident_bytes: int
    tasks: int
    files: int


@dataclass
class Churn:
    """What became of the visits so far."""

    visits: int = 0
    requests: int = 0
    changes: int = 0  # that the host was told of
    faulty_messages: int = 0
    cuts: int = 0
    reboots: int = 0
    not_known: int = 0  # the host said that it does not know
    lost: int = 0
    doubled: int = 0


class HostChurn:
    """One board on the radio, and hosts with its key that visit it."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.device = DeviceInProcess(flash=MemoryFlash(PAGES))
        self.device.by_radio()
        self.churn = Churn()
        self._key: DeviceKey | None = None
        self._next_name = 0

    async def pair(self) -> None:
        """By somebody who touches the board."""
        session = Session(FaultyLink(self.device, link=1), QUICK)
        await session.open()
        reply = await session.request(Opcode.PAIR, messages.pair(False))
        self._key = messages.new_key(reply.body, "", "")
        await session.close()

    async def visit(self) -> None:
        """One host's: it comes, asks for some changes, and leaves or is simply gone."""
        key = self._key
        assert key is not None
        self.churn.visits += 1
        link = FaultyLink(self.device, self._fault, device_notices=self.random.random() < 0.5)
        session = Session(link, QUICK, find_key={key.id: key}.get)
        with contextlib.suppress(DeviceError):
            await session.open()
            assert session.is_authenticated
            with session.listen():
                await session.request(
                    Opcode.STREAM, requests.stream(predictions=True, samples=True, log=True)
                )
                for _ in range(self.random.randint(1, 6)):
                    if self.random.random() < 0.01:
                        self.device.reboot()
                        self.churn.reboots += 1
                    await self._change(session)
                    self.device.sense(SAMPLES)
                    self.device.pass_time(100)
        await session.close()
        for _ in range(6):
            self.device.pass_time(VISIT_S * 1000 // 6)

    async def _change(self, session: Session) -> None:
        """A class more, one less, or another name: lost or done twice, it would show."""
        before = self._classes()
        self._next_name += 1
        name = f"k{self._next_name}"
        if len(before) < 3:
            opcode, payload, after = Opcode.CLASS_ADD, requests.class_add(name), [*before, name]
        else:
            index = self.random.randrange(len(before))
            opcode, payload = Opcode.CLASS_RENAME, requests.class_rename(index, name)
            after = [*before[:index], name, *before[index + 1 :]]
            if self.random.random() < 0.3:
                opcode, payload = Opcode.CLASS_REMOVE, requests.class_remove(index)
                after = [*before[:index], *before[index + 1 :]]
        self.churn.requests += 1
        try:
            await session.request(opcode, payload)
        except DeviceError:
            self.churn.not_known += 1
            assert self._classes() in (before, after)
            raise
        self.churn.changes += 1
        found = self._classes()
        self.churn.lost += found == before
        self.churn.doubled += found not in (before, after)

    def _classes(self) -> list[str]:
        """On the board, by its own state image."""
        names = dict(sections_of(self.device.state()))[b"CLAS"]
        n = int.from_bytes(names[:2], "little")
        width = (len(names) - 4) // max(n, 1)
        rows = [names[4 + i * width : 4 + (i + 1) * width] for i in range(n)]
        return [row.rstrip(b"\0").decode() for row in rows]

    def _fault(self, _direction: Direction, _number: int) -> Fault:
        if self.random.random() > FAULTY:
            return Fault.NONE
        fault = self.random.choice(FAULTS)
        self.churn.faulty_messages += 1
        self.churn.cuts += fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER)
        return fault


def used() -> Used:
    """Now, with what nobody holds any more collected."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Used(
        traced_bytes=tracemalloc.get_traced_memory()[0],
        resident_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
        tasks=len(asyncio.all_tasks()),
        files=len(list(Path("/proc/self/fd").iterdir())),
    )


async def live(visits: int, warm: int) -> tuple[Churn, Used, Used]:
    """So many visits; what was used after the first `warm` of them, and at the end."""
    hosts = HostChurn()
    await hosts.pair()
    tracemalloc.start()
    try:
        for _ in range(warm):
            await hosts.visit()
        first = used()
        for _ in range(visits - warm):
            await hosts.visit()
        return hosts.churn, first, used()
    finally:
        tracemalloc.stop()


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--visits", type=int, default=VISITS_IN_30_DAYS)
    visits = parser.parse_args().visits
    churn, first, last = asyncio.run(live(visits, visits // 10))
    print(json.dumps({**asdict(churn), "after a tenth": asdict(first), "at the end": asdict(last)}))


if __name__ == "__main__":
    main()
