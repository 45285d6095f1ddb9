"""The board as a program sees it: over sim:, and over the emulated board."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from emulator_cases import int8_bundle, needs_compiler, unicorn
from small_models import vibration
from small_replay import small_bundle

from tinyol_host.board import Board, Effect, connect
from tinyol_host.events import Prediction
from tinyol_host.names import read_classes
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Reply
from tinyol_host.session import Session
from tinyol_sim.commands import AddClass, FineTune, Gap, Label, Reset, SetSetting
from tinyol_sim.errors import DeviceError, StateImageError
from tinyol_sim.settings import SETTINGS
from tinyol_sim.twin import Twin

ALONE = "sim:?state=none&source=none"
IMAGE_REQUESTS = (Opcode.IMAGE_GET, Opcode.IMAGE_READ)
PUT_REQUESTS = (Opcode.IMAGE_PUT, Opcode.IMAGE_WRITE, Opcode.IMAGE_COMMIT)


def small_uri(tmp_path: Path, options: str = "state=none&source=none") -> str:
    path = tmp_path / "small.tinyol"
    small_bundle().save(path)
    return f"sim:?model={path}&{options}"


def test_the_readme_example(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        from tinyol_host import connect

        async with await connect("sim:?state=none&speed=100") as board:
            await board.add_class("normal")
            await board.label("normal", windows=5)
            async with board.stream(predictions=True) as events:
                async for event in events:
                    if isinstance(event, Prediction) and event.learned:
                        print(event.window_index, event.error)
                        break

    asyncio.run(main())
    assert capsys.readouterr().out


def test_importing_the_client_is_cheap_until_it_is_used() -> None:
    program = (
        "import sys, tinyol_host, tinyol_host.cli; assert 'numpy' not in sys.modules;"
        "from tinyol_host import Board, connect; assert 'numpy' in sys.modules;"
        "assert Board.__module__ == 'tinyol_host.board';"
        "assert not hasattr(tinyol_host, 'no_such_thing')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_method(tmp_path: Path) -> None:
    samples = vibration(200)
    bundle = small_bundle()
    twin = Twin(bundle)

    async def main() -> None:
        async with await connect(small_uri(tmp_path)) as board:
            assert board.uri.scheme == "sim"
            assert board.warnings == []
            assert board.ends_with_link
            assert board.bundle is not None
            assert board.bundle.model_id == board.identity.model_id == bundle.model_id
            await board.ping()
            assert (await board.self_test()).passed
            assert await board.add_class("a") == Effect(0, 0) == Effect(0, twin.add_class("a"))
            assert await board.add_class("größer") == Effect(0, 1)
            assert await board.rename_class("größer", "b") == Effect(0)
            twin.add_class("b")
            assert await board.set("classifier.learning_rate", 0.07) == Effect(0)
            twin.set("classifier.learning_rate", 0.07)
            assert await board.settings() == twin.settings()
            await board.fine_tune(7)
            twin.fine_tune(7)
            twin.gap()
            async with board.feeding() as feeding:
                info = await board.info()
                assert (info.feeding, info.fine_tune_left, info.label) == (True, 7, None)
                assert await feeding.feed(samples) == len(twin.feed(samples))
                assert await board.label("a", 3) == Effect(200)
                twin.label("a", 3)
                assert (await board.info()).label_left == 3
                assert await feeding.feed(samples, gap=True) == len(twin.feed(samples, gaps=[0]))
                assert await board.execute(Gap()) == Effect(400)
                twin.gap()
            twin.gap()
            assert await board.label_back("b", 5) == Effect(400, twin.label_back("b", 5))
            metrics, expected = await board.metrics(), twin.metrics()
            assert metrics.at == 400
            assert (metrics.labelled, metrics.accuracy) == (expected.labelled, expected.accuracy)
            assert metrics.f1 == expected.f1
            assert metrics.error_quantiles == expected.error_quantiles
            assert await board.remove_class("a") == Effect(400)
            twin.remove_class("a")
            assert await board.classes() == twin.classes == ["b"]
            info, counters = await board.info(), twin.counters()
            assert not info.feeding
            assert info.classifier.applied == counters["classifier_steps"] > 0
            assert info.reconstruction.applied == counters["reconstruction_steps"] > 0
            assert (info.windows, info.gaps) == (counters["windows"], counters["gaps"])
            assert await board.pull_state() == twin.state
            await board.label("b")
            assert await board.label(None) == Effect(400)
            assert (await board.info()).label is None
            await board.fine_tune(None)
            assert (await board.info()).fine_tune_left is None
            assert (await board.reset()).at == 0
            twin.reset()
            assert await board.pull_state() == twin.state
            assert board.health.requests > 20

    asyncio.run(main())


REFUSALS: dict[str, Callable[[Any], Any]] = {
    "no such class": lambda d: d.label("c"),
    "none to remove": lambda d: d.remove_class("c"),
    "none to rename": lambda d: d.rename_class("c", "d"),
    "late label of none": lambda d: d.label_back("c", 3),
    "there already": lambda d: d.add_class("b"),
    "renamed to another": lambda d: d.rename_class("a", "b"),
    "empty name": lambda d: d.add_class(""),
    "long name": lambda d: d.rename_class("a", "sixteen bytes..."),
    "endless name": lambda d: d.add_class("x" * 300),
    "no such setting": lambda d: d.set("no.such", 1.0),
    "out of range": lambda d: d.set("classifier.learning_rate", -1.0),
    "not whole": lambda d: d.set("classifier.schedule", 0.5),
    "not a number": lambda d: d.set("classifier.learning_rate", float("nan")),
    "beyond float32": lambda d: d.set("classifier.learning_rate", 1e300),
    "too few windows": lambda d: d.label_back("a", 0),
    "too many windows": lambda d: d.label_back("a", 65536),
    "negative label": lambda d: d.label("a", -1),
    "negative steps": lambda d: d.fine_tune(-1),
    "no image": lambda d: d.push_state(b"x") if isinstance(d, Board) else push(d, b"x"),
}


def push(twin: Twin, image: bytes) -> None:
    twin.state = image


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_is_worded_as_the_twins(what: str) -> None:
    act = REFUSALS[what]

    async def main() -> tuple[str, bytes]:
        async with await connect(ALONE) as board:
            await board.add_class("a")
            await board.add_class("b")
            with pytest.raises((DeviceError, StateImageError)) as refused:
                await act(board)
            return str(refused.value), await board.pull_state()

    said, state = asyncio.run(main())
    twin = Twin(asyncio.run(model_of(ALONE)))
    twin.add_class("a")
    twin.add_class("b")
    with pytest.raises((DeviceError, StateImageError)) as refused:
        act(twin)
    if what == "no image":  # a transfer is cut short before an import would be
        assert said.startswith("the state image is refused: ")
    else:
        assert said == str(refused.value)
    assert state == twin.state


async def model_of(uri: str) -> Any:
    async with await connect(uri) as board:
        return board.bundle


def test_all_classes_are_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with await connect(small_uri(tmp_path)) as board:
            for i in range(board.identity.max_classes):
                await board.add_class(str(i))
            with pytest.raises(DeviceError, match=r"^class 'z' refused: all 4 classes of this"):
                await board.add_class("z")
            await board.reset()
            with pytest.raises(DeviceError, match=r"^no class '0'; known: none yet$"):
                await board.label("0")

    asyncio.run(main())


def test_commands_are_executed() -> None:
    async def main() -> None:
        async with await connect(ALONE) as board:
            assert await board.execute(AddClass("a")) == Effect(0, 0)
            await board.execute(Label("a", 5))
            await board.execute(FineTune(None))
            await board.execute(SetSetting("anomaly.threshold", 3.0))
            info = await board.info()
            assert (info.label, info.label_left, info.fine_tune_left) == (0, 5, None)
            assert (await board.settings())["anomaly.threshold"] == 3.0
            with pytest.raises(DeviceError, match="within feeding"):
                await board.execute(Gap())
            await board.execute(Reset())
            assert await board.classes() == []

    asyncio.run(main())


def test_classes_that_change_between_two_pages_are_read_anew() -> None:
    pages = iter([(3, ["a", "b"]), (2, []), (2, ["b"]), (2, ["c"])])
    asked: list[bytes] = []

    class Pages:
        async def request(self, opcode: Opcode, payload: bytes) -> Reply:
            asked.append(payload)
            total, names = next(pages)
            raw = b"".join(name.encode().ljust(16, b"\0") for name in names)
            return Reply(0, struct.pack("<HH", total, len(names)) + raw)

    assert asyncio.run(read_classes(cast(Session, Pages()))) == ["b", "c"]
    assert asked == [b"\0\0", b"\2\0", b"\0\0", b"\1\0"]


def test_settings_that_this_host_does_not_know_keep_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, info = list(SETTINGS.items())[-1]

    async def main() -> None:
        async with await connect(ALONE) as board:
            before = await board.settings()
            monkeypatch.delitem(SETTINGS, name)
            values = await board.settings()
            assert values[str(info.id)] == before[name]
            assert name not in values

    asyncio.run(main())


def test_lookups_of_one_name_do_not_mix_with_changes_of_another() -> None:
    async def main() -> None:
        async with await connect(ALONE) as board:
            for name in "abc":
                await board.add_class(name)
            await asyncio.gather(board.remove_class("a"), board.label("c"))
            info = await board.info()
            assert (await board.classes())[info.label or 0] == "c"

    asyncio.run(main())


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_the_emulated_board_end_to_end(machine: str, tmp_path: Path) -> None:
    bundle = int8_bundle()
    bundle.save(tmp_path / "model.tinyol")
    uri = f"emu:?model={tmp_path / 'model.tinyol'}&source=none&machine={machine}"
    twin = Twin(bundle)
    samples = vibration(400)

    async def main() -> None:
        async with await connect(f"{uri}&state={tmp_path / 'kept.state'}") as board:
            assert board.warnings == []
            await board.add_class("a")
            await board.label("a", 30)
            await board.fine_tune(20)
            async with board.stream(predictions=True) as events, board.feeding() as feeding:
                completed = await feeding.feed(samples)
                heard = [await anext(events) for _ in range(completed)]
            twin.add_class("a")
            twin.label("a", 30)
            twin.fine_tune(20)
            twin.gap()
            windows = twin.feed(samples)
            twin.gap()
            assert all(isinstance(event, Prediction) for event in heard)
            told = [event.error for event in heard if isinstance(event, Prediction)]
            assert np.array_equal(np.array(told, np.float32), windows.error)
            assert await board.pull_state() == twin.state
        async with await connect(f"{uri}&state={tmp_path / 'kept.state'}") as board:
            assert await board.pull_state() == twin.state

    asyncio.run(main())
