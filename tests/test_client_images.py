"""State images to and from a board, whatever the link does meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from client_boards import WatchedLink, connect_over, nth, teach, watched
from faulty_link import DeviceInProcess, Fault
from small_models import vibration
from small_replay import small_bundle

from tinyol_host.board import Effect
from tinyol_host.errors import LinkError
from tinyol_host.protocol import Opcode
from tinyol_sim.errors import StateImageError
from tinyol_sim.twin import Twin

ALONE = "sim:?state=none&source=none"
IMAGE_REQUESTS = (Opcode.IMAGE_GET, Opcode.IMAGE_READ)
PUT_REQUESTS = (Opcode.IMAGE_PUT, Opcode.IMAGE_WRITE, Opcode.IMAGE_COMMIT)


@pytest.mark.parametrize("max_message", [512, 136])
def test_images_and_samples_fit_the_link(max_message: int) -> None:
    link = WatchedLink(DeviceInProcess(max_message=max_message), max_message=max_message)
    link.is_reliable = True  # so that it begins with all that fits
    twin = Twin(link.device.bundle)

    async def main() -> None:
        async with await connect_over(link) as board:
            seen: list[tuple[int, int]] = []
            async with board.feeding() as feeding:
                await feeding.feed(vibration(100))
            image = await board.pull_state(lambda done, total: seen.append((done, total)))
            assert image == link.device.state()
            assert seen[-1] == (len(image), len(image))
            assert [done for done, _ in seen] == sorted({done for done, _ in seen})
            await board.reset()
            seen.clear()
            effect = await board.push_state(image, lambda done, total: seen.append((done, total)))
            assert effect == Effect(100)
            assert seen[-1] == (len(image), len(image))
            assert link.device.state() == image

    asyncio.run(main())
    twin.gap()
    twin.feed(vibration(100))
    twin.gap()
    assert link.device.state() == twin.state
    largest = max(len(message.to_bytes()) for message in link.sent)
    assert max_message - 12 - 8 < largest <= max_message


def test_an_image_that_is_not_right_changes_nothing() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:
            await teach(board)
            good = await board.pull_state()
            bad = bytearray(good)
            bad[len(bad) // 2] ^= 1
            with pytest.raises(StateImageError, match=r"refused: .*checksum does not match"):
                await board.push_state(bytes(bad))
            with pytest.raises(StateImageError, match="belongs to another model"):
                await board.push_state(Twin(small_bundle(seed=5)).state)
            with pytest.raises(
                StateImageError, match=f"has 999999 bytes; .* {board.identity.max_image_bytes}$"
            ):
                await board.push_state(bytes(999_999))
            with pytest.raises(StateImageError, match="refused"):
                await board.push_state(b"")
            assert await board.pull_state() == good

    asyncio.run(main())


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.CUT_BEFORE, Fault.CUT_AFTER])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("notices", [False, True])
def test_an_interrupted_transfer_ends_well(fault: Fault, number: int, notices: bool) -> None:
    link = WatchedLink(DeviceInProcess(), device_notices=notices)

    async def main() -> None:
        async with await connect_over(link) as board:
            await teach(board)
            link.fault_of = nth(number, IMAGE_REQUESTS, fault)
            image = await board.pull_state()
            assert image == link.device.state()
            await board.reset()
            link.fault_of = nth(number, PUT_REQUESTS, fault)
            await board.push_state(image)
            assert link.device.state() == image

    asyncio.run(main())
    if not notices or fault is Fault.LOSE:  # it went on where it was
        reads = link.payloads(Opcode.IMAGE_READ)
        assert len(set(reads)) == len(reads) - (number != 1)
        assert len(link.payloads(Opcode.IMAGE_GET)) == 1 + (number == 1)


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.CUT_BEFORE, Fault.CUT_AFTER])
@pytest.mark.parametrize("number", range(1, 13))
@pytest.mark.parametrize("notices", [False, True])
def test_requests_ahead_of_their_replies_end_well_too(
    fault: Fault, number: int, notices: bool
) -> None:
    link = WatchedLink(DeviceInProcess(max_message=136), max_message=136, device_notices=notices)
    link.is_reliable = True  # until it is cut; what is lost here stands for what the cut took

    async def main() -> None:
        async with await connect_over(link) as board:
            await teach(board)
            link.fault_of = nth(number, IMAGE_REQUESTS, fault)
            image = await board.pull_state()
            assert image == link.device.state()
            await board.reset()
            link.fault_of = nth(number, PUT_REQUESTS, fault)
            await board.push_state(image)
            assert link.device.state() == image

    asyncio.run(main())


def test_a_transfer_that_is_dropped_again_and_again_gives_up() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:
            link.fault_of = lambda request: (
                Fault.CUT_BEFORE
                if request.opcode == Opcode.IMAGE_READ and link.sent[-2].opcode == Opcode.IMAGE_GET
                else Fault.NONE
            )
            with pytest.raises(LinkError, match="did not arrive whole in 5 attempts"):
                await board.pull_state()

    asyncio.run(main())


def test_two_transfers_at_once_take_turns() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:
            await teach(board)
            image = await board.pull_state()
            pulled, again, _ = await asyncio.gather(
                board.pull_state(), board.pull_state(), board.push_state(image)
            )
            assert pulled == again == image == link.device.state()

    asyncio.run(main())
