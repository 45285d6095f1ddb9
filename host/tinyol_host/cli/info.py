"""`tinyol info`: a board on one screen."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.hardware import Hardware
    from tinyol_host.replies import Identity
    from tinyol_host.watch_replies import Watch


@click.command()
@device_options
@json_option
def info(device: str | None, as_json: bool) -> None:
    """Show a board on one screen: what it is, its model, what it has seen and learned, its link."""
    facts = run_on_board(device, _facts)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return

    from rich.console import Console

    from tinyol_host.cli.info_rows import info_table
    from tinyol_host.cli.tables import print_table

    print_table(Console(highlight=False), info_table(facts))


async def _facts(board: Board) -> dict[str, Any]:
    """JSON's types; indices and counts since the state began, messages since the board booted."""
    found, identity = await board.info(), board.identity
    hardware, alarms = await board.hardware(), await board.alarms()
    names = await board.classes() if identity.has_model else []
    watch = await board.watch() if identity.has_model else None
    unknowns = await board.unknowns() if identity.has_model else None
    known = found.label is not None and found.label < len(names)
    return {
        "board": {
            "uri": str(board.uri),
            "name": hardware.name or None,
            "kind": identity.board,
            "firmware": identity.firmware_version,
            "arithmetic_version": identity.arithmetic_version,
            "state_format": identity.state_format,
            "has_sensor": identity.has_sensor,
            "kernels": identity.kernels,
            "self_test_at_boot": found.self_test_ok,
            "sensor": hardware.sensor.name.lower(),
            "sensor_hz": hardware.sensor_hz or None,
            "dropped_samples": hardware.dropped_samples,
            "conditions": [
                {"level": condition.level, "text": condition.text}
                for condition in await board.conditions()
            ],
        },
        "model": _model(identity, hardware) if identity.has_model else None,
        "seen": {
            "samples": found.at,
            "windows": found.windows,
            "gaps": found.gaps,
            "refused_samples": found.refused_samples,
            "refused_windows": found.refused_windows,
            "fed_by_a_link": found.feeding,
            "alarms": alarms.count,
            "latest_alarms": [
                {
                    "first_sample": alarm.first_sample,
                    "last_sample": alarm.last_sample,
                    "windows": alarm.windows,
                    "peak_score": alarm.peak_score,
                    "ended_s_ago": (found.at - alarm.last_sample) / identity.rate_hz,
                }
                for alarm in alarms.latest
            ],
            "unknown_events": unknowns.count if unknowns else 0,
            "unknown_goes_on": bool(unknowns and unknowns.latest and unknowns.latest[0].open),
        },
        "watch": None if watch is None else _watch(watch),
        "learned": {
            "classes": names,
            "label": names[found.label] if found.label is not None and known else None,
            "label_windows_left": found.label_left,
            "classifier": asdict(found.classifier),
            "reconstruction": asdict(found.reconstruction),
            "clamped_targets": found.clamped_targets,
            "fine_tuning_steps_left": found.fine_tune_left,
            "saved_by_the_board": found.has_store,
            "unsaved": found.unsaved,
            "save_failed": found.save_failed,
            "saves": found.saves,
            "wear": found.wear,
        },
        "link": {
            "max_message": identity.max_message,
            "paired": identity.is_paired,
            "key_id": identity.key_id if identity.is_paired else None,
            "authenticated": board.is_authenticated,
            "round_trip_ms": board.health.median_round_trip_ms(),
            "reconnects": board.health.reconnects,
            "malformed": found.malformed,
            "repeated": found.repeated,
            "refused": found.refused,
            "lost_peers": found.lost_peers,
            "lost_events": found.lost_events,
        },
    }


def _watch(watch: Watch) -> dict[str, Any]:
    known = watch.normal_windows > 0
    return {
        "normal_windows": watch.normal_windows,
        "normal_error": math.exp(watch.mean[0]) if known else None,
        "normal_vibration_g": math.exp(watch.mean[1] / 2) if known else None,
        "limit": watch.limit or None,
        "score": watch.score,
        "alarm": watch.alarm,
        "unknown": watch.unknown,
        "moved": watch.moved,
        "changed": watch.changed,
        "tilt_deg": watch.tilt_deg,
        "gravity_g": list(watch.gravity),
        "up": watch.up,
        "down": watch.down,
        "calibration_steps_left": watch.calibration_steps_left,
        "calibration_windows_left": watch.calibration_windows_left,
    }


def _model(identity: Identity, hardware: Hardware) -> dict[str, Any]:
    return {
        "id": identity.model_id,
        "rate_hz": identity.rate_hz,
        "window_len": identity.window_len,
        "hop": identity.hop,
        "n_features": identity.n_features,
        "fine_tuned_layer": {"inputs": identity.n_hidden, "outputs": identity.n_outputs},
        "max_classes": identity.max_classes,
        "windows_for_late_labels": identity.ring_len,
        "max_image_bytes": identity.max_image_bytes,
        "arena": {"used": hardware.arena_used, "bytes": hardware.arena_bytes},
    }
