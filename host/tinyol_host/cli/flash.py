"""`tinyol flash`: builds the firmware with a model, uploads it, and looks at what runs then."""

from __future__ import annotations

import asyncio
import json
import shlex
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_completion import complete_device
from tinyol_host.cli.device_options import json_option, run
from tinyol_sim.errors import TinyOLError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.flashing.flash import Flashed, Wish

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "-d",
    "--device",
    metavar="URI",
    envvar="TINYOL_DEVICE",
    show_envvar=True,
    shell_complete=complete_device,
    help="The board's port, as serial:/dev/ttyACM0.  [default: the one board at USB]",
)
@click.option(
    "-m",
    "--model",
    type=_FILE,
    help="The bundle to link in.  [default: the one that ships for the sensor]",
)
@click.option(
    "--revision",
    type=click.Choice(("1", "2")),
    help='Of the board: 2 has "Rev2" printed on it.  [default: as the board says, if TinyOL runs'
    " there]",
)
@click.option(
    "--frozen",
    type=click.Choice(("tflm", "kernels")),
    help="What runs the frozen net: TensorFlow Lite Micro, or the project's own kernels.  [default:"
    " tflm]",
)
@click.option(
    "--keep-state/--no-keep-state",
    default=True,
    show_default=True,
    help="Pull what the board has learned before, and give it back afterwards.",
)
@click.option(
    "--firmware",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with the firmware's platformio.ini.  [default: the checkout's]",
)
@json_option
def flash(
    device: str | None,
    model: Path | None,
    revision: str | None,
    frozen: str | None,
    keep_state: bool,
    firmware: Path | None,
    as_json: bool,
) -> None:
    """Build the firmware for an Arduino Nano 33 BLE Sense, upload it, and check what runs then.

    Without -d, the one board at USB. PlatformIO does the work (`pip install platformio`); the
    first build fetches its compiler and takes minutes, later ones compile what has changed.

    A board that runs TinyOL says which revision it is, and gets back what it has learned if the
    model stays the same; until then that is in a file. One that has no key yet is paired, as by
    `tinyol pair`.
    """
    from tinyol_host.flashing.flash import Wish

    wish = Wish(
        port=_port(device),
        bundle=model,
        revision=None if revision is None else int(revision),
        frozen=frozen,
        keep_state=keep_state,
        firmware=firmware,
    )
    flashed = run(_flash, wish)
    if as_json:
        click.echo(json.dumps(_facts(flashed), indent=2))
    else:
        _print(flashed)
    for warning in flashed.after.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)


def _port(device: str | None) -> str:
    from tinyol_host.uri import parse_uri

    if not device:
        return ""
    uri = parse_uri(device)
    if uri.scheme != "serial":
        raise click.UsageError(
            f"{device}: a board is flashed at a USB port, as -d serial:/dev/ttyACM0"
        )
    return uri.target


async def _flash(wish: Wish) -> Flashed:
    from tinyol_host.cli.flash_bars import stage_bars
    from tinyol_host.flashing.flash import Flashing

    with ExitStack() as stack:
        flashing = Flashing(wish, stack.enter_context(stage_bars()))
        try:
            return await flashing.run()
        except (TinyOLError, asyncio.CancelledError) as error:
            stack.close()  # what follows does not end up behind the bars
            for line in flashing.words_about(error):
                click.echo(printable(line), err=True)
            raise


def _facts(flashed: Flashed) -> dict[str, Any]:
    after = asdict(flashed.after)
    return {
        "device": f"serial:{flashed.port}",
        "environment": flashed.environment,
        "revision": flashed.revision,
        "board": after["name"],
        "firmware": after["firmware"],
        "model_id": after["model_id"],
        "rate_hz": after["rate_hz"],
        "kernels": after["kernels"],
        "arena_used": after["arena_used"],
        "arena_bytes": after["arena_bytes"],
        "flash_used": flashed.flash_used,
        "ram_used": flashed.ram_used,
        "sensor": after["sensor"],
        "self_test": True,  # a board that fails it ends in an error
        "state_given_back": after["given_back"],
        "key_id": after["key_id"],
        "paired_now": after["new_key"],
        "state_file": None if flashed.copy is None else str(flashed.copy),
        "max_image_bytes": flashed.most_image_bytes,
        "log": str(flashed.log),
        "warnings": after["warnings"],
    }


def _rows(flashed: Flashed) -> list[tuple[str, str]]:
    after = flashed.after
    names = {"own": "our own kernels"}
    net = " and ".join(names.get(name, name) for name in after.kernels) or "unknown"
    if after.arena_used is not None and after.arena_bytes is not None:
        net += f", {after.arena_used:,} of {after.arena_bytes:,} bytes of its arena"
    rows = [
        ("device", f"serial:{flashed.port}, {after.name}, firmware {after.firmware}"),
        ("model", f"{after.model_id}, {after.rate_hz:g} Hz"),
        ("frozen net", net),
        ("sensor", after.sensor),
        ("self-test", "passed"),
        ("learned", _learned(flashed)),
        ("key", _key(flashed)),
    ]
    if flashed.flash_used is not None and flashed.ram_used is not None:
        program = f"{flashed.flash_used:,} bytes of flash, {flashed.ram_used:,} of RAM"
        rows.insert(1, ("program", program))
    return rows


def _learned(flashed: Flashed) -> str:
    if flashed.after.given_back:
        return "given back"
    if not flashed.keep_state:
        return "not kept, as was asked for"
    if not flashed.asked:
        return "not asked: TinyOL did not run there" + _earlier(flashed.after.model_id)
    if flashed.copy is None:
        return "nothing was there to give back"
    return f"it was of another model: kept in {flashed.copy}"


def _key(flashed: Flashed) -> str:
    after = flashed.after
    if after.key_id is None:
        return "none: the board is not paired"
    if not after.new_key:
        return after.key_id
    return f"{after.key_id}, made now and kept in {after.key_place}: who has it may teach the board"


def _earlier(model_id: str) -> str:
    """What a flashing before this one kept, should that have failed in the middle."""
    from tinyol_host.kept_state import state_folder

    copies = sorted(state_folder().glob(f"before-flash-{model_id}-*.state"))
    if not copies:
        return ""
    return f"; an earlier copy of this model's: `tinyol state push {shlex.quote(str(copies[-1]))}`"


def _print(flashed: Flashed) -> None:
    from rich.console import Console

    from tinyol_host.cli.tables import pairs_table, print_table

    rows = [(name, printable(value)) for name, value in _rows(flashed)]
    print_table(Console(highlight=False), pairs_table(rows))
