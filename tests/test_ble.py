"""A board in radio range, through unmodified bleak: found, connected, described, and left again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ble_cases import (
    BATTERY_SERVICE,
    Peripheral,
    PrivateBus,
    Radio,
    own_bus,
    put_stranger,
    until,
    virtual_radio,
)
from small_models import vibration
from small_replay import small_bundle

import tinyol_host.transports.ble_radio
from tinyol_host import gatt
from tinyol_host.board import connect
from tinyol_host.errors import LinkError
from tinyol_host.events import Prediction
from tinyol_host.replies import Identity
from tinyol_host.scan import Found, scan
from tinyol_host.timing import Timing
from tinyol_host.transports.ble import BleTransport
from tinyol_host.transports.ble_radio import BoardInRange, boards_in_range
from tinyol_host.uri import parse_uri
from tinyol_sim.twin import Twin

MODEL = small_bundle().model_image
SCAN_S = 0.3  # a board here advertises every 20 ms
PATIENT = Timing(reply_s=5.0, heartbeat_s=60.0)


@pytest.fixture(autouse=True)
def _short_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tinyol_host.transports.ble_radio, "NEARBY_S", SCAN_S)


@pytest.fixture
def radio() -> Iterator[Radio]:
    """Nothing is in its range yet."""
    with virtual_radio() as radio, own_bus(radio.bus_address):
        yield radio


@pytest.fixture
def bench(radio: Radio) -> Peripheral:
    """A board in range."""
    return radio.add("bench", MODEL)


def refusal(target: str = "") -> str:
    """Why there is no way to a board; in one line for a person."""
    with pytest.raises(LinkError) as refused:
        asyncio.run(BleTransport(target, scan_s=SCAN_S).open())
    message = str(refused.value)
    assert "\n" not in message
    return message


def advertises(board: Peripheral) -> bool:
    return bool(board.device.is_advertising)


# --- which board -----------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["ble:bench", "ble:C0:00:00:00:01:00", "ble:c0:00:00:00:01:00"])
def test_by_name_and_by_address(bench: Peripheral, uri: str) -> None:
    async def main() -> tuple[str, Identity]:
        async with await connect(uri) as board:
            return str(board.uri), board.identity

    used, identity = asyncio.run(main())
    assert used == uri
    assert (identity.board, identity.model_id) == ("sim", small_bundle().model_id)


def test_without_a_target_where_there_is_only_one(bench: Peripheral, radio: Radio) -> None:
    async def main() -> None:
        async with await connect("ble:") as board:
            await board.add_class("a")

    asyncio.run(main())
    assert radio.run(bench.state) != Twin(small_bundle()).state


def test_without_a_target_where_there_are_two(bench: Peripheral, radio: Radio) -> None:
    radio.add("pump", MODEL)
    message = refusal()
    assert "2 boards are in range" in message
    assert "ble:bench" in message
    assert "ble:pump" in message


def test_nobody_is_there(radio: Radio) -> None:
    assert "no TinyOL board is advertising" in refusal()
    assert "no board 'bench' is advertising" in refusal("bench")


def test_another_name_than_those_in_range(bench: Peripheral) -> None:
    message = refusal("bensh")
    assert "no board 'bensh'" in message
    assert "there is ble:bench" in message


def test_what_advertises_something_else_is_not_looked_at(radio: Radio) -> None:
    put_stranger(radio, "lamp", advertised=BATTERY_SERVICE)

    async def heard() -> list[BoardInRange]:
        return await boards_in_range(SCAN_S)

    radio.add("bench", MODEL)
    assert [board.name for board in asyncio.run(heard())] == ["bench"]


def test_the_name_comes_in_the_scan_response_alone(bench: Peripheral, radio: Radio) -> None:
    data = bytes(bench.device.advertising_data)
    assert b"bench" not in data
    assert bytes.fromhex(gatt.SERVICE.replace("-", ""))[::-1] in data
    radio.run(radio.air.scan_responses.clear)  # nobody answers the scan request
    assert "no board 'bench'" in refusal("bench")
    (board,) = asyncio.run(boards_in_range(SCAN_S))
    assert board.address == bench.address
    assert asyncio.run(_name_of(bench.address)) == "sim"  # the address will do
    assert asyncio.run(_name_of("")) == "sim"


async def _name_of(target: str) -> str:
    async with await connect(f"ble:{target}") as board:
        return board.identity.board


@pytest.mark.parametrize("name", ["pump 3", "50% off?", "Bàn ủi", "a&b=c", "ble:x"])
def test_what_scan_says_is_what_connect_takes(radio: Radio, name: str) -> None:
    radio.add(name, MODEL)

    async def main() -> str:
        (board,) = await boards_in_range(SCAN_S)
        assert board.name == name
        assert parse_uri(board.uri).target == name
        async with await connect(board.uri) as found:
            return found.identity.board

    assert asyncio.run(main()) == "sim"


# --- what is in the way ----------------------------------------------------------------------


def found_by_scan() -> Found:
    (found,) = [found for found in asyncio.run(scan()) if found.kind == "ble"]
    return found


@pytest.fixture
def quick_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `tinyol scan`, but for a shorter time."""
    monkeypatch.setattr("tinyol_host.scan.boards_in_range", lambda: boards_in_range(SCAN_S))
    monkeypatch.setattr("tinyol_host.scan.list_ports", list)


