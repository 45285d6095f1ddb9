"""docs/nano33ble.md: its commands, options, numbers and links are those that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tinyol_host.cli import cli
from tinyol_host.flashing.fitting import MOST_IMAGE_BYTES

REPO = Path(__file__).resolve().parent.parent
TEXT = (REPO / "docs" / "nano33ble.md").read_text()


def commands() -> list[str]:
    """Every `tinyol ...` of the page, in code blocks and in the text."""
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(tinyol [^`]+)`", TEXT)
    return sorted({line for line in lines if line.startswith("tinyol ")})


@pytest.mark.parametrize("line", commands())
def test_every_command_is_one(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words.pop(0))
        assert found is not None, "there is no such command"
        command = found
    known = {option for p in command.params if isinstance(p, click.Option) for option in p.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_every_option_of_flash_is_told() -> None:
    command = cli.get_command(click.Context(cli), "flash")
    assert command is not None
    section = TEXT.split("## What `tinyol flash` does")[1].split("\n## ")[0]
    for parameter in command.params:
        names = [*parameter.opts, *parameter.secondary_opts]
        assert any(f"`{name}" in section for name in names), names


def test_numbers() -> None:
    assert f"{MOST_IMAGE_BYTES:,} bytes" in TEXT
    ini = (REPO / "firmware" / "platformio.ini").read_text()
    for environment in ("nano33ble_sense", "nano33ble_sense_rev2"):
        assert f"[env:{environment}]" in ini
        assert f"`{environment}`" in TEXT or f"-e {environment} " in TEXT
    watchdog = (REPO / "firmware/boards/nano33ble/src/watchdog.h").read_text()
    assert "kStallMs = 4000" in watchdog
    assert "kLastResortS = 180" in watchdog


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            titles = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
            anchors = [re.sub(r"[^a-z0-9 -]", "", t.lower()).replace(" ", "-") for t in titles]
            assert target[1:] in anchors
        elif not target.startswith("https://"):
            assert (REPO / "docs" / target.partition("#")[0]).exists()
