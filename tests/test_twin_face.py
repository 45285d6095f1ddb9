"""What a person meets first of the twin in Python: how it is made, and what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_replay import recording, small_bundle

from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin


@pytest.mark.parametrize("wrong", ["fan.tinyol", Path("fan.tinyol"), None, 3, bytearray(b"TOLM")])
def test_a_twin_of_something_else_says_what_it_is_made_of(wrong):
    kind = type(wrong).__name__
    with pytest.raises(DeviceError, match=rf"not of {kind}; Bundle\.load\(path\)"):
        Twin(wrong)


def test_windows_print_as_one_line():
    twin = Twin(small_bundle())
    twin.add_class("normal")
    twin.add_class("loud")
    samples = recording([("normal", 100), ("loud", 100)]).samples
    seen = twin.feed(samples, [-1] * 100 + [1] * 100)
    counts = f"{seen.anomaly.sum()} anomalies, {seen.unknown.sum()} unknown"
    expected = rf"<Windows: {len(seen)}, {counts}, labels \[1\], .*>"
    assert re.fullmatch(expected, repr(seen))
    assert repr(twin.feed(samples[:0])) == (
        "<Windows: 0, 0 anomalies, 0 unknown, labels [], predicted []>"
    )
