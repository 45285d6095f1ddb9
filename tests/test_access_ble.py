"""Who may teach over the radio: without the key nobody, and not for long by mistake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ble_cases import Radio, own_bus, until, virtual_radio
from cli_runner import Tinyol
from small_models import vibration
from small_replay import small_bundle

from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.key_store import KeyStore
from tinyol_host.board import connect
from tinyol_host.errors import NOT_PHYSICAL, KeyNeededError
from tinyol_host.events import Prediction
from tinyol_sim.errors import DeviceError

MODEL = small_bundle().model_image


@pytest.fixture(scope="module")
def radio() -> Iterator[Radio]:
    with virtual_radio() as radio:
        radio.add("pump", MODEL)
        radio.add("new", MODEL, is_paired=False)
        yield radio


@pytest.fixture
def tinyol(radio, monkeypatch, tmp_path, capsys) -> Iterator[Tinyol]:
    """The command line in range of `pump`, which is paired, and `new`, which is not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with own_bus(radio.bus_address):
        yield Tinyol(capsys)
    for board in radio.boards.values():
        until(lambda board=board: bool(board.device.is_advertising))


@pytest.fixture
def without_keys(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("TINYOL_KEYS", str(tmp_path / "none.json"))
    return tmp_path / "none.json"


def image(radio: Radio, name: str) -> bytes:
    return radio.run(radio.boards[name].state)


def test_with_the_key_the_radio_teaches_as_a_cable_does(tinyol, radio) -> None:
    tinyol.done("classes", "add", "a", "-d", "ble:pump")
    facts = json.loads(tinyol.done("access", "--json", "-d", "ble:pump"))
    assert (facts["authenticated"], facts["at_its_own_port"]) == (True, False)
    expected = KeyStore().expected("ble:pump")
    assert expected is not None
    assert expected.id == facts["key_id"]
    tinyol.done("classes", "remove", "a", "-y", "-d", "ble:pump")


@pytest.mark.usefixtures("without_keys")
def test_without_the_key_the_radio_reads_and_no_more(tinyol, radio) -> None:
    before = image(radio, "pump")
    link = json.loads(tinyol.done("info", "--json", "-d", "ble:pump"))["link"]
    assert (link["paired"], link["authenticated"]) == (True, False)
    err = tinyol.refused("classes", "add", "a", "-d", "ble:pump")
    assert f"does not have this board's key ({link['key_id']})" in err
    assert "tinyol keys import" in err
    assert image(radio, "pump") == before

    async def watch() -> int:
        async with await connect("ble:pump") as board:
            async with board.stream(predictions=True) as events:
                radio.run(lambda: radio.boards["pump"].sense(vibration(200)))
                seen = 0
                async for event in events:
                    seen += isinstance(event, Prediction)
                    if seen == 3:
                        break
            for forbidden in (board.save(), board.reset(), board.set_name("x"), board.self_test()):
                with pytest.raises(KeyNeededError):
                    await forbidden
            with pytest.raises(KeyNeededError, match="not over the radio") as caught:
                await board.rotate_key()
            assert caught.value.status == NOT_PHYSICAL
        return seen

    assert asyncio.run(asyncio.wait_for(watch(), 20)) == 3


def test_a_board_that_was_never_paired_is_read_alone(tinyol, radio) -> None:
    before = image(radio, "new")
    tinyol.done("info", "-d", "ble:new")
    assert "never paired" in tinyol.refused("classes", "add", "a", "-d", "ble:new")
    assert "not over the radio" in tinyol.refused("pair", "-d", "ble:new")
    assert "not over the radio" in tinyol.refused("reset", "--factory", "-y", "-d", "ble:new")
    assert image(radio, "new") == before


def test_one_that_takes_the_place_of_a_known_board_is_told(tinyol, without_keys) -> None:
    """A board of that name without a key: what it says may be read, and is not to be believed."""
    key = DeviceKey(bytes(range(32)), "new")
    KeyStore().add(key)
    status, _, err = tinyol("info", "-d", "ble:new")
    assert status == 0
    assert err.startswith("warning: ble:new may be another board than the one that was paired")
    assert key.id in err
    assert "has no key" in err
    KeyStore().add(DeviceKey(bytes(range(32)), "pump"))
    err = tinyol("info", "-d", "ble:pump")[2]
    assert "has another key" in err


def test_keys_that_can_only_be_read_open_a_board(tinyol, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise DeviceError("keys.json: cannot be written")

    monkeypatch.setattr(KeyStore, "met", refuse)
    status, out, err = tinyol("info", "--json", "-d", "ble:pump")
    assert status == 0
    assert json.loads(out)["link"]["authenticated"]
    assert "is not remembered: keys.json: cannot be written" in err


def test_reading_can_be_closed_over_the_radio(tinyol, radio, monkeypatch, tmp_path) -> None:
    tinyol.done("access", "closed", "-d", "ble:pump")
    try:
        tinyol.done("info", "-d", "ble:pump")
        monkeypatch.setenv("TINYOL_KEYS", str(tmp_path / "none.json"))
        err = tinyol.refused("info", "-d", "ble:pump")
        assert "tells only those who have its key" in err
    finally:
        monkeypatch.undo()
        with own_bus(radio.bus_address):
            tinyol.done("access", "open", "-d", "ble:pump")
