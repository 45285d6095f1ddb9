"""Asks before something is lost; where nobody can answer, `--yes` has to say it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from tinyol_host.cli.terminal import is_terminal

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def can_ask() -> bool:
    """Whether a person sits at a terminal, to read a question and to answer it."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask_unless(yes: bool, question: Callable[[], str]) -> None:
    """Goes on if `yes`, or if the answer to `question()` is yes; leaves with exit 1 if it is no.

    Raises:
        UsageError: nobody can be asked (exit 2).
    """
    if yes:
        return
    if not can_ask():
        raise click.UsageError("this cannot be undone; without a terminal to ask at, say --yes")
    if not click.confirm(question(), err=True):
        click.echo("nothing was changed", err=True)
        click.get_current_context().exit(1)
