"""`tinyol set`: a board's settings, shown and turned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_sim.settings import SettingInfo


def _complete_name(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from tinyol_sim.settings import SETTINGS

    return [
        CompletionItem(name, help=_range(info))
        for name, info in SETTINGS.items()
        if name.startswith(incomplete)
    ]


def _check_name(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    from tinyol_sim.settings import SETTINGS

    if name is not None and "=" in name:
        raise click.BadParameter("on a board it is `tinyol set NAME VALUE`, with a space between")
    if name is not None and name not in SETTINGS:
        raise click.BadParameter(f"no setting {name!r}; there are {', '.join(SETTINGS)}")
    return name


def _check_preset(
    context: click.Context, parameter: click.Parameter, name: str | None
) -> str | None:
    from tinyol_sim.presets import PRESETS

    if name is not None and name not in PRESETS:
        raise click.BadParameter(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return name


def _complete_preset(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from tinyol_sim.presets import PRESETS

    return [CompletionItem(name) for name in PRESETS if name.startswith(incomplete)]


# A value may be negative, and so look like an option; the device says what is wrong with it.
@click.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False, callback=_check_name, shell_complete=_complete_name)
@click.argument("value", required=False, type=float)
@click.option(
    "--preset",
    metavar="PRESET",
    callback=_check_preset,
    shell_complete=_complete_preset,
    help="Turn several at once: paper, as the paper has it.",
)
@device_options
@json_option
def set_(
    name: str | None, value: float | None, preset: str | None, device: str | None, as_json: bool
) -> None:
    """List the settings, show the one called NAME, or give it a VALUE.

    docs/settings.md says what each does.
    """
    if preset is not None:
        if name is not None:
            raise click.UsageError("--preset names its settings itself: give no NAME")
        run_on_board(device, lambda board: _turn_all(board, preset, as_json))
        return
    if name is None or value is None:
        values = run_on_board(device, lambda board: board.settings())
        if name is not None and name not in values:
            raise DeviceError(f"the board's firmware has no setting {name}")
        _show(values if name is None else {name: values[name]}, as_json)
        return
    effect = run_on_board(device, lambda board: board.set(name, value))
    if as_json:
        click.echo(json.dumps({"name": name, "value": value, "at": effect.at}, indent=2))
    else:
        click.echo(f"{name}: {value:.9g} from sample {effect.at:,} on")


async def _turn_all(board: Board, preset: str, as_json: bool) -> None:
    from tinyol_sim.presets import PRESETS

    settings = PRESETS[preset].settings
    at = 0
    for done, (name, value) in enumerate(settings.items()):
        try:
            at = (await board.set(name, value)).at
        except DeviceError as error:
            if not done:
                raise
            raise DeviceError(
                f"{error}; {done} of the preset's {counted(len(settings), 'setting')} are set"
            ) from None
        if not as_json:
            click.echo(f"{name}: {value:.9g} from sample {at:,} on")
    if as_json:
        click.echo(json.dumps({"preset": preset, "settings": dict(settings), "at": at}, indent=2))
    elif PRESETS[preset].options:
        click.echo(
            "the rest of the preset is decided when a model is trained:"
            f" `tinyol train --preset {preset}`"
        )


def _show(values: dict[str, float], as_json: bool) -> None:
    from tinyol_sim.reporting.replay_summary import short_float
    from tinyol_sim.settings import SETTINGS

    if as_json:
        facts = {
            name: _facts(SETTINGS.get(name), short_float(value)) for name, value in values.items()
        }
        click.echo(json.dumps(facts, indent=2))
        return

    from rich.console import Console
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("range", no_wrap=True)
    for name, value in values.items():
        info = SETTINGS.get(name)  # a newer firmware may have more than this host knows
        table.add_row(name, short_float(value), "" if info is None else _range(info))
    print_table(Console(highlight=False), table)


def _facts(info: SettingInfo | None, value: str) -> dict[str, Any]:
    if info is None:
        return {"value": float(value)}
    return {
        "value": float(value),
        "minimum": info.minimum,
        "maximum": info.maximum,
        "whole": info.integral,
    }


def _range(info: SettingInfo) -> str:
    if info.integral:
        return f"{info.minimum:.0f} to {info.maximum:.0f}, whole"
    return f"{info.minimum:.7g} to {info.maximum:.7g}"  # float32: 0.2, not 0.200000003
