"""What connect() looks at, and what close() keeps of a simulated board."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from client_boards import connect_over, free, teach, watched
from small_replay import small_bundle

from tinyol_host.board import connect
from tinyol_host.connecting import warnings_about
from tinyol_host.errors import LinkError, RebootedError
from tinyol_host.kept_state import KeptState
from tinyol_host.protocol import Opcode
from tinyol_host.timing import Timing
from tinyol_sim.errors import DeviceError, StateImageError

ALONE = "sim:?state=none&source=none"
IMAGE_REQUESTS = (Opcode.IMAGE_GET, Opcode.IMAGE_READ)
PUT_REQUESTS = (Opcode.IMAGE_PUT, Opcode.IMAGE_WRITE, Opcode.IMAGE_COMMIT)


def small_uri(tmp_path: Path, options: str = "state=none&source=none") -> str:
    path = tmp_path / "small.tinyol"
    small_bundle().save(path)
    return f"sim:?model={path}&{options}"


def test_what_was_learned_is_there_again(tmp_path: Path) -> None:
    uri = small_uri(tmp_path, f"source=none&state={tmp_path / 'kept.state'}")

    async def main() -> None:
        async with await connect(uri) as board:
            await teach(board)
            state = await board.pull_state()
            with pytest.raises(DeviceError, match=r"another process|in use|running this board"):
                await connect(uri)
            async with await connect(uri, keep_state=False) as other:
                assert await other.classes() == []
        assert (tmp_path / "kept.state").read_bytes() == state
        async with await connect(uri) as board:
            assert await board.pull_state() == state
            await board.reset()
        async with await connect(uri) as board:
            assert await board.classes() == []

    asyncio.run(main())


def test_a_kept_state_that_is_damaged_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept.state"
    path.write_bytes(b"not a state image, but 40 bytes of others")
    uri = small_uri(tmp_path, f"source=none&state={path}")

    async def main() -> None:
        for _ in range(2):  # the lock is free again
            with pytest.raises(StateImageError, match=r"kept.state: .*refused.*state=none"):
                await connect(uri)

    asyncio.run(main())
    assert path.read_bytes().startswith(b"not a state image")


HASTY = Timing(
    reply_s=0.02, give_up_s=0.2, backoff_first_s=0.01, backoff_most_s=0.05, heartbeat_s=60.0
)


def test_closing_a_board_that_is_gone(tmp_path: Path) -> None:
    link = watched()
    kept = KeptState(tmp_path / "kept.state")

    async def main() -> None:
        board = await connect_over(link, kept=kept, timing=HASTY)
        await teach(board)
        image = await board.pull_state()
        await teach(board)

        async def use() -> None:
            async with board, board.stream(samples=True), board.feeding():
                link.vanish()

        with pytest.raises(DeviceError, match=r"learned last is lost.*has an earlier state"):
            await use()
        await board.close()  # once is enough
        assert kept.path.read_bytes() == image
        free(kept)

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 20  # three requests that end in vain, at 3 s at most


def test_a_close_that_is_cancelled_still_keeps_the_state(tmp_path: Path) -> None:
    kept = KeptState(tmp_path / "kept.state")
    link = watched()

    async def main() -> None:
        board = await connect_over(link, kept=kept)
        await teach(board)
        reads = link.opcodes().count(Opcode.IMAGE_GET)
        closing = asyncio.create_task(board.close())
        while link.opcodes().count(Opcode.IMAGE_GET) == reads:
            await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert kept.path.read_bytes() == link.device.state()
        assert not link.is_open
        free(kept)

    asyncio.run(main())


def test_a_restarted_board_does_not_overwrite_what_was_kept(tmp_path: Path) -> None:
    link = watched()
    kept = KeptState(tmp_path / "kept.state")

    async def main() -> None:
        async with await connect_over(link, kept=kept) as board:
            await teach(board)
        image = kept.path.read_bytes()
        assert image == link.device.state()
        link.device.reboot()

        async def use() -> None:
            async with await connect_over(link, kept=kept) as board:
                assert await board.classes() == ["a"]
                link.reboots_when_cut = True
                link.cut()
                with pytest.raises(RebootedError):
                    await board.ping()
                assert await board.classes() == []
                link.reboots_when_cut = False

        with pytest.raises(DeviceError, match=r"it has restarted.*has an earlier state"):
            await use()
        assert kept.path.read_bytes() == image

    asyncio.run(main())


def test_an_error_in_the_block_is_not_hidden(tmp_path: Path) -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(
            link, kept=KeptState(tmp_path / "kept.state"), timing=HASTY
        ) as board:
            link.vanish()
            await board.ping()

    with pytest.raises(LinkError, match="cable is gone"):
        asyncio.run(main())


ALONE = "sim:?state=none&source=none"


def test_warnings() -> None:
    async def main() -> tuple[Any, Any, Any]:
        async with await connect(ALONE) as board:
            return board.identity, await board.info(), board.bundle

    identity, info, bundle = asyncio.run(main())
    assert warnings_about(identity, info, bundle) == []
    assert warnings_about(identity, info, None) == []
    (told,) = warnings_about(identity, replace(info, self_test_ok=False), bundle)
    assert "self-test" in told
    (told,) = warnings_about(replace(identity, arithmetic_version=99), info, bundle)
    assert "version 99" in told
    assert "update this program" in told
    (told,) = warnings_about(replace(identity, state_format=0), info, bundle)
    assert "update the firmware" in told
    (told,) = warnings_about(identity, info, small_bundle())
    assert small_bundle().model_id in told
    assert identity.model_id in told


def test_warnings_reach_the_board() -> None:
    link = watched()

    async def main() -> None:
        link.device.bundle = small_bundle(seed=3)  # ... says the address; the device has another
        async with await connect_over(link) as board:
            (told,) = board.warnings
            assert link.device.bundle.model_id in told

    asyncio.run(main())