@pytest.mark.usefixtures("quick_scan")
def test_scan_lists_what_is_in_range(radio: Radio) -> None:
    nobody = found_by_scan()
    assert (nobody.uri, nobody.ready) == ("ble:", False)
    assert "no board" in nobody.what
    radio.add("bench", MODEL)
    found = found_by_scan()
    assert (found.uri, found.ready) == ("ble:bench", True)
    assert "C0:00:00:00:01:00" in found.what


@pytest.mark.usefixtures("quick_scan")
def test_a_computer_without_bluetooth() -> None:
    with virtual_radio(with_adapter=False) as radio, own_bus(radio.bus_address):
        assert "no Bluetooth adapter" in refusal("bench")
        assert "no Bluetooth adapter" in refusal()
        found = found_by_scan()
    assert not found.ready
    assert "no Bluetooth adapter" in found.what


@pytest.mark.usefixtures("quick_scan")
def test_bluetooth_that_is_switched_off(radio: Radio, bench: Peripheral) -> None:
    radio.power(False)
    assert "switched off" in refusal("bench")
    assert "switched off" in found_by_scan().what
    radio.power(True)
    assert asyncio.run(_name_of("bench")) == "sim"


@pytest.mark.usefixtures("quick_scan")
def test_a_computer_whose_bluetooth_service_does_not_run(tmp_path: Path) -> None:
    bus = PrivateBus(tmp_path)
    try:
        with own_bus(bus.address):
            assert "the Bluetooth service does not run" in refusal("bench")
            assert "the Bluetooth service does not run" in found_by_scan().what
    finally:
        bus.stop()


@pytest.mark.usefixtures("quick_scan")
def test_a_computer_without_a_message_bus(tmp_path: Path) -> None:
    with own_bus(f"unix:path={tmp_path}/none"):
        assert "D-Bus" in refusal("bench")
        assert "D-Bus" in refusal()
        assert "D-Bus" in found_by_scan().what


@pytest.mark.parametrize("has", [[], [gatt.CONTROL], [gatt.CONTROL, gatt.EVENTS]])
def test_a_device_that_is_no_tinyol_board(radio: Radio, has: list[str]) -> None:
    put_stranger(radio, "bench", *has)
    message = refusal("bench")
    assert "no TinyOL board" in message
    assert gatt.BULK in message
    until(lambda: not radio._central.connections)  # it was let go


def test_a_device_that_does_not_have_the_service_it_advertises(radio: Radio) -> None:
    put_stranger(radio, "bench", gatt.CONTROL, service=BATTERY_SERVICE)
    with pytest.raises(LinkError, match="no TinyOL board"):
        asyncio.run(BleTransport("bench", scan_s=5.0).open())


ANOTHER_HOST = """
import asyncio, sys
from tinyol_host.errors import LinkError
from tinyol_host.transports.ble import BleTransport

for target in ("bench", ""):
    try:
        asyncio.run(BleTransport(target, scan_s=0.3).open())
    except LinkError as error:
        print(error)
    else:
        sys.exit("connected")
"""


def test_a_board_that_is_connected_is_refused_to_another_host(
    radio: Radio, bench: Peripheral
) -> None:
    async def main() -> None:
        async with await connect("ble:bench", timing=PATIENT) as board:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", ANOTHER_HOST, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            out, err = await asyncio.wait_for(process.communicate(), 20.0)
            assert (process.returncode, err) == (0, b"")
            by_name, alone = out.decode().splitlines()
            assert "no board 'bench' is advertising" in by_name
            assert "no TinyOL board is advertising" in alone
            for line in (by_name, alone):
                assert "another program or computer is connected" in line
            await board.add_class("a")  # nor was this one disturbed
            assert board.health.reconnects == board.health.repeats == 0

    asyncio.run(main())


# --- what it looks like ----------------------------------------------------------------------


def test_a_generic_app_reads_what_the_values_are(bench: Peripheral) -> None:
    import bleak

    async def main() -> None:
        (found,) = await boards_in_range(SCAN_S)
        async with bleak.BleakClient(found.device) as client:
            service = client.services.get_service(gatt.SERVICE)
            assert service is not None
            described = {}
            for value in service.characteristics:
                (descriptor,) = [d for d in value.descriptors if d.uuid.startswith("00002901")]
                text = bytes(await client.read_gatt_descriptor(descriptor.handle))
                described[value.uuid] = (text.decode(), sorted(value.properties))
            info = Identity.from_bytes(bytes(await client.read_gatt_char(gatt.INFO)))
        names = {uuid: text.split(":")[0] for uuid, (text, _) in described.items()}
        assert names == {
            gatt.CONTROL: "TinyOL control",
            gatt.EVENTS: "TinyOL events",
            gatt.BULK: "TinyOL bulk",
            gatt.INFO: "TinyOL",
        }
        assert {uuid: can for uuid, (_, can) in described.items()} == {
            gatt.CONTROL: ["notify", "write"],
            gatt.EVENTS: ["notify"],
            gatt.BULK: ["notify", "write-without-response"],
            gatt.INFO: ["read"],
        }
        assert (info.board, info.model_id) == ("sim", small_bundle().model_id)

    asyncio.run(main())


