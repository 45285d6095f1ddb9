"""What a board says of its hardware, also if its firmware is older than that request."""

from __future__ import annotations

from tinyol_host.board import Board
from tinyol_host.errors import UNKNOWN_REQUEST, RefusedError
from tinyol_host.hardware import Hardware, SensorState


async def ask_hardware(board: Board) -> Hardware | None:
    """None where the firmware does not know the request."""
    try:
        return await board.hardware()
    except RefusedError as error:
        if error.status != UNKNOWN_REQUEST:
            raise
        return None


def sensor_answers(hardware: Hardware | None, said: bool) -> bool:
    """Whether the sensor that the firmware is for is there; `said`: as the identity has it, which
    is false too where the sensor runs and the model's rate is another.
    """
    there = hardware is not None and hardware.sensor not in (SensorState.NONE, SensorState.MISSING)
    return said or there
