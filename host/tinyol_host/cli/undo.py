"""`tinyol undo`: takes back the last label or fine-tuning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.counted import counted

if TYPE_CHECKING:
    from tinyol_sim.undone import Undone


@click.command()
@click.option("--what", is_flag=True, help="Only say what would be taken back.")
@device_options
@json_option
def undo(what: bool, device: str | None, as_json: bool) -> None:
    """Take back the last lesson: a label, a late label, a name for an unknown event, fine-tuning,
    calibrating, relearning or removing a class, a reset.

    The board is then as it was just before it: all that was learned or changed since goes back
    too, and what is under way ends. It remembers one step, until that is taken back, a state is
    pushed to it, a session is recorded or verified on it, or it restarts. What a simulated board
    was taught by an earlier command is taken back from a file beside its state.
    """
    if what:
        undone = run_on_board(device, lambda board: board.would_undo())
        told = (
            f"would be taken back: {_described(undone)}, and what {_windows(undone)} since told of"
            " normal, alarms and unknown states"
        )
        _tell(as_json, told, undone)
        return
    effect = run_on_board(device, lambda board: board.undo())
    assert effect.undone is not None
    told = (
        f"taken back: {_described(effect.undone)}\n"
        f"what is normal, alarms and unknown states are as they were {_windows(effect.undone)} ago;"
        f" nothing is under way from sample {effect.at:,} on"
    )
    _tell(as_json, told, effect.undone, effect.at)


def _described(undone: Undone) -> str:
    back = undone.back()
    return (
        f"{undone}, from sample {undone.at:,};"
        f" {'with it ' + ', '.join(back) if back else 'nothing was learned since'}"
    )


def _windows(undone: Undone) -> str:
    return counted(undone.windows, "window")


def _tell(as_json: bool, text: str, undone: Undone, at: int | None = None) -> None:
    if not as_json:
        click.echo(text)
        return
    facts = {
        "undone": undone.what,
        "class": undone.class_name,
        "asked_at": undone.at,
        "lessons": undone.lessons,
        "steps": undone.steps,
        "windows": undone.windows,
        "other_changes": undone.other_changes,
    }
    click.echo(json.dumps(facts | ({} if at is None else {"at": at}), indent=2))
