"""`tinyol bench`: the twin beside its peers, and what a window costs on a Cortex-M4F."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tinyol_host.cli.bench_board import OPTIONS, board_results, print_board
from tinyol_host.cli.bench_peers import peers_results, print_peers
from tinyol_host.cli.device_options import json_option

HALVES = ("host", "board")
_SECONDS, _REPEATS = 60.0, 3


def _parse_device(context: click.Context, parameter: click.Parameter, text: str) -> dict[str, str]:
    from tinyol_host.uri import parse_uri
    from tinyol_sim.errors import DeviceError

    try:
        uri = parse_uri(text)
    except DeviceError as error:
        raise click.BadParameter(str(error)) from None
    if uri.scheme != "emu":
        raise click.BadParameter(
            f"instructions are counted on the emulated board, emu:, not on {uri}"
        )
    useless = [name for name in uri.options if name not in OPTIONS]
    if useless:
        raise click.BadParameter(f"{useless[0]} has no effect here; {', '.join(OPTIONS)} have")
    return uri.options


@click.command()
@click.argument("model", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--only",
    type=click.Choice(HALVES),
    help="One half: host, the twin beside its peers; board, the emulated Cortex-M4F.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600, min_open=True),
    default=_SECONDS,
    show_default=True,
    help="host: of recording for all; the twin alone has 60 times as much.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=_REPEATS,
    show_default=True,
    help="host: runs of each, of which the shortest counts.",
)
@click.option(
    "-d",
    "--device",
    "options",
    metavar="URI",
    default="emu:",
    show_default=True,
    callback=_parse_device,
    shell_complete=lambda context, parameter, typed: [w for w in ("emu:",) if w.startswith(typed)],
    help="board: as emu:?machine=qemu&compiler=gcc&optimize=Os.",
)
@json_option
@click.pass_context
def bench(
    context: click.Context,
    model: Path | None,
    only: str | None,
    seconds: float,
    repeats: int,
    options: dict[str, str],
    as_json: bool,
) -> None:
    """How fast is it? Two halves, one after the other.

    On this machine, the twin beside those who do the same job: tflite-micro's and tflite-runtime's
    interpreters with numpy, river, scikit-learn. One who is not installed is left out, with a line
    that says so. Run it on a quiet machine, and look at the ratios.

    On an emulated Cortex-M4F, the instructions of a window of the bundle MODEL, stage by stage, of
    each learning part by itself, with its RAM, and of what it takes to check who is teaching.
    Counts are exact; cycles and microseconds are estimates.

    MODEL: a bundle, or a .tflite file: of a net alone the board's half counts the layers, and there
    is no other half. Without MODEL, the bundle that ships for 119 Hz.
    """
    if model is not None and "model" in options:
        raise click.UsageError("two models: MODEL, and model= in the URI")
    if math.isnan(seconds):
        raise click.UsageError("--seconds is nan; it must be a number above 0")
    for half, names in (("host", ("seconds", "repeats")), ("board", ("options",))):
        for name in names:
            if only not in (None, half) and _given(context, name):
                option = "--device" if name == "options" else f"--{name}"
                raise click.UsageError(f"{option} is for the {half}'s half, and --only is {only}")
    path = Path(options["model"]) if "model" in options else model
    name = "the shipped bundle" if path is None else path.name
    if path is not None and path.suffix == ".tflite":
        if only == "host":
            raise click.UsageError(f"{name} is a net alone: it has the board's half only")
        only = "board"
    found: dict[str, Any] = {}
    if only != "board":
        found["host"] = peers_results(path, seconds, repeats)
        if not as_json:
            print_peers(found["host"], name)
    if only != "host":
        found["board"] = _board(path, options, alone=only == "board")
        if not as_json:
            _print_board(found, name)
    if as_json:
        click.echo(json.dumps(found, indent=2))


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _board(path: Path | None, options: dict[str, str], *, alone: bool) -> dict[str, Any]:
    """Without compiler or emulator the host's half still stands."""
    from tinyol_sim.errors import EmulatorError

    try:
        return board_results(path, options)
    except EmulatorError as error:
        if alone:
            raise
        return {"missing": str(error)}


def _print_board(found: dict[str, Any], name: str) -> None:
    if "host" in found:
        click.echo()
    if "missing" in found["board"]:
        click.echo(f"The emulated Cortex-M4F: {found['board']['missing']}")
    else:
        print_board(found["board"], name)
