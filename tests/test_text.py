"""What comes from outside cannot command a terminal."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tinyol_sim.recordings import read_recording
from tinyol_sim.text import printable


def test_escapes_are_shown_not_obeyed() -> None:
    assert printable("a\x1b[31mb") == "a\\x1b[31mb"
    assert printable("\u202egnp.exe") == "\\u202egnp.exe"
    assert printable("\udcff") == "\\udcff"
    assert printable("Lüfter 風扇\nnext") == "Lüfter 風扇\nnext"


@given(st.text(st.characters(codec=None)))
def test_what_is_shown_can_be_encoded_and_shown_again(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert printable(shown) == shown
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_a_recordings_name_is_shown_not_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "fan\x1b]0;owned\x07.csv"
    path.write_text("# tinyol recording 1\n# rate_hz=100\n# units=g\nx,y,z\n0,0,1\n")
    assert read_recording(path).name == "fan\\x1b]0;owned\\x07"