# --- to and fro ------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_mtu", "longest"), [(23, 244), (100, 244), (247, 244), (185, 182)])
def test_the_same_at_any_mtu(radio: Radio, max_mtu: int, longest: int) -> None:
    peripheral = radio.add("bench", MODEL, max_mtu=max_mtu)
    twin, x = Twin(small_bundle()), vibration(200)

    async def main() -> None:
        async with await connect("ble:bench", timing=PATIENT) as board:
            assert board.identity.max_message == longest
            for name in ("a", "name of 15 byte", "c"):
                await board.add_class(name)
                twin.add_class(name)
            assert await board.classes() == ["a", "name of 15 byte", "c"]
            async with board.stream(predictions=True) as events:
                await board.label("a")
                radio.run(lambda: peripheral.sense(x))
                twin.label("a")
                windows = twin.feed(x)
                for error in windows.error:
                    event = await asyncio.wait_for(anext(events), 10.0)
                    assert isinstance(event, Prediction)
                    assert event.error == error
            image = await board.pull_state()
            assert image == twin.state
            await board.reset()
            await board.push_state(image)
            assert board.health.repeats == board.health.bad_frames == board.health.stray == 0

    asyncio.run(main())
    assert radio.run(peripheral.state) == twin.state
    assert 0 < radio.air.longest_value <= max_mtu - 3


def test_two_boards_at_once(radio: Radio) -> None:
    names = ("bench", "pump")
    peripherals = [radio.add(name, MODEL) for name in names]

    async def teach(name: str, together: asyncio.Event) -> bytes:
        async with await connect(f"ble:{name}", timing=PATIENT) as board:
            await board.add_class(name)
            await together.wait()
            for i in range(3):
                await board.add_class(f"{name} {i}")
            return await board.pull_state()

    async def main() -> list[bytes]:
        together = asyncio.Event()
        tasks = [asyncio.create_task(teach(name, together)) for name in names]
        await asyncio.to_thread(until, lambda: all(p.device.connections for p in peripherals))
        together.set()
        return await asyncio.gather(*tasks)

    images = asyncio.run(main())
    for name, image, peripheral in zip(names, images, peripherals, strict=True):
        twin = Twin(small_bundle())
        for told in (name, *(f"{name} {i}" for i in range(3))):
            twin.add_class(told)
        assert image == twin.state == radio.run(peripheral.state)


def test_a_closed_board_is_free_again(bench: Peripheral) -> None:
    async def main() -> None:
        for i in range(3):
            board = await connect("ble:bench", timing=PATIENT)
            assert not advertises(bench)
            assert await board.classes() == [f"class {k}" for k in range(i)]
            await board.add_class(f"class {i}")
            await board.close()
            await asyncio.to_thread(until, lambda: advertises(bench))

    asyncio.run(main())


def test_a_program_that_is_cancelled_frees_it_too(bench: Peripheral) -> None:
    async def main() -> None:
        async with await connect("ble:bench", timing=PATIENT) as board:
            await board.add_class("a")
            await asyncio.sleep(60.0)

    async def cancelled() -> None:
        task = asyncio.create_task(main())
        await asyncio.to_thread(until, lambda: bool(bench.device.connections))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    until(lambda: advertises(bench))
    assert asyncio.run(_name_of("bench")) == "sim"


def test_a_transport_is_opened_and_closed_many_times(bench: Peripheral) -> None:
    async def main() -> None:
        transport = BleTransport("bench", scan_s=5.0)
        await transport.close()
        with pytest.raises(LinkError, match="not connected"):
            await transport.send(b"\1")
        for _ in range(3):
            await transport.open()
            waiting = asyncio.create_task(transport.receive())
            await transport.close()
            await transport.close()
            with pytest.raises(LinkError, match="down"):
                await waiting
            with pytest.raises(LinkError):
                await transport.send_ahead(b"\1")

    asyncio.run(main())
    until(lambda: advertises(bench))


def test_a_board_that_goes_out_of_range_is_found_when_it_is_back(
    radio: Radio, bench: Peripheral
) -> None:
    async def main() -> None:
        async with await connect("ble:bench", timing=PATIENT) as board:
            await board.add_class("a")
            await asyncio.to_thread(radio.cut, "bench")
            assert await board.classes() == ["a"]
            assert board.health.reconnects == 1

    asyncio.run(main())
