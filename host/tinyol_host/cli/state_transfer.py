"""`tinyol state pull`, `push`, `save`: what a board has learned, to a file, back, to its flash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.asking import ask_unless, yes_option
from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_host.cli.info_rows import worn
from tinyol_host.cli.learned import what_it_learned
from tinyol_host.cli.progress import progress_bar
from tinyol_sim.errors import StateImageError
from tinyol_sim.files import write_whole

if TYPE_CHECKING:
    from tinyol_host.board import Board, Effect
    from tinyol_host.replies import Info

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@device_options
@json_option
def pull(file: Path, device: str | None, as_json: bool) -> None:
    """Write what a board has learned to FILE, a state image.

    `tinyol state show` and `diff` read it, `tinyol replay --state` goes on from it.
    """

    async def work(board: Board) -> tuple[bytes, str]:
        with progress_bar("pull", board.identity.max_image_bytes, "bytes") as show:
            image = await board.pull_state(lambda done, total: show(done, total=total))
        return image, board.identity.model_id

    image, model_id = run_on_board(device, work)
    replaced = "replaced, " if file.exists() else ""
    write_whole(file, image, StateImageError)
    if as_json:
        facts = {"file": str(file), "bytes": len(image), "model_id": model_id}
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(f"{file}: {replaced}{len(image):,} bytes, of model {model_id}")


@click.command()
@click.argument("file", type=_FILE)
@device_options
@yes_option
@json_option
def push(file: Path, device: str | None, yes: bool, as_json: bool) -> None:
    """Have a board take over the state image FILE, in place of what it has learned.

    The board checks all of it first; an image that is damaged, or of another model, changes
    nothing.
    """
    from tinyol_host.state_file import read_state_file
    from tinyol_sim.state_image import StateImage

    try:
        image = read_state_file(file)
        StateImage.from_bytes(image)  # before anybody is asked
    except OSError as error:
        raise StateImageError(f"{file}: cannot be read: {error.strerror}") from None
    except StateImageError as error:
        raise StateImageError(f"{file}: {error}") from None

    async def question(board: Board) -> str:
        return f"Push {file} to {board.uri}? {await what_it_learned(board)} are lost there."

    async def work(board: Board) -> Effect:
        with progress_bar("push", len(image), "bytes") as show:
            return await board.push_state(image, lambda done, total: show(done))

    ask_unless(yes, lambda: run_on_board(device, question))
    effect = run_on_board(device, work)
    if as_json:
        click.echo(json.dumps({"file": str(file), "bytes": len(image), "at": effect.at}, indent=2))
    else:
        click.echo(f"{file}: taken over, {len(image):,} bytes; the next sample is {effect.at:,}")


@click.command()
@device_options
@json_option
def save(device: str | None, as_json: bool) -> None:
    """Have a board keep what it has learned: it goes on from there after a loss of power.

    A board saves by itself too, when a peer leaves and once an hour, if it has learned anything.
    """

    async def work(board: Board) -> tuple[Effect, Info]:
        return await board.save(), await board.info()

    effect, info = run_on_board(device, work)
    if as_json:
        facts = {"bytes": effect.value, "at": effect.at, "saves": info.saves, "wear": info.wear}
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(f"saved: {effect.value:,} bytes, as of sample {effect.at:,}; {worn(info.wear)}")
