"""What a board would lose, in one phrase, for a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyol_sim.counted import counted

if TYPE_CHECKING:
    from tinyol_host.board import Board


async def what_it_learned(board: Board) -> str:
    """As "2 classes (normal, stuck), 120 lessons and 300 fine-tuning steps"."""
    names, info = await board.classes(), await board.info()
    known = f" ({', '.join(names)})" if names else ""
    lessons = counted(info.classifier.applied, "lesson")
    steps = counted(info.reconstruction.applied, "fine-tuning step")
    return f"{counted(len(names), 'class', 'classes')}{known}, {lessons} and {steps}"
