"""`tinyol keys`: the boards' keys that this computer has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from tinyol_host.cli.asking import ask_unless, yes_option
from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.errors import TinyOLError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.access.device_key import DeviceKey
    from tinyol_host.access.key_store import KeyStore
    from tinyol_host.board import Board


def _store() -> KeyStore:
    from tinyol_host.access.key_store import KeyStore

    return KeyStore()


def _complete_key(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        entries = _store().entries()
    except TinyOLError:
        return []  # a completion never complains
    offers = [CompletionItem(entry.id, help=printable(entry.name)) for entry in entries]
    offers += [CompletionItem(entry.name) for entry in entries if entry.name]
    return [offer for offer in offers if offer.value.startswith(incomplete)]


_key_argument = click.argument("key", metavar="ID|NAME", shell_complete=_complete_key)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def keys(context: click.Context, as_json: bool) -> None:
    """List the boards' keys that this computer has: who has a board's key may teach it.

    The secrets themselves are never shown: `keys export` writes one to a file.
    """
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json is for the list; put it behind the subcommand")
        return
    store = _store()
    rows = [
        {
            "key_id": entry.id,
            "name": entry.name or None,
            "paired": entry.paired or None,
            "radio": entry.radio or None,
            "kept_in": store.place(entry),
        }
        for entry in store.entries()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo(f"no keys in {printable(str(store.path))}: `tinyol pair` at a board's USB port")
    else:
        _print(rows)


def _print(rows: list[dict[str, str | None]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column("board", no_wrap=True)
    table.add_column("key", no_wrap=True)
    table.add_column("paired", no_wrap=True)
    table.add_column("kept in", overflow="fold")
    for row in rows:
        cells = (row["name"] or row["radio"] or "-", row["key_id"], row["paired"] or "-")
        table.add_row(*(Text(printable(str(cell))) for cell in (*cells, row["kept_in"])))
    print_table(Console(highlight=False), table)


@keys.command()
@device_options
@yes_option
@json_option
def rotate(device: str | None, yes: bool, as_json: bool) -> None:
    """Give the board another key, at its USB port: who has the one of before is shut out."""
    ask_unless(
        yes,
        lambda: (
            "Give the board another key? Every other computer that has its key of now needs the new"
            " one (`tinyol keys export`) before it can teach the board again."
        ),
    )

    async def work(board: Board) -> DeviceKey:
        from tinyol_host.cli.pair import check_lasting

        check_lasting(board)
        key = await board.rotate_key((await board.hardware()).name)
        await board.ping()  # authenticates with it
        return key

    key, kept_in = run_on_board(device, work), _store().keeps_in
    if as_json:
        click.echo(json.dumps({"key_id": key.id, "name": key.name or None, "kept_in": kept_in}))
    else:
        click.echo(printable(f"the board has a new key: {key.id}\nkept in {kept_in}"))


@keys.command()
@_key_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(key: str, file: Path) -> None:
    """Write a key to a new FILE, for `keys import` at another computer.

    Who reads that file can teach the board: take it there on a stick, and delete it.
    """
    from tinyol_host.access.key_file import KeyEntry, encode_keys, write_new
    from tinyol_sim.errors import DeviceError

    store = _store()
    entry = store.named(key)
    found = store.open(entry)
    if found is None:
        raise DeviceError(f"the key {entry.id} is in {store.place(entry)}, which does not have it")
    write_new(file, encode_keys([KeyEntry.of(found)]))
    click.echo(printable(f"{file}: the key of {entry.name or 'the board'}, {entry.id}"))
    click.echo("delete it once it was imported: who has it can teach the board", err=True)


@keys.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_(file: Path, as_json: bool) -> None:
    """Take over the keys in a FILE that `keys export` wrote at another computer."""
    from tinyol_host.access.device_key import DeviceKey
    from tinyol_host.access.key_file import read_keys
    from tinyol_sim.errors import DeviceError

    store = _store()
    # It came on a stick, whose files everybody may read.
    entries = read_keys(file, private=False)
    found = [
        DeviceKey(entry.secret, entry.name, entry.paired)
        for entry in entries
        if entry.secret is not None
    ]
    if not found:
        raise DeviceError(f"{file}: holds no key's secret: `tinyol keys export` writes one")
    for key in found:
        store.add(key)
    if as_json:
        click.echo(json.dumps([{"key_id": key.id, "name": key.name or None} for key in found]))
        return
    for key in found:
        click.echo(printable(f"{key.name or 'a board'}: key {key.id}, kept in {store.keeps_in}"))
    click.echo(f"delete {printable(str(file))}: who has it can teach the board", err=True)


@keys.command()
@_key_argument
@yes_option
def forget(key: str, yes: bool) -> None:
    """Forget a key: this computer cannot teach that board any more."""
    store = _store()
    entry = store.named(key)
    called = printable(entry.name or entry.id)
    ask_unless(
        yes,
        lambda: (
            f"Forget the key of {called}? Unless another computer has it, only `tinyol keys rotate`"
            " at the board's USB port lets anybody teach it again."
        ),
    )
    store.remove(entry.id)
    click.echo(f"forgot the key of {called} ({entry.id})")
