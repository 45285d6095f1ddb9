"""Names that command a terminal, hide in it or look like markup: refused by the device, harmless
where a device lies.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import attack_count
import pytest
from board_in_process import Board, name, refused
from cli_runner import Tinyol, with_small_model
from image_surgery import patched
from small_replay import small_bundle
from wire_by_hand import CLASS_ADD, NAME_SET

import tinyol_host
import tinyol_host.scan
from tinyol_host import payloads
from tinyol_host.hardware import Hardware
from tinyol_host.transports.ble_radio import BoardInRange
from tinyol_sim.errors import StateImageError, TinyOLError
from tinyol_sim.twin import Twin

KIND = "names"
BAD_NAME, CLASS_RENAME, UNKNOWN_NAME = -5, 14, 55
DEVICE = "sim:?model=small.tinyol&speed=50"
HOSTILE = {
    "window title": "\x1b]0;owned\x07",
    "clear screen": "\x1b[2J\x1b[H",
    "C1 control": "a\x9b31mb",
    "bell and backspace": "a\x07\x08\x08b",
    "overwritten line": "all well\rx",
    "a second line": "a\nerror: b",
    "null": "a\0b",
    "delete": "a\x7fb",
    "right to left": "a\u202egnp.exe",
    "isolate": "\u2066abc\u2069",
    "right to left mark": "a\u200fb",
    "Arabic letter mark": "a\u061cb",
    "byte order mark": "\ufeffnormal",
    "zero width space": "nor\u200bmal",
    "zero width joiner": "nor\u200dmal",
    "word joiner": "nor\u2060mal",
    "soft hyphen": "nor\u00admal",
    "grapheme joiner": "nor\u034fmal",
    "Hangul filler": "\u3164",
    "blank of Braille's width": "\u2003",
    "no-break space": "a\u00a0b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "tag characters": "a\U000e0041\U000e0042",
    "private use": "\ue000",
    "no character": "\uffff",
    "marks in seven storeys": "\u0301" * 7,
    "marks on a letter": "a" + "\u0336" * 7,
    "Thai marks on a letter": "\u0e01" + "\u0e49" * 4,
    "space": " ",
    "space before": " normal",
    "space behind": "normal ",
}
NOT_UTF8 = (
    b"\xff",
    b"a\xc3",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\x80",
)
# What a device takes, since it can be seen; it must be shown as it is.
MARKUP = (
    "[red]x[/red]",
    "[/]",
    "[link=a]b",
    "[bold",
    "\\[x]",
    "<script>",
    "<svg onload=x>",
    "&lt;",
)
MARKUP += ("'\"", "a,b", "=1+1", "@a", "{}", "%s%n", "$(x)", "`x`", "../../x", "$x^{2$")
GOOD = (
    "L\u00fcfter",
    "\u98a8\u6247",
    "\u0e17\u0e35\u0e48",
    "e\u0323\u0302",
    "\u0646\u0631\u0645",
    "\u2744\ufe0f",
)


def is_safe(text: str) -> bool:
    """Nothing in it that a terminal obeys, or does not show."""
    bad = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return not any(unicodedata.category(c) in bad for c in text if c != "\n")


# --- at the device ----------------------------------------------------------------------------


@pytest.mark.parametrize("what", [*HOSTILE, *range(len(NOT_UTF8))])
def test_a_device_takes_no_hostile_name(what: str | int) -> None:
    """As a class's or a board's name, new, changed, or in a state image."""
    evil = HOSTILE[what].encode() if isinstance(what, str) else NOT_UTF8[what]
    assert len(evil) <= 15
    board = Board()
    board.hello()
    assert not board.ask(CLASS_ADD, name("normal")).status
    before, raw = board.state(), bytes([len(evil)]) + evil
    attack_count.tried(KIND, 5)
    assert refused(board.ask(CLASS_ADD, raw)) == (BAD_NAME, "class name")
    assert refused(board.ask(CLASS_RENAME, b"\0\0" + raw)) == (BAD_NAME, "class name")
    assert refused(board.ask(NAME_SET, raw)) == (BAD_NAME, "name")
    assert board.ask(UNKNOWN_NAME, b"\1\0\0\0" + raw).status < 0
    assert board.state() == before
    twin = Twin(board.model)
    with pytest.raises(StateImageError):
        twin.state = patched(before, b"CLAS", 4, evil.ljust(16, b"\0"))
    attack_count.beaten(KIND, 5)


def test_a_device_takes_what_can_be_seen() -> None:
    for text in (*MARKUP, *GOOD):
        board = Board()
        board.hello()
        assert not board.ask(CLASS_ADD, name(text)).status, text
        assert not board.ask(NAME_SET, name(text)).status, text


def test_no_character_of_unicode_is_taken_that_cannot_be_seen() -> None:
    """Every one that there is, by Python's tables: control, format, private, separators."""
    unseen = {"Cc", "Cf", "Co", "Zl", "Zp", "Zs"}
    board, n = Board(), 0
    board.hello()
    for code in range(1, 0x110000):
        if 0xF0100 <= code < 0x10FF00 and code % 251:
            continue  # private planes: every 251st
        character = chr(code)
        if unicodedata.category(character) not in unseen or character == " ":
            continue
        n += 1
        attack_count.tried(KIND)
        assert board.ask(CLASS_ADD, name(f"a{character}b")).status == BAD_NAME, hex(code)
        attack_count.beaten(KIND)
    assert n > 6_000


