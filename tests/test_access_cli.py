"""Pairing, keys and access at the command line, on a board behind a pseudo-terminal."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import Tinyol
from pty_board import PtyBoard
from small_replay import small_bundle

from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.key_store import KeyStore

NASTY = "pump\x1b[2J\u202e[red]"


@pytest.fixture
def tinyol(tmp_path, monkeypatch, capsys) -> Tinyol:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TINYOL_KEYS", str(tmp_path / "keys.json"))
    monkeypatch.setenv("COLUMNS", "140")
    return Tinyol(capsys)


@pytest.fixture
def board(monkeypatch) -> Iterator[PtyBoard]:
    """Plugged in; $TINYOL_DEVICE says where."""
    with PtyBoard(small_bundle()) as plugged_in:
        monkeypatch.setenv("TINYOL_DEVICE", f"serial:{plugged_in.path}")
        yield plugged_in


@pytest.fixture
def elsewhere(tinyol, monkeypatch, tmp_path):
    """Runs a command as at another computer, which has keys of its own."""

    def run(*words: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setenv("TINYOL_KEYS", str(tmp_path / "elsewhere.json"))
            return tinyol(*words)

    return run


def test_a_board_is_paired_once(tinyol, board, tmp_path) -> None:
    before = json.loads(tinyol.done("access", "--json"))
    assert (before["paired"], before["key_id"], before["pairings"]) == (False, None, 0)
    assert "`tinyol pair`" in tinyol.done("access")
    tinyol.done("name", "pump-3")
    out = tinyol.done("pair")
    (entry,) = KeyStore().entries()
    assert f"pump-3 is paired: key {entry.id}" in out
    assert f"kept in {tmp_path / 'keys.json'}, which only you can read" in out
    assert entry.name == "pump-3"
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    facts = json.loads(tinyol.done("access", "--json"))
    assert (facts["paired"], facts["authenticated"], facts["pairings"]) == (True, True, 1)
    assert facts["key_id"] == entry.id
    assert facts["random_numbers"] == "host"
    again = json.loads(tinyol.done("pair", "--json"))
    assert (again["new"], again["key_id"]) == (False, entry.id)
    assert "this computer has its key" in tinyol.done("pair")
    assert len(KeyStore().entries()) == 1
    tinyol.done("classes", "add", "a")
    assert json.loads(tinyol.done("classes", "--json"))[0]["name"] == "a"
    assert f"authenticated by the board's key, {entry.id}" in tinyol.done("info")


def test_another_computer_reads_and_teaches_once_it_has_the_key(tinyol, board, elsewhere) -> None:
    tinyol.done("pair")
    (entry,) = KeyStore().entries()
    status, out, err = elsewhere("info", "--json")
    assert (status, err) == (0, "")
    link = json.loads(out)["link"]
    assert (link["paired"], link["authenticated"], link["key_id"]) == (True, False, entry.id)
    assert "may read only" in elsewhere("info")[1]
    for words in (("classes", "add", "a"), ("set", "anomaly.threshold", "2"), ("state", "save")):
        status, out, err = elsewhere(*words)
        assert (status, out) == (1, "")
        assert f"does not have this board's key ({entry.id})" in err
        assert "tinyol keys import" in err
        assert "tinyol keys rotate" in err
        assert err.count("\n") == 1
    status, out, err = elsewhere("pair")
    assert (status, out) == (1, "")
    assert "has a key already" in err
    assert "3 requests without the key" in elsewhere("access")[1]

    status, out, err = tinyol("keys", "export", entry.id[:6], "pump.key")
    assert status == 0
    assert "delete it" in err
    assert stat.S_IMODE(Path("pump.key").stat().st_mode) == 0o600
    status, _, err = elsewhere("keys", "import", "pump.key")
    assert status == 0
    assert "delete pump.key" in err
    assert elsewhere("classes", "add", "a")[0] == 0
    assert json.loads(elsewhere("keys", "--json")[1])[0]["key_id"] == entry.id


def test_a_rotated_key_shuts_the_others_out(tinyol, board, elsewhere) -> None:
    tinyol.done("pair")
    (old,) = KeyStore().entries()
    status, _, err = tinyol("keys", "rotate")
    assert status == 2
    assert "--yes" in err
    status, out, err = elsewhere("keys", "rotate", "--yes", "--json")
    assert (status, err) == (0, "")
    new = json.loads(out)["key_id"]
    assert new != old.id
    assert elsewhere("classes", "add", "a")[0] == 0
    assert f"({new})" in tinyol.refused("classes", "add", "b")
    out = tinyol.done("keys", "rotate", "-y")
    assert [entry.id for entry in KeyStore().entries()] != [old.id]
    assert json.loads(tinyol.done("access", "--json"))["pairings"] == 3
    tinyol.done("classes", "add", "b")


def test_reading_is_closed_and_opened(tinyol, board) -> None:
    assert "has no key yet: `tinyol pair`" in tinyol.refused("access", "closed")
    tinyol.done("pair")
    assert json.loads(tinyol.done("access", "closed", "--json"))["reading_by_radio"] == "closed"
    assert "who has its key" in tinyol.done("access")
    assert json.loads(tinyol.done("access", "open", "--json"))["reading_by_radio"] == "open"
    assert tinyol("access", "ajar")[0] == 2


def test_a_board_as_from_the_factory(tinyol, board) -> None:
    tinyol.done("name", "pump-3")
    tinyol.done("pair")
    tinyol.done("classes", "add", "a")
    status, _, err = tinyol("reset", "--factory")
    assert status == 2
    assert "--yes" in err
    assert json.loads(tinyol.done("reset", "--factory", "-y", "--json"))["factory"]
    assert KeyStore().entries() == []
    assert json.loads(tinyol.done("name", "--json"))["name"] is None
    assert json.loads(tinyol.done("classes", "--json")) == []
    assert not json.loads(tinyol.done("access", "--json"))["paired"]
    assert "is paired: key" in tinyol.done("pair")


def test_a_board_that_ends_with_the_command_is_not_paired(tinyol) -> None:
    for words in (("pair",), ("keys", "rotate", "-y")):
        assert "emu:?flash=FILE" in tinyol.refused(*words, "-d", "sim:?source=none&state=none")
    assert KeyStore().entries() == []
    facts = json.loads(tinyol.done("access", "--json", "-d", "sim:?source=none&state=none"))
    assert (facts["paired"], facts["at_its_own_port"]) == (False, True)


def test_a_key_that_cannot_be_kept_is_not_made(tinyol, board, tmp_path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "keys.json").chmod(0o600)
    assert "is no file with TinyOL's keys" in tinyol.refused("pair")
    (tmp_path / "keys.json").unlink()
    assert not json.loads(tinyol.done("access", "--json"))["paired"]


def test_the_list_of_keys_obeys_no_name(tinyol) -> None:
    assert "no keys in" in tinyol.done("keys")
    assert json.loads(tinyol.done("keys", "--json")) == []
    key = DeviceKey(bytes(range(32)), NASTY, "2026-11-21T18:04:00Z")
    KeyStore().add(key)
    out = tinyol.done("keys")
    assert r"pump\x1b[2J\u202e[red]" in out
    assert key.id in out
    assert key.secret.hex() not in out
    (row,) = json.loads(tinyol.done("keys", "--json"))
    assert (row["name"], row["key_id"]) == (NASTY, key.id)
    assert "\x1b" not in tinyol.done("keys", "forget", NASTY, "-y")
    assert KeyStore().entries() == []


def test_keys_that_are_not_there(tinyol, tmp_path) -> None:
    assert "no key 'pump': this computer has none" in tinyol.refused("keys", "forget", "pump", "-y")
    assert "no key 'pump'" in tinyol.refused("keys", "export", "pump", "file")
    assert not (tmp_path / "file").exists()
    assert tinyol("keys", "import", "nowhere")[0] == 2
    (tmp_path / "noise").write_bytes(b"\x00\xff noise")
    assert "is no file with TinyOL's keys" in tinyol.refused("keys", "import", "noise")
    KeyStore().add(DeviceKey(bytes(range(32))))
    (tmp_path / "there").write_text("mine")
    prefix = KeyStore().entries()[0].id[:4]
    assert "is there already" in tinyol.refused("keys", "export", prefix, "there")
    assert (tmp_path / "there").read_text() == "mine"


def test_a_file_that_others_can_read_is_not_used(tinyol, board, tmp_path) -> None:
    tinyol.done("pair")
    (tmp_path / "keys.json").chmod(0o644)
    for words in (("info",), ("keys",), ("classes", "add", "a")):
        assert f"chmod 600 {tmp_path / 'keys.json'}" in tinyol.refused(*words)
