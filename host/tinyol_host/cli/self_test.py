"""`tinyol self-test`: does the board's arithmetic give the bits that it must?"""

from __future__ import annotations

import json

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board


@click.command()
@device_options
@json_option
@click.pass_context
def self_test(context: click.Context, device: str | None, as_json: bool) -> None:
    """Have a board check its own arithmetic: exit 0 if both parts pass, 1 if not.

    It runs a script of learning steps, and the golden vectors of its frozen net, and compares the
    checksums of what came out with those that a right build gives.
    """
    found = run_on_board(device, lambda board: board.self_test())
    parts = (
        ("learning", found.expected_crc, found.found_crc),
        ("frozen net", found.net_expected_crc, found.net_found_crc),
    )
    if as_json:
        facts = {
            name.replace(" ", "_"): {
                "expected_crc": expected,
                "found_crc": crc,
                "passed": expected == crc,
            }
            if expected or crc
            else None  # no model
            for name, expected, crc in parts
        }
        click.echo(json.dumps({"passed": found.passed, **facts}, indent=2))
    else:
        for name, expected, crc in parts:
            if name == "frozen net" and not expected and not crc:
                click.echo(f"{name:<10}  none: the board has no model")
                continue
            verdict = "passed" if expected == crc else f"FAILED, expected {expected:08x}"
            click.echo(f"{name:<10}  {crc:08x}  {verdict}")
        if not found.passed:
            click.echo("this board does not compute what the twin does: do not trust its results")
    if not found.passed:
        context.exit(1)
