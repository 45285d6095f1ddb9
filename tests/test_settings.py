"""docs/settings.md says what the device's own table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinyol_sim.settings import SETTINGS

DOC = Path(__file__).resolve().parent.parent / "docs" / "settings.md"


def test_every_setting_is_documented_with_its_start_value() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| ([\d.]+) \| ([^|]*) \|", DOC.read_text(), re.MULTILINE)
    documented = {name: (float(start), extent) for name, start, extent in rows}
    assert list(documented) == list(SETTINGS)
    for name, info in SETTINGS.items():
        start, extent = documented[name]
        assert abs(start - info.initial) < 1e-6, name
        numbers = [float(number) for number in re.findall(r"[\d.]+", extent)]
        assert abs(numbers[0] - info.minimum) < 1e-6, name
        assert numbers[-1] == pytest.approx(info.maximum, rel=1e-6), name
        # A list of values says by itself that they are whole.
        assert info.integral == ("whole" in extent or "," in extent), name
