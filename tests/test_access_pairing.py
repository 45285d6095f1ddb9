"""The one moment in which a key travels: over links that fail, into a store that may be full."""

from __future__ import annotations

from pathlib import Path

import pytest
from boards_with_flash import MemoryFlash
from faulty_link import FAULTS, QUICK, DeviceInProcess, Direction, Fault, FaultyLink
from test_access_session import PAGES, run

from tinyol_host import requests
from tinyol_host.access.board_access import BoardAccess
from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.key_store import KeyStore
from tinyol_host.errors import KeyNeededError
from tinyol_host.protocol import Opcode
from tinyol_host.session import Session
from tinyol_sim.errors import DeviceError

HELLO_PAIR_HELLO = range(3)


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.json")


async def at_its_port(link: FaultyLink, keys: KeyStore) -> tuple[BoardAccess, Session]:
    session = Session(link, QUICK, find_key=keys.find)
    await session.open()
    return BoardAccess(session, keys), session


async def works(device: DeviceInProcess, keys: KeyStore) -> bool:
    """Whether who has these keys may teach the board."""
    _, session = await at_its_port(FaultyLink(device), keys)
    try:
        await session.request(Opcode.PING)
        if session.is_authenticated:
            await session.request(Opcode.FINE_TUNE, requests.fine_tune(0))
        return session.is_authenticated
    finally:
        await session.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("number", HELLO_PAIR_HELLO)
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("rotate", [False, True])
def test_a_key_gets_here_or_a_person_hears_what_to_do(
    keys: KeyStore, direction: Direction, number: int, fault: Fault, rotate: bool
) -> None:
    """Whatever happens to a message: the key is here and works, or the error names the remedy,
    which then works.
    """

    async def go() -> None:
        device = DeviceInProcess(flash=MemoryFlash(PAGES))
        if rotate:
            board, session = await at_its_port(FaultyLink(device), keys)
            before = await board.pair("pump")
            await session.close()
        link = FaultyLink(device, device_notices=True)
        board, session = await at_its_port(link, keys)
        begun = link.counts[direction]
        link.plan = lambda d, n: fault if (d, n) == (direction, begun + number) else Fault.NONE
        said = ""
        try:
            key = await (board.rotate_key("pump") if rotate else board.pair("pump"))
        except DeviceError as error:
            said = str(error)
        if said:
            assert "`tinyol keys rotate`" in said
            link.plan = lambda d, n: Fault.NONE
            await session.close()
            board, session = await at_its_port(FaultyLink(device), KeyStore(keys.path))
            key = await board.rotate_key("pump")
        assert keys.find(key.id) == key
        if rotate:
            assert before.id != key.id
        await session.close()
        assert await works(device, keys)

    run(go())


def test_the_second_pairing_is_refused_with_what_to_do(keys: KeyStore, tmp_path: Path) -> None:
    async def go() -> None:
        device = DeviceInProcess(flash=MemoryFlash(PAGES))
        board, session = await at_its_port(FaultyLink(device), keys)
        with pytest.raises(DeviceError, match="no key yet: `tinyol pair`"):
            await board.rotate_key()
        with pytest.raises(DeviceError, match="no key yet: `tinyol pair`"):
            await board.set_reading(open=False)
        key = await board.pair("pump")
        with pytest.raises(DeviceError, match="has a key already"):
            await board.pair("pump")
        await session.close()
        stranger, session = await at_its_port(FaultyLink(device), KeyStore(tmp_path / "other"))
        with pytest.raises(KeyNeededError):
            await session.request(Opcode.RESET)
        new = await stranger.rotate_key("pump")  # who can touch it may
        await session.request(Opcode.RESET)
        await session.close()
        assert new.id != key.id
        assert (await works(device, keys)) is False

    run(go())


def test_a_store_that_fills_up_is_told_with_the_remedy(
    keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> None:
        device = DeviceInProcess(flash=MemoryFlash(PAGES))
        board, session = await at_its_port(FaultyLink(device), keys)

        def full(key: DeviceKey) -> None:
            raise DeviceError("keys.json: cannot be written: No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(keys, "add", full)
            with pytest.raises(DeviceError, match=r"No space left.*`tinyol keys rotate`"):
                await board.pair("pump")
        key = await board.rotate_key("pump")
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert session.is_authenticated
        assert keys.find(key.id) == key
        await session.close()

    run(go())


def test_a_factory_reset_leaves_a_board_as_new(keys: KeyStore) -> None:
    async def go() -> None:
        device = DeviceInProcess(flash=MemoryFlash(PAGES))
        new = device.state()
        board, session = await at_its_port(FaultyLink(device), keys)
        key = await board.pair("pump")
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        await session.request(Opcode.SAVE)
        await board.factory_reset()
        assert keys.find(key.id) is None
        assert device.state() == new
        await session.request(Opcode.CLASS_ADD, requests.class_add("b"))  # as a new one: no key
        assert not session.is_authenticated
        await session.close()
        device.reboot()
        assert not await works(device, keys)
        again = DeviceInProcess(flash=device._flash)
        board, session = await at_its_port(FaultyLink(again), keys)
        assert not (await board.access()).paired
        await session.close()

    run(go())
