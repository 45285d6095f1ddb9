"""`tinyol metrics`: how well a board predicts, each window before it is learned from."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.counted import counted
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.replies import BoardMetrics


@click.command()
@device_options
@json_option
def metrics(device: str | None, as_json: bool) -> None:
    """How well a board predicts: each window is predicted before it is learned from.

    Accuracy and F1 are over all labelled windows since the state began; loss and error are
    running means.
    """

    async def work(board: Board) -> tuple[BoardMetrics, list[str]]:
        return await board.metrics(), await board.classes()

    found, names = run_on_board(device, work)
    if as_json:
        click.echo(json.dumps(_facts(found, names), indent=2, allow_nan=False))
        return

    from rich.console import Console

    from tinyol_host.cli.tables import pairs_table, print_table

    print_table(Console(highlight=False), pairs_table(_rows(found, names)))


def _facts(found: BoardMetrics, names: list[str]) -> dict[str, Any]:
    facts = asdict(found)
    facts["error_quantiles"] = {f"{q:g}": value for q, value in found.error_quantiles.items()}
    facts["f1"] = dict(zip(names, found.f1, strict=False))
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: Any) -> Any:
    """JSON has no word for what is not finite."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return None if isinstance(value, float) and value - value != 0 else value


def _rows(found: BoardMetrics, names: list[str]) -> list[tuple[str, str]]:
    rows = [("before sample", f"{found.at:,}"), ("labelled", counted(found.labelled, "window"))]
    if found.labelled:
        rows += [
            ("accuracy", f"{found.accuracy:.3f}"),
            ("macro F1", f"{found.macro_f1:.3f}"),
            *[
                (f"F1 of {printable(name)}", f"{score:.3f}")
                for name, score in zip(names, found.f1, strict=False)
            ],
            ("mean loss", f"{found.mean_loss:.4g}"),
        ]
    rows.append(("mean error", f"{found.mean_error:.4g}"))
    quantiles = ", ".join(f"{value:.4g} at {q:g}" for q, value in found.error_quantiles.items())
    rows.append(("error quantiles", quantiles))
    return rows
