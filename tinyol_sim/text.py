"""Text from outside, made safe to show: names of files and classes come from anywhere."""

from __future__ import annotations

import unicodedata

# Control and format characters, surrogates, private use, unassigned; line and paragraph breaks.
_UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str) -> str:
    r"""The text with every character that a terminal would obey, or hide, written as \x1b, \u202e.

    Newlines stay, so that a message may have more than one line.
    """
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in _UNSHOWN
        else character.encode("unicode_escape", "surrogatepass").decode()
        if not 0xD800 <= ord(character) <= 0xDFFF
        else f"\\u{ord(character):04x}"
        for character in text
    )


def one_line(text: str, most: int = 60) -> str:
    """The same on one line, and shortened: what a file of others names, in a message about it."""
    shown = printable(text).replace("\n", "\\n")
    return shown if len(shown) <= most else shown[: most - 1] + "…"
