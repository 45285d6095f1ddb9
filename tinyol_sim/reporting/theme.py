"""The colours of reports and plots, on light and dark pages, and the sizes of pictures.

The colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), which people with
any of the usual colour-vision deficiencies can tell apart; some are lighter on a dark page.
"""

from __future__ import annotations

from dataclasses import dataclass

WIDTH_IN = 9.0
PAGE_DPI = 100  # WIDTH_IN is 900 pixels of a page
DPI = 2 * PAGE_DPI


@dataclass(frozen=True)
class Theme:
    """Colours as #rrggbb."""

    page: str
    ink: str
    quiet: str  # secondary text, axes
    grid: str
    no_label: str
    no_prediction: str
    frozen: str  # the frozen net
    tuned: str  # the fine-tuned layer
    classes: tuple[str, ...]

    def class_colour(self, index: int) -> tuple[float, float, float]:
        """Of class `index`; -1 = no label. Beyond the palette the colours come back, paler."""
        if index < 0:
            return _rgb(self.no_label)
        colour, page = _rgb(self.classes[index % len(self.classes)]), _rgb(self.page)
        share = 0.55 ** (index // len(self.classes))
        red, green, blue = (share * c + (1 - share) * p for c, p in zip(colour, page, strict=True))
        return red, green, blue


LIGHT = Theme(
    page="#ffffff",
    ink="#1b1f24",
    quiet="#5c6570",
    grid="#e3e6ea",
    no_label="#dfe3e8",
    no_prediction="#aab2bc",
    frozen="#8b939c",
    tuned="#d55e00",
    classes=("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442"),
)
DARK = Theme(
    page="#14171b",
    ink="#e8eaed",
    quiet="#a2abb5",
    grid="#2b3138",
    no_label="#343b43",
    no_prediction="#5b6570",
    frozen="#8b939c",
    tuned="#ff8c42",
    classes=("#3f9fdc", "#e69f00", "#1fbf92", "#d98fb8", "#8fd0f5", "#f0e442"),
)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red / 255, green / 255, blue / 255