# --- on the host, from a device that lies -----------------------------------------------------


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    """In a folder of its own, with a board that knows two classes."""
    with_small_model(tmp_path, monkeypatch, DEVICE)
    monkeypatch.setenv("TINYOL_KEYS", str(tmp_path / "keys.json"))
    return Tinyol(capsys)


SHOWN = (
    ("info",),
    ("classes",),
    ("metrics",),
    ("name",),
    ("set",),
    ("unknown",),
    ("label", "nobody", "--windows", "2"),
    ("relearn", "nobody"),
    ("classes", "remove", "nobody", "--yes"),
    ("monitor", "--windows", "3"),
    ("record", "out.csv", "--seconds", "0.5"),
    ("self-test",),
)


def test_a_lying_device_commands_no_terminal(
    tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every text of its replies is all of that at once: names, its board, its refusals."""
    for text in ("normal", "broken"):
        tinyol.done("classes", "add", text)
    tinyol("label", "normal", "--windows", "3")  # a score for each class is shown then
    evil, real = "x".join(HOSTILE.values()), payloads.text
    for module in pkgutil.walk_packages(tinyol_host.__path__, "tinyol_host."):
        if getattr(importlib.import_module(module.name), "text", None) is real:
            monkeypatch.setattr(f"{module.name}.text", lambda raw: evil)
    told = Hardware.from_bytes
    monkeypatch.setattr(Hardware, "from_bytes", lambda body: replace(told(body), name=evil))
    for words in SHOWN:
        attack_count.tried(KIND, len(HOSTILE))
        _, out, err = tinyol(*words)
        assert is_safe(out), (words, out)
        assert is_safe(err), (words, err)
        if words in (("classes",), ("metrics",), ("name",)):
            assert "\\x1b]0;owned" in out  # it is shown, and does nothing
        attack_count.beaten(KIND, len(HOSTILE))
    for words in (("info",), ("classes",), ("metrics",)):
        attack_count.tried(KIND, len(HOSTILE))
        status, out, err = tinyol(*words, "--json")
        assert is_safe(out + err)
        assert status or json.loads(out)
        attack_count.beaten(KIND, len(HOSTILE))


@pytest.mark.parametrize("text", MARKUP)
def test_markup_in_a_name_is_shown_as_it_is(text: str, tinyol: Tinyol) -> None:
    """No colour, no link, no error of the table's: the name, letter by letter."""
    tinyol.done("classes", "add", "--", text)
    for words in (("classes",), ("metrics",), ("info",)):
        attack_count.tried(KIND)
        status, out, err = tinyol(*words)
        assert (status, err) == (0, "")
        if words == ("classes",):
            assert text in out, out
        attack_count.beaten(KIND)
    attack_count.tried(KIND)
    assert text in str(json.loads(tinyol.done("classes", "--json")))
    attack_count.beaten(KIND)


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_what_a_board_advertises_commands_no_terminal(
    what: str, tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def in_range() -> list[BoardInRange]:
        return [BoardInRange(HOSTILE[what], "00:11:22:33:44:55", -40, None)]

    monkeypatch.setattr(tinyol_host.scan, "boards_in_range", in_range)
    monkeypatch.setattr(tinyol_host.scan, "list_ports", list)
    for words in (("scan",), ("scan", "--json")):
        attack_count.tried(KIND)
        _, out, err = tinyol(*words)
        assert "-40" in out
        assert is_safe(out + err)
        attack_count.beaten(KIND)


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_a_key_file_from_elsewhere_commands_no_terminal(what: str, tinyol: Tinyol) -> None:
    """Its names come from whoever wrote it."""
    secret = "00" * 31 + "01"
    from tinyol_host.access.device_key import DeviceKey

    key = DeviceKey(bytes.fromhex(secret), HOSTILE[what], HOSTILE[what])
    entry = {"id": key.id, "name": HOSTILE[what], "paired": HOSTILE[what], "secret": secret}
    path = Path("theirs.json")
    path.write_text(json.dumps({"tinyol keys": 1, "keys": [entry]}))
    path.chmod(0o600)
    for words in (("keys", "import", "theirs.json"), ("keys",), ("keys", "--json")):
        attack_count.tried(KIND)
        _, out, err = tinyol(*words)
        assert is_safe(out), (words, out)
        assert is_safe(err), (words, err)
        assert secret not in out + err
        attack_count.beaten(KIND)


def test_an_error_never_shows_more_than_a_name() -> None:
    """What an exception says is made printable where it is shown, once and for all."""
    for evil in HOSTILE.values():
        attack_count.tried(KIND)
        twin = Twin(small_bundle())
        with pytest.raises(TinyOLError) as error:
            twin.add_class(evil)
        assert re.search(r"name", str(error.value))
        assert twin.classes == []
        attack_count.beaten(KIND)
