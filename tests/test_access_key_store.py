"""Where this computer keeps boards' keys: who can read them, and what is derived from them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
import threading
import types
from pathlib import Path

import pytest
import session_by_hand
from hypothesis import given
from hypothesis import strategies as st

from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.key_file import KeyEntry, encode_keys, read_keys, write_new
from tinyol_host.access.key_store import KeyStore, default_path
from tinyol_host.access.keyring_backend import find_keyring
from tinyol_host.access.session_seal import SessionSeal, unwrapped
from tinyol_host.protocol import Kind, Message
from tinyol_sim.errors import DeviceError

KEY = DeviceKey(bytes(range(32)), "pump-3", "2026-11-21T18:04:00Z")
OTHER = DeviceKey(bytes(range(1, 33)), "fan", "2026-11-22T08:00:00Z")
bytes32 = st.binary(min_size=32, max_size=32)
bytes16 = st.binary(min_size=16, max_size=16)
bytes8 = st.binary(min_size=8, max_size=8)


@pytest.fixture
def store(tmp_path) -> KeyStore:
    return KeyStore(tmp_path / "home" / "keys.json")


# --- what is derived -----------------------------------------------------------------------------


@given(bytes32, bytes16, bytes16, st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_ids_and_session_keys_are_those_of_the_specification(
    secret: bytes, host: bytes, device: bytes, session: int, boot_id: int
) -> None:
    key = DeviceKey(secret)
    assert bytes.fromhex(key.id) == session_by_hand.key_id(secret)
    derived = key.session_key(host, device, session, boot_id)
    assert derived == session_by_hand.session_key(secret, host, device, session, boot_id)


def test_the_bytes_of_a_session_key() -> None:
    text = (
        b"tinyol session\0\0" + b"h" * 16 + b"d" * 16 + b"\x02\x01" + b"\0\0" + b"\x06\x05\x04\x03"
    )
    expected = hashlib.blake2s(text, key=KEY.secret).digest()
    assert KEY.session_key(b"h" * 16, b"d" * 16, 0x0102, 0x03040506) == expected


@given(
    bytes32, st.integers(0, 2**64 - 1), st.binary(max_size=200), st.binary(min_size=8, max_size=8)
)
def test_seals_are_those_of_the_specification(
    session_key: bytes, counter: int, payload: bytes, answered: bytes
) -> None:
    seal = SessionSeal(session_key)
    request = Message(Kind.REQUEST, 9, 1, counter & 0xFFFF, 7, payload)
    raw = request.to_bytes()
    by_hand = session_by_hand.flagged(raw)
    mac = session_by_hand.mac(session_key, session_by_hand.TO_DEVICE, counter, by_hand)
    assert seal.seal(request, counter).to_bytes() == by_hand + mac
    mac = session_by_hand.mac(session_key, session_by_hand.TO_HOST, counter, by_hand, answered)
    reply = Message.from_bytes(by_hand + mac)
    assert seal.holds(reply, counter, answered)
    assert not seal.holds(reply, counter ^ 1, answered)
    assert not seal.holds(reply, counter, bytes(b ^ 1 for b in answered))
    assert not seal.holds(seal.seal(request, counter), counter)  # reflected
    assert not SessionSeal(bytes(b ^ 1 for b in session_key)).holds(reply, counter, answered)
    assert not seal.holds(request, counter)


@given(st.integers(0, 2**40), st.integers(-32768, 32767))
def test_sixteen_bits_become_the_nearest_number(near: int, away: int) -> None:
    assert unwrapped(near + away & 0xFFFF, near) == near + away


def test_a_key_is_in_no_text() -> None:
    for shown in (repr(KEY), str(KEY), repr(KeyEntry.of(KEY))):
        assert KEY.secret.hex() not in shown
        assert repr(KEY.secret)[2:-1] not in shown
    with pytest.raises(DeviceError, match="32 bytes"):
        DeviceKey(bytes(31))


# --- the file ------------------------------------------------------------------------------------


def test_keys_are_kept_found_and_forgotten(store: KeyStore) -> None:
    assert store.entries() == []
    assert store.find(KEY.id) is None
    assert not store.path.parent.exists()  # looking leaves no trace
    store.add(KEY)
    store.add(OTHER)
    assert store.find(KEY.id) == KEY
    assert [entry.id for entry in store.entries()] == [OTHER.id, KEY.id]
    renamed = DeviceKey(KEY.secret, "pump-4", KEY.paired)
    store.add(renamed)
    assert store.find(KEY.id) == renamed
    assert len(store.entries()) == 2
    store.remove(KEY.id)
    store.remove(KEY.id)
    assert [entry.id for entry in store.entries()] == [OTHER.id]


def test_nobody_else_can_read_them(store: KeyStore) -> None:
    before = os.umask(0)
    try:
        store.add(KEY)
        store.add(OTHER)
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in store.path.parent.iterdir()] != []
    for path in store.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o660, 0o644, 0o777])
def test_a_file_that_others_can_reach_is_refused(store: KeyStore, mode: int) -> None:
    store.add(KEY)
    before = store.path.read_bytes()
    store.path.chmod(mode)
    for use in (store.entries, lambda: store.find(KEY.id), lambda: store.add(OTHER)):
        with pytest.raises(DeviceError, match=f"chmod 600 {store.path}"):
            use()
    assert store.path.read_bytes() == before


def test_a_file_of_somebody_else_is_refused(store: KeyStore, monkeypatch) -> None:
    store.add(KEY)
    monkeypatch.setattr(os, "geteuid", lambda: store.path.stat().st_uid + 1)
    with pytest.raises(DeviceError, match="belongs to somebody else"):
        store.find(KEY.id)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"keys": []}',
        b'{"tinyol keys": 1, "keys": 7}',
        b'{"tinyol keys": 1, "keys": [7]}',
        b'{"tinyol keys": 1, "keys": [{"id": "00"}]}',
        b'{"tinyol keys": 1, "keys": [{"id": 5}]}',
        b"[" * 100_000,
        b" " * (1 << 21),
    ],
)
def test_a_damaged_file_is_named_and_left_as_it_is(store: KeyStore, content: bytes) -> None:
    store.add(KEY)
    store.path.write_bytes(content)
    for use in (store.entries, lambda: store.add(OTHER)):
        with pytest.raises(DeviceError, match=r"keys\.json: is no file with TinyOL's keys"):
            use()
    assert store.path.read_bytes() == content


def test_a_secret_of_another_id_is_damage(store: KeyStore) -> None:
    store.add(KEY)
    content = json.loads(store.path.read_text())
    content["keys"][0]["secret"] = OTHER.secret.hex()
    store.path.write_text(json.dumps(content))
    with pytest.raises(DeviceError, match="is damaged"):
        store.find(KEY.id)


def test_a_file_of_another_version(store: KeyStore) -> None:
    store.add(KEY)
    store.path.write_text('{"tinyol keys": 2, "keys": []}')
    with pytest.raises(DeviceError, match="version 2, this program knows version 1"):
        store.entries()


@given(st.binary(max_size=300))
def test_any_bytes_are_keys_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "keys.json")
        path.write_bytes(content)
        path.chmod(0o600)
        with contextlib.suppress(DeviceError):
            assert read_keys(path) == []


def test_a_failed_write_leaves_what_was_there(store: KeyStore, monkeypatch) -> None:
    store.add(KEY)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DeviceError, match="No space left"):
        store.add(OTHER)
    assert [entry.id for entry in store.entries()] == [KEY.id]
    assert {path.name for path in store.path.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_a_place_where_nothing_can_be_kept(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    store = KeyStore(tmp_path / "file" / "keys.json")
    with pytest.raises(DeviceError, match="TINYOL_KEYS"):
        store.prepare()


def test_programs_at_the_same_time_lose_no_key(store: KeyStore) -> None:
    keys = [DeviceKey(hashlib.sha256(bytes([i])).digest(), str(i)) for i in range(24)]
    threads = [
        threading.Thread(target=lambda some: [KeyStore(store.path).add(k) for k in some], args=[p])
        for p in (keys[:8], keys[8:16], keys[16:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.id for entry in store.entries()} == {key.id for key in keys}


def test_a_key_goes_by_its_id_or_the_boards_name(store: KeyStore) -> None:
    store.add(KEY)
    store.add(OTHER)
    for text in (KEY.id, KEY.id.upper(), KEY.id[:6], "pump-3"):
        assert store.named(text).id == KEY.id
    for text in (KEY.id[:3], "", "pump"):
        with pytest.raises(DeviceError, match="this computer has"):
            store.named(text)
    store.add(DeviceKey(bytes(range(2, 34)), "fan"))
    with pytest.raises(DeviceError, match="more than one key"):
        store.named("fan")


def test_where_a_board_was_met_is_remembered(store: KeyStore) -> None:
    store.add(KEY)
    store.add(OTHER)
    assert store.expected("ble:pump-3") is not None  # by its name
    assert store.expected("ble:C0:00") is None
    store.met(KEY.id, "ble:C0:00")
    written = store.path.stat().st_mtime_ns
    store.met(KEY.id, "ble:C0:00")
    assert store.path.stat().st_mtime_ns == written  # nothing new, nothing written
    found = store.expected("ble:C0:00")
    assert found is not None
    assert found.id == KEY.id
    store.met(OTHER.id, "ble:C0:00")
    found = store.expected("ble:C0:00")
    assert found is not None
    assert found.id == OTHER.id


def test_the_file_is_named_by_the_environment(monkeypatch, tmp_path) -> None:
    assert default_path().name == "keys.json"  # TINYOL_KEYS of the tests
    monkeypatch.setenv("TINYOL_KEYS", str(tmp_path / "mine"))
    assert KeyStore().path == tmp_path / "mine"
    monkeypatch.delenv("TINYOL_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert KeyStore().path == tmp_path / "tinyol" / "keys.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert KeyStore().path == Path.home() / ".config" / "tinyol" / "keys.json"


def test_an_exported_key_is_never_written_over_anything(tmp_path) -> None:
    path = tmp_path / "pump.key"
    write_new(path, encode_keys([KeyEntry.of(KEY)]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path) == [KeyEntry.of(KEY)]
    with pytest.raises(DeviceError, match="is there already"):
        write_new(path, b"")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeviceError, match="is there already"):
        write_new(tmp_path / "link", b"")


# --- the keyring ---------------------------------------------------------------------------------


class FakeKeyring(types.ModuleType):
    """The package `keyring`, with a backend of this priority."""

    def __init__(self, priority: float = 5) -> None:
        super().__init__("keyring")
        self.__spec__ = types.SimpleNamespace(name="keyring")  # type: ignore[assignment]
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False
        self.priority, self.name = priority, "Secret Service"

    def get_keyring(self) -> FakeKeyring:
        return self

    def get_password(self, service: str, name: str) -> str | None:
        if self.locked:
            raise RuntimeError("the collection is locked")
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, text: str) -> None:
        if self.locked:
            raise RuntimeError("the collection is locked")
        self.kept[service, name] = text

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


@pytest.fixture
def keyring(monkeypatch) -> FakeKeyring:
    fake = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    monkeypatch.delenv("TINYOL_KEYRING")
    return fake


def test_secrets_go_to_a_keyring_that_is_real(store: KeyStore, keyring: FakeKeyring) -> None:
    store.add(KEY)
    assert KEY.secret.hex() not in store.path.read_text()
    assert keyring.kept == {("tinyol", KEY.id): KEY.secret.hex()}
    assert store.find(KEY.id) == KEY
    assert "Secret Service" in store.keeps_in
    store.remove(KEY.id)
    assert keyring.kept == {}
    assert store.entries() == []


def test_a_keyring_that_is_locked_says_so(store: KeyStore, keyring: FakeKeyring) -> None:
    store.add(KEY)
    keyring.locked = True
    with pytest.raises(DeviceError, match=r"is locked; unlock it, or set TINYOL_KEYRING=0"):
        store.find(KEY.id)
    with pytest.raises(DeviceError, match="is locked"):
        store.add(OTHER)
    keyring.locked = False
    assert [entry.id for entry in store.entries()] == [KEY.id]


def test_a_keyring_that_lost_the_key_has_none(store: KeyStore, keyring: FakeKeyring) -> None:
    store.add(KEY)
    keyring.kept.clear()
    assert store.find(KEY.id) is None
    keyring.kept["tinyol", KEY.id] = OTHER.secret.hex()  # somebody else's
    assert store.find(KEY.id) is None


@pytest.mark.parametrize("priority", [0, -1])
def test_a_keyring_that_keeps_nothing_is_none(monkeypatch, priority: int) -> None:
    monkeypatch.setitem(sys.modules, "keyring", FakeKeyring(priority))
    monkeypatch.delenv("TINYOL_KEYRING")
    assert find_keyring() is None


def test_a_keyring_can_be_turned_off(monkeypatch, keyring: FakeKeyring) -> None:
    assert find_keyring() is not None
    monkeypatch.setenv("TINYOL_KEYRING", "0")
    assert find_keyring() is None
