"""A device's address, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyol_host.uri import Uri, parse_uri
from tinyol_sim.errors import DeviceError

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sim:", Uri("sim")),
        ("SIM:", Uri("sim")),
        ("emu:?machine=qemu&compiler=gcc&optimize=Os", None),
        ("sim:?source=synth:normal+stuck", Uri("sim", "", {"source": "synth:normal+stuck"})),
        ("sim:?speed=0.5&state=none", Uri("sim", "", {"speed": "0.5", "state": "none"})),
        ("sim:?model=a%26b%20c.tinyol", Uri("sim", "", {"model": "a&b c.tinyol"})),
        ("serial:", Uri("serial", "")),
        ("serial:/dev/ttyACM0", Uri("serial", "/dev/ttyACM0")),
        ("/dev/ttyACM0", Uri("serial", "/dev/ttyACM0")),
        ("/dev/a?b%41", Uri("serial", "/dev/a?b%41")),
        ("./link", Uri("serial", "./link")),
        ("COM13", Uri("serial", "COM13")),
        (r"\\.\COM13", Uri("serial", r"\\.\COM13")),
        ("serial:COM3", Uri("serial", "COM3")),
    ],
)
def test_reads_addresses_and_writes_them_back(text: str, expected: Uri | None) -> None:
    uri = parse_uri(text)
    if expected is not None:
        assert uri == expected
    assert parse_uri(str(uri)) == uri


@given(target=words, model=words, state=words)
def test_any_path_survives_being_written_and_read(target: str, model: str, state: str) -> None:
    for uri in (Uri("serial", target), Uri("emu", "", {"model": model, "state": state})):
        assert parse_uri(str(uri)) == uri


def test_without_an_address_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINYOL_DEVICE", raising=False)
    assert parse_uri(None) == Uri("sim")
    monkeypatch.setenv("TINYOL_DEVICE", "")
    assert parse_uri(None) == Uri("sim")
    monkeypatch.setenv("TINYOL_DEVICE", "/dev/ttyACM7")
    assert parse_uri(None) == Uri("serial", "/dev/ttyACM7")
    assert parse_uri("emu:") == Uri("emu")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"no device ''.*sim:.*emu:.*serial:/dev/ttyACM0"),
        ("sim", r"did you mean sim:"),
        ("usb:1", r"no device 'usb:1'.*sim:.*emu:.*serial:/dev/ttyACM0"),
        ("ttyACM0", r"no device 'ttyACM0'.*serial:/dev/ttyACM0"),
        ("sim:fan", r"nothing can stand behind sim: but options"),
        ("sim:?colour=red", r"no option 'colour'; it has model, source, speed, state$"),
        ("emu:?colour=red", r"no option 'colour'; it has .*machine, compiler, optimize"),
        ("sim:?machine=qemu", r"sim: has no option 'machine'"),
        ("serial:/dev/ttyACM0?speed=1", r"serial: has no option 'speed'; it has none"),
        ("sim:?speed=1&speed=2", r"speed is given twice"),
        ("sim:?model", r"model needs a value, as model="),
        ("sim:?model=", r"model needs a value, as model="),
        ("emu:?machine=bochs", r"machine=bochs: it must be one of unicorn, qemu"),
        ("emu:?compiler=icc", r"compiler=icc: it must be one of zig, gcc"),
        ("sim:?state=a%00b", r"%00 cannot stand in an address"),
        ("serial:a%00b", r"%00 cannot stand in an address"),
        ("emu:?optimize=O9", r"optimize=O9: it must be one of Os, O2, O3"),
        *[
            (f"sim:?speed={bad}", r"from 0.001 to 1e\+06")
            for bad in ("0", "-1", "nan", "inf", "fast", "1e999", "1e-320", "1e308")
        ],
    ],
)
def test_refusals_say_what_there_is(text: str, says: str) -> None:
    with pytest.raises(DeviceError, match=says):
        parse_uri(text)
