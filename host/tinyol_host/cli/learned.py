"""What a board would lose, in one phrase, for a question; what a class still lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyol_sim.counted import counted

if TYPE_CHECKING:
    from tinyol_host.board import Board


YOUNG = 10  # lessons: kYoungLessons of gaussian_head.h


async def what_it_learned(board: Board) -> str:
    """As "2 classes (normal, stuck), 120 lessons and 300 fine-tuning steps"."""
    names, info = await board.classes(), await board.info()
    known = f" ({', '.join(names)})" if names else ""
    lessons = counted(info.classifier.applied, "lesson")
    steps = counted(info.reconstruction.applied, "fine-tuning step")
    return f"{counted(len(names), 'class', 'classes')}{known}, {lessons} and {steps}"


async def young_note(board: Board, name: str) -> str:
    """A line behind another if the class is too young for anything to count as unknown, or ""."""
    known = dict(zip(await board.classes(), await board.class_status(), strict=False))
    one = known.get(name)
    if one is None or not one.lessons or one.limit:
        return ""
    return (
        f"\nnote: with {counted(one.lessons, 'lesson')} it is young, and while a class is, nothing"
        f" counts as unknown: {YOUNG} make it old enough"
    )
