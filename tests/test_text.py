"""What comes from outside cannot command a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

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
